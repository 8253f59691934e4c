#include "platform/http.h"

#include <doctest/doctest.h>

#include <random>

#include <nlohmann/json.hpp>

#include "platform/http_response.h"
#include "platform/http_target.h"
#include "platform/http_url.h"
#include "tests/support/rounds.h"

using namespace hark;

namespace {

HttpRequest from(std::vector<std::pair<std::string, std::string>> headers) {
  HttpRequest request;
  for (auto& [name, value] : headers) request.headers.add(name, value);
  return request;
}

}  // namespace

TEST_CASE("http: header names compare without case, the first of a name is the one") {
  HttpHeaders headers;
  headers.add("X-One", "1");
  headers.add("x-one", "2");
  CHECK(headers.get("X-ONE") == "1");
  CHECK(headers.count("x-One") == 2);
  CHECK_FALSE(headers.get("X-On").has_value());
}

TEST_CASE("http: a problem is JSON whatever a caller put into its detail") {
  const auto response = problem(404, {}, "no \"x\"\n\xff");
  const auto json = nlohmann::json::parse(response.body);
  CHECK(json["status"] == 404);
  CHECK(json["title"] == "Not Found");
  CHECK(json["detail"] == "no \"x\"\n\xef\xbf\xbd");
  CHECK(response.content_type == "application/problem+json");
}

TEST_CASE("http: forms are decoded") {
  CHECK(form_value("a=1&b=two+words%21&c", "b") == "two words!");
  CHECK(form_value("a=1&a=2", "a") == "1");
  CHECK(form_value("a=1&b", "b") == "");
  CHECK_FALSE(form_value("a=1", "b").has_value());
  CHECK(form_value("%61=%zz%4", "a") == "%zz%4");
  const auto values = form_values("x=1&&y=a=b&=z");
  REQUIRE(values.size() == 3);
  CHECK(values[1] == std::pair<std::string, std::string>("y", "a=b"));
  CHECK(values[2] == std::pair<std::string, std::string>("", "z"));
}

TEST_CASE("http: a page of another site is told apart from the site itself and from programs") {
  CHECK(same_site(from({})));
  CHECK(same_site(from({{"Host", "localhost:8080"}})));
  CHECK(same_site(from({{"Host", "127.0.0.1:8080"}})));
  CHECK(same_site(from({{"Host", "[::1]:8080"}})));
  CHECK(same_site(from({{"Host", "dash.localhost"}})));
  CHECK(same_site(from({{"Host", "192.168.1.7:8080"}})));
  CHECK(same_site(from({{"Host", "localhost:8080"}, {"Origin", "http://LOCALHOST:8080"}})));
  CHECK(same_site(from({{"Host", "localhost"}, {"Origin", "http://localhost:80"}})));
  CHECK(same_site(from({{"Host", "[::1]:8080"}, {"Origin", "http://[::1]:8080"}})));

  CHECK_FALSE(same_site(from({{"Host", "evil.example:8080"}})));  // rebound
  CHECK_FALSE(same_site(from({{"Host", "localhost.evil.example"}})));
  CHECK_FALSE(same_site(from({{"Host", "127.0.0.1.evil.example"}})));
  CHECK_FALSE(same_site(from({{"Host", "localhost@evil"}})));
  CHECK_FALSE(same_site(from({{"Host", ""}})));
  CHECK_FALSE(same_site(from({{"Host", "[evil]"}})));
  CHECK_FALSE(same_site(from({{"Host", "localhost:8080"}, {"Origin", "http://evil.example"}})));
  CHECK_FALSE(same_site(from({{"Host", "localhost:8080"}, {"Origin", "http://localhost:3000"}})));
  CHECK_FALSE(same_site(from({{"Host", "localhost:8080"}, {"Origin", "null"}})));
  CHECK_FALSE(same_site(from({{"Host", "localhost:8080"}, {"Origin", "file://"}})));
  CHECK_FALSE(same_site(from({{"Origin", "http://localhost:8080"}})));
  CHECK_FALSE(same_site(from({{"Host", "localhost"}, {"Origin", "http://localhost"}, {"origin", "http://evil.example"}})));

  // Without Origin, as a browser sends what a form or an image of another page asked for.
  CHECK(same_site(from({{"Host", "localhost:8080"}, {"Sec-Fetch-Site", "same-origin"}})));
  CHECK(same_site(from({{"Host", "localhost:8080"}, {"Sec-Fetch-Site", "none"}})));  // typed into the address bar
  CHECK_FALSE(same_site(from({{"Host", "localhost:8080"}, {"Sec-Fetch-Site", "cross-site"}})));
  CHECK_FALSE(same_site(from({{"Host", "localhost:8080"}, {"Sec-Fetch-Site", "same-site"}})));  // another port of this machine
  CHECK_FALSE(same_site(from({{"Host", "localhost:8080"}, {"Sec-Fetch-Site", "none"}, {"sec-fetch-site", "cross-site"}})));

  auto control = from({{"Host", "anything"}});
  control.control = true;
  CHECK(same_site(control));
}

