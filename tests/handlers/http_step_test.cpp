#include "handlers/steps/http.h"

#include <doctest/doctest.h>

#include <fstream>
#include <random>

#include "core/limits.h"
#include "tests/handlers/pipeline_fixture.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::FakeHttpClient;
using hark::test::PipelineFixture;
using hark::test::header;

TEST_CASE_FIXTURE(PipelineFixture, "http: method, url, headers, JSON and the marks of a run are sent") {
  event(R"({"n": 5, "who": "ada", "list": [1, "b"], "on": true, "nil": null})");
  auto& options = call("tell", "https://chat.example/hook/{payload.who}?n={payload.n}", "PUT");
  options.headers = {{"X-Who", Template::parse("<{payload.who}>")}};
  options.json =
      nlohmann::json{{"text", "by {payload.who}"}, {"n", "{payload.n}"},      {"deep", {{"list", {"{payload.list}", 7}}}},
                     {"on", "{payload.on}"},       {"none", "{payload.zzz}"}, {"nil", "{payload.nil}"},
                     {"{payload.who}", "{{kept}}"}};
  http.answer(201, "created");
  const Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.exit_code == 201);
  CHECK(run.steps[0].output == "created");
  const auto calls = http.calls();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].method == "PUT");
  CHECK(calls[0].url == "https://chat.example/hook/ada?n=5");
  CHECK(header(calls[0], "X-Who") == "<ada>");
  CHECK(header(calls[0], "Idempotency-Key") == "EVENT1/on-change/tell");
  CHECK(header(calls[0], "traceparent") == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  CHECK(calls[0].content_type == "application/json");
  CHECK(nlohmann::json::parse(calls[0].body) == nlohmann::json{{"text", "by ada"},
                                                               {"n", 5},
                                                               {"deep", {{"list", {{1, "b"}, 7}}}},
                                                               {"on", true},
                                                               {"none", nullptr},
                                                               {"nil", nullptr},
                                                               {"{payload.who}", "{kept}"}});
}

