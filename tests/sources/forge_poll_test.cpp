#include "sources/forge_poll.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "platform/clock.h"
#include "platform/http_client.h"
#include "tests/sources/forge_payloads.h"

using namespace hark;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const WallTime kNoon = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) + 12h;

// A list without an end, each of whose requests was updated an hour before the one in front of it.
struct Endless final : HttpClient {
  Result<HttpResponse> call(const HttpCall& call, std::stop_token) override {
    ++asked;
    const auto page = std::stoi(call.url.substr(call.url.rfind("page=") + 5));
    auto item = payloads::github_item();
    auto items = json::array();
    for (int number = (page - 1) * 100; number < page * 100; ++number) {
      item["number"] = number + 1;
      item["updated_at"] = to_rfc3339(kNoon - number * 1h);
      items.push_back(item);
    }
    HttpResponse response;
    response.body = items.dump();
    response.headers.add("ETag", "\"page " + std::to_string(page) + "\"");
    return response;
  }
  int asked = 0;
};

ForgeAnswer ask(Endless& forge, std::optional<WallTime> seen) {
  const SystemClock clock;
  auto outcome = ask_forge({{Forge::github, "https://api.github.com", "harbour/gulls"}, "", seen, ""}, forge, clock, {});
  REQUIRE(std::holds_alternative<ForgeAnswer>(outcome));
  return std::get<ForgeAnswer>(std::move(outcome));
}

}  // namespace

TEST_CASE("forge poll: no further page is asked for than what is known already") {
  Endless forge;
  const auto answer = ask(forge, kNoon - 150h);
  CHECK(forge.asked == 2);
  CHECK(answer.changed.size() == 200);
  CHECK(answer.etag == "\"page 1\"");
  CHECK(answer.unreadable.empty());
}

TEST_CASE("forge poll: what is more than the bound is said to be missing") {
  Endless forge;
  const auto answer = ask(forge, kNoon - 9999h);
  CHECK(forge.asked == 50);
  CHECK(answer.changed.size() == 5000);
  REQUIRE(answer.unreadable.size() == 1);
  CHECK(answer.unreadable.front() == "more changed than it tells in 50 pages");
}