TEST_CASE("http: targets are taken apart and decoded, what is ambiguous is refused") {
  HttpTarget target;
  REQUIRE(parse_http_target("/a%20b//c?x=%2F&y", target));
  CHECK(target.path == "/a b//c");
  CHECK(target.query == "x=%2F&y");
  REQUIRE(parse_http_target("HTTP://host:1?q", target));
  CHECK(target.authority == "host:1");
  CHECK(target.path == "/");
  CHECK(target.query == "q");
  REQUIRE(parse_http_target("/...", target));
  CHECK(target.authority.empty());
  for (const char* bad :
       {"",    "a",  "*",       "host:443",    "/%",   "/%2",     "/%zz",      "/%00",        "/%0a",     "/%7f", "/a%2fb",
        "/..", "/.", "/a/../b", "/a/%2e%2E/b", "/a/.", "http://", "http:///x", "http://u@h/", "ftp://h/", "/a#b"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_http_target(bad, target));
  }
}

TEST_CASE("http: no accepted target decodes to a dot segment or a control character") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  constexpr std::string_view kPieces[] = {"/",   ".",  "%2e", "%2E",      "%",   "a",  "?",  "%00",
                                          "%2f", "..", "//",  "http://h", "%25", "\\", "%0d"};
  for (int round = 0; round < test::rounds(20'000); ++round) {
    std::string text = random() % 4 != 0 ? "/" : "";
    for (auto count = random() % 8; count > 0; --count) text += kPieces[random() % std::size(kPieces)];
    CAPTURE(text);
    HttpTarget target;
    if (!parse_http_target(text, target)) continue;
    const auto path = target.path + "/";
    REQUIRE(path.front() == '/');
    REQUIRE(path.find("/./") == std::string::npos);
    REQUIRE(path.find("/../") == std::string::npos);
    for (const char c : path) REQUIRE(static_cast<unsigned char>(c) >= 0x20);
  }
}

TEST_CASE("http: dates are written as the standard's example") { CHECK(http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"); }

TEST_CASE("http: a traceparent is taken over when it is well-formed") {
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  CHECK(traceparent_of(from({{"Traceparent", good}}).headers) == good);
  CHECK(traceparent_of(from({{"traceparent", "cc" + good.substr(2) + "-more"}}).headers) == "cc" + good.substr(2));
  CHECK(traceparent_of(from({{"traceparent", good}, {"traceparent", good}}).headers).empty());
  for (const std::string& bad : std::vector<std::string>{
           "", good + "-more", good + "x", good.substr(1), "ff" + good.substr(2), "0" + std::string(54, '-'),
           "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "cc" + good.substr(2) + "x"}) {
    CAPTURE(bad);
    CHECK(traceparent_of(from({{"traceparent", bad}}).headers).empty());
  }
}

TEST_CASE("http: Retry-After is seconds or a date") {
  const WallTime now{std::chrono::seconds(784111777)};  // Sun, 06 Nov 1994 08:49:37 GMT
  const auto after = [&](const std::string& text) { return retry_after(from({{"Retry-After", text}}).headers, now); };
  CHECK(after("120") == std::chrono::seconds(120));
  CHECK(after("0") == std::chrono::seconds(0));
  CHECK(after("99999999999999999999") == std::chrono::seconds(999'999'999));
  CHECK(after("Sun, 06 Nov 1994 08:50:37 GMT") == std::chrono::seconds(60));
  CHECK(after("Sun, 06 Nov 1994 08:00:00 GMT") == std::chrono::seconds(0));
  for (const char* bad : {"", "soon", "-5", "1.5", "Sun, 06 Nov 1994 08:50:37", "Sun, 06 Nov 1994 08:50:37 GMT x"}) {
    CAPTURE(bad);
    CHECK_FALSE(after(bad));
  }
  CHECK_FALSE(retry_after({}, now));
}

TEST_CASE("http url: references are resolved as RFC 3986, 5.4 has it") {
  const std::vector<std::pair<std::string, std::string>> examples = {
      {"g", "http://a/b/c/g"}, {"./g", "http://a/b/c/g"}, {"g/", "http://a/b/c/g/"}, {"/g", "http://a/g"}, {"//g", "http://g"}, {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"}, {"#s", "http://a/b/c/d;p?q"}, {"g#s", "http://a/b/c/g#s"}, {";x", "http://a/b/c/;x"}, {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"}, {"./", "http://a/b/c/"}, {"..", "http://a/b/"}, {"../", "http://a/b/"}, {"../g", "http://a/b/g"}, {"../..", "http://a/"},
      {"../../g", "http://a/g"}, {"../../../g", "http://a/g"}, {"../../../../g", "http://a/g"}, {"/./g", "http://a/g"}, {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."}, {"..g", "http://a/b/c/..g"}, {"./../g", "http://a/b/g"}, {"./g/.", "http://a/b/c/g/"}, {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"}, {"g;x=1/../y", "http://a/b/c/y"}, {"g?y/../x", "http://a/b/c/g?y/../x"}, {"https://other/x", "https://other/x"}};
  for (const auto& [reference, wanted] : examples) {
    CAPTURE(reference);
    const auto resolved = resolve_url("http://a/b/c/d;p?q", reference);
    REQUIRE(resolved);
    CHECK(*resolved == wanted);
  }
  CHECK(*resolve_url("https://a", "g") == "https://a/g");
  CHECK(*resolve_url("https://a?x", "?y") == "https://a/?y");
  for (const char* none : {"g:h", "mailto:x", "//", "http://u@h/", "http://a:0/"}) CHECK_FALSE(resolve_url("http://a/b", none));
}