TEST_CASE_FIXTURE(PipelineFixture, "http: event data cannot change the shape of a url") {
  event(R"({"v": "a/b?c=d&e#f@g:h%2F\r\nx é", "host": "evil.example/", "dots": "..", "url": "https://other.example/a?b=c"})");
  call("a", "https://x.example/p/{payload.v}?q={payload.v}");
  (void)run();
  CHECK(http.calls()[0].url ==
        "https://x.example/p/"
        "a%2Fb%3Fc%3Dd%26e%23f%40g%3Ah%252F%0D%0Ax%20%C3%A9?q=a%2Fb%3Fc%3Dd%26e%23f%40g%3Ah%252F%0D%0Ax%20%C3%A9");
  handler.steps.clear();
  call("b", "https://x.example/p/{payload.dots}/q");
  const Run refused = run();
  CHECK(refused.state == RunState::failed);
  CHECK(refused.error.find("lead out of the url's path") != std::string::npos);
  handler.steps.clear();
  call("c", "{payload.url}");  // the whole url: the author says that the data decides
  (void)run();
  CHECK(http.calls()[1].url == "https://other.example/a?b=c");
  handler.steps.clear();
  context.environment = [](const std::string& name) {
    return name == "BASE" ? std::optional<std::string>("http://h:1/api") : std::nullopt;
  };
  call("d", "{env.BASE}/x?h={payload.host}");
  (void)run();
  CHECK(http.calls()[2].url == "http://h:1/api/x?h=evil.example%2F");
}

TEST_CASE_FIXTURE(PipelineFixture, "http: any value stays within its segment (random bytes)") {
  const auto seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937 random(seed);
  call("a", "https://x.example/p/{payload.v}/end?q={payload.v}");
  for (int round = 0; round < 300; ++round) {
    std::string value;
    for (auto left = random() % 20; left > 0; --left) value += static_cast<char>(random() % 128);
    event(nlohmann::json{{"v", value}}.dump());
    const auto before = http.calls().size();
    (void)run();
    if (http.calls().size() == before) {
      CHECK((value == "." || value == ".."));
      continue;
    }
    const std::string url = http.calls().back().url;
    REQUIRE(url.starts_with("https://x.example/p/"));
    CHECK(std::count(url.begin(), url.end(), '/') == 5);
    CHECK(std::count(url.begin(), url.end(), '?') == 1);
    CHECK(std::count(url.begin(), url.end(), '=') == 1);
    CHECK(url.find_first_of("#@& \r\n") == std::string::npos);
  }
}

TEST_CASE_FIXTURE(PipelineFixture, "http: a line break in a header's value is an error, no second header") {
  event(R"({"v": "a\r\nX-Admin: 1"})");
  call("a", "https://x.example/").headers = {{"X-V", Template::parse("{payload.v}")}};
  const Run run = this->run();
  CHECK(run.error.find("the header X-V would hold a line break") != std::string::npos);
  CHECK(http.calls().empty());
}

TEST_CASE_FIXTURE(PipelineFixture, "http: the author's own Content-Type and Idempotency-Key go before the defaults") {
  auto& options = call("a", "https://x.example/");
  options.body = Template::parse("<x>{event.subject}</x>");
  options.headers = {{"content-type", Template::parse("text/xml")}, {"idempotency-key", Template::parse("mine")}};
  (void)run();
  const auto sent = http.calls()[0];
  CHECK(sent.body == "<x>main</x>");
  CHECK(sent.content_type == "text/xml");
  CHECK(header(sent, "content-type").empty());
  CHECK(header(sent, "Idempotency-Key").empty());
  CHECK(header(sent, "idempotency-key") == "mine");
}

TEST_CASE_FIXTURE(PipelineFixture, "http: a status that is not expected is a failure, tried again") {
  auto& options = call("a", "https://x.example/");
  handler.steps[0].retry = {3, {1ms, 1ms}};
  http.answer(503, "busy");
  http.answer([](const auto&, const auto&) { return Result<HttpResponse>(Error{"connection refused", ""}); });
  http.answer(204);
  const Run good = run();
  CHECK(good.state == RunState::succeeded);
  CHECK(good.steps[0].attempts == 3);
  CHECK(header(http.calls()[0], "Idempotency-Key") == header(http.calls()[2], "Idempotency-Key"));

  options.expect = {200, 404};
  http.answer(404);
  CHECK(run().state == RunState::succeeded);
  handler.steps[0].retry = {};
  http.answer(204, "gone");
  const Run bad = run();
  CHECK(bad.error == "status 204, wanted 200 or 404");
  CHECK(bad.exit_code == 204);
  CHECK(bad.steps[0].output == "gone");
}

TEST_CASE_FIXTURE(PipelineFixture, "http: a call has what time is left, and running out of it is a timeout, being stopped a cancel") {
  call("a", "https://x.example/");
  handler.steps[0].timeout = 2s;
  http.answer([&](const HttpCall& sent, const auto&) {
    CHECK(sent.timeout == 2s);
    clock.advance(2s);
    return Result<HttpResponse>(Error{"timed out", ""});
  });
  const Run late = run();
  CHECK(late.state == RunState::timed_out);
  CHECK(late.error == "timed out after 2s");
  http.answer([&](const auto&, const auto&) {
    stop.request_stop();
    return Result<HttpResponse>(Error{"cancelled", ""});
  });
  CHECK(run().state == RunState::cancelled);
}

TEST_CASE_FIXTURE(PipelineFixture, "http: a long answer goes to a file, and later steps read it as a whole") {
  call("get", "https://x.example/", "GET");
  shell("use", "use {steps.get.json.last} {steps.get.output_file}");
  const std::string body = nlohmann::json{{"pad", std::string(100'000, 'x')}, {"zlast", 1}, {"last", "end"}}.dump();
  http.answer(200, body);
  const Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.steps[0].output.size() == limits::kOutputInMemory);
  CHECK(run.steps[0].output_bytes == body.size());
  CHECK(run.steps[0].output_file == folder / "runs/RUN1/attempt-2/get.out");
  const auto calls = processes.calls();
  CHECK(calls[0].environment("HARK_V0") == "end");
  CHECK(calls[0].environment("HARK_V1") == folder / "runs/RUN1/attempt-2/get.out");
}

TEST_CASE_FIXTURE(PipelineFixture, "http: how long a server asks to be left alone is told") {
  call("a", "https://x.example/");
  HttpResponse busy;
  busy.status = 429;
  busy.headers.add("Retry-After", "77");
  http.answer([&](const auto&, const auto&) { return Result<HttpResponse>(busy); });
  const Run run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.steps[0].retry_after == Duration(77s));
}

TEST_CASE_FIXTURE(PipelineFixture, "http: a form is sent encoded, whatever is in it") {
  event(R"({"v": "a&b=c d\u00e9+%"})");
  call("tell", "https://x.example/").form = {{"text", Template::parse("<{payload.v}>"), {}}, {"a b", Template::parse(""), {}}};
  (void)run();
  CHECK(http.calls()[0].body == "text=%3Ca%26b%3Dc%20d%C3%A9%2B%25%3E&a%20b=");
  CHECK(http.calls()[0].content_type == "application/x-www-form-urlencoded");
}

TEST_CASE_FIXTURE(PipelineFixture, "http: a form with a file is sent in parts, which nothing in them ends") {
  handler.working_directory = folder.path().string();
  std::ofstream(folder / "in.bin") << "\x01\r\n--hark-\r\nbinary";
  event(R"({"v": "a\r\n--x\"", "name": "q\"\r\nX: y", "path": "./in.bin", "out": "../in.bin"})");
  const auto field = [](const char* name, const char* value) { return FormField{name, Template::parse(value), {}}; };
  const auto file = [](const char* name, const char* path, std::optional<Template> called) { return FormField{name, Template::parse(path), FormField::File{"text/x", std::move(called)}}; };
  call("tell", "https://x.example/").form = {field("te\"xt", "{payload.v}"), file("a", "{payload.path}", {}), file("b", "in.bin", Template::parse("{payload.name}"))};
  call("again", "https://x.example/").form = {field("text", "{payload.v}"), file("a", "in.bin", {})};
  call("out", "https://x.example/").form = {file("a", "{payload.out}", {})};
  const Run run = this->run();
  REQUIRE(http.calls().size() == 2);
  const auto sent = http.calls()[0];
  REQUIRE(sent.content_type.starts_with("multipart/form-data; boundary=hark-"));
  const auto boundary = sent.content_type.substr(sent.content_type.find('=') + 1);
  CHECK(sent.body == "--" + boundary + "\r\nContent-Disposition: form-data; name=\"te%22xt\"\r\n\r\na\r\n--x\"\r\n" +
                         "--" + boundary + "\r\nContent-Disposition: form-data; name=\"a\"; filename=\"in.bin\"\r\nContent-Type: text/x\r\n\r\n\x01\r\n--hark-\r\nbinary\r\n" +
                         "--" + boundary + "\r\nContent-Disposition: form-data; name=\"b\"; filename=\"q%22%0D%0AX: y\"\r\nContent-Type: text/x\r\n\r\n\x01\r\n--hark-\r\nbinary\r\n" +
                         "--" + boundary + "--\r\n");
  CHECK(http.calls()[1].content_type != sent.content_type);
  CHECK(run.error.find("holds a '..'") != std::string::npos);
}

TEST_CASE_FIXTURE(PipelineFixture, "http: a file is sent and an answer saved, within the handler's folder") {
  handler.working_directory = folder.path().string();
  std::ofstream(folder / "in.bin") << "\x01binary";
  event(R"({"in": "in.bin", "out": "got/it"})");
  auto& options = call("tell", "https://x.example/", "PUT");
  options.file = Template::parse("{payload.in}");
  options.save = Template::parse("{payload.out}");
  http.answer(200, "the answer");
  CHECK(run().error == "");
  CHECK(http.calls()[0].body == "\x01binary");
  CHECK(http.calls()[0].content_type == "application/octet-stream");
  std::ifstream saved(folder / "got/it");
  CHECK(std::string(std::istreambuf_iterator<char>(saved), {}) == "the answer");

  for (const char* data : {R"({"in": "../etc/passwd", "out": "x"})", R"({"in": "in.bin", "out": "/tmp/x"})", R"({"in": "in.bin"})", R"({"in": "gone", "out": "x"})"}) {
    event(data);
    CHECK(run().state == RunState::failed);
  }
  CHECK(http.calls().size() == 1);  // nothing was sent

  event(R"({"in": "in.bin", "out": "got/it"})");
  http.answer(500, "no answer");
  CHECK(run().state == RunState::failed);
  std::ifstream kept(folder / "got/it");
  CHECK(std::string(std::istreambuf_iterator<char>(kept), {}) == "the answer");
}

namespace {

FakeHttpClient::Answer to(int status, const std::string& location) {
  return [status, location](const HttpCall&, const std::stop_token&) {
    HttpResponse response;
    response.status = status;
    response.headers.add("Location", location);
    return Result<HttpResponse>(response);
  };
}

}  // namespace

TEST_CASE_FIXTURE(PipelineFixture, "http: redirects are answers, unless they are to be gone after") {
  auto& options = call("tell", "https://x.example/a/b?q", "POST");
  options.expect = {302};
  http.answer(to(302, "/c"));
  CHECK(run().error == "");
  CHECK(http.calls().size() == 1);
}

TEST_CASE_FIXTURE(PipelineFixture, "http: what is sent where a redirect leads") {
  auto& options = call("tell", "https://x.example/a/b?q", "POST");
  options.follow = 3;
  options.body = Template::parse("text");
  options.headers = {{"Authorization", Template::parse("secret")}, {"Accept", Template::parse("text/plain")}};
  const auto last = [&] { return http.calls().back(); };
  SUBCASE("within the origin, all of it") {
    http.answer(to(307, "c"));
    http.answer(to(308, "https://X.example:443/d"));
    CHECK(run().error == "");
    CHECK(last().method == "POST");
    CHECK(last().body == "text");
    CHECK(header(last(), "Authorization") == "secret");
    CHECK(http.calls()[1].url == "https://x.example/a/c");
    CHECK(last().url == "https://X.example:443/d");
  }
  SUBCASE("a GET, where it says so") {
    http.answer(to(303, "//x.example/seen"));
    (void)run();
    CHECK(last().method == "GET");
    CHECK(last().body.empty());
    CHECK(last().content_type.empty());
    CHECK(last().url == "https://x.example/seen");
  }
  SUBCASE("no secrets to another origin") {
    for (const char* where : {"https://y.example/", "https://x.example:8443/"}) {
      http.answer(to(302, where));
      (void)run();
      CHECK(header(last(), "Authorization").empty());
      CHECK(header(last(), "Idempotency-Key").empty());
      CHECK(header(last(), "Accept") == "text/plain");
    }
  }
  SUBCASE("nothing without encryption, and nowhere that is no place") {
    for (const char* where : {"http://x.example/", "file:///etc/passwd", "https://u:p@x.example/", ""}) {
      const auto before = http.calls().size();
      http.answer(where[0] == '\0' ? FakeHttpClient::Answer([](const HttpCall&, const std::stop_token&) { HttpResponse none; none.status = 302; return Result<HttpResponse>(none); }) : to(302, where));
      CHECK(run().state == RunState::failed);
      CHECK(http.calls().size() == before + 1);
    }
  }
  SUBCASE("no circle") {
    for (int i = 0; i < 4; ++i) http.answer(to(307, "/again"));
    CHECK(run().error.find("more than 3 redirects") != std::string::npos);
    CHECK(http.calls().size() == 4);
  }
}
