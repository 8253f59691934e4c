#include "core/lifecycle_json.h"

#include <doctest/doctest.h>

#include <set>

#include <nlohmann/json.hpp>

using namespace hark;
using namespace std::chrono_literals;

namespace {

EventPtr bot_event() {
  Event event;
  event.id = "e1";
  event.type = "webhook";
  event.source = "github";
  event.data = Payload(nlohmann::json{{"sender", {{"type", "Bot"}}}, {"handler", "of the sender"}});
  return std::make_shared<const Event>(std::move(event));
}

bool matches(const char* filter, const lifecycle::Any& any) {
  const auto parsed = Filter::parse(filter);
  REQUIRE(parsed);
  return evaluate(*parsed, any).matches;
}

template <std::size_t... Index>
std::vector<lifecycle::Any> one_of_each(std::index_sequence<Index...>) {
  std::vector<lifecycle::Any> all{std::variant_alternative_t<Index, lifecycle::Any>{}...};
  for (auto& any : all) {
    std::visit(
        [](auto& each) {
          if constexpr (requires { each.event->data; }) each.event = bot_event();
          if constexpr (requires { each.run->state; }) each.run = std::make_shared<const Run>();
        },
        any);
  }
  return all;
}

}  // namespace

TEST_CASE("lifecycle events: each has one JSON form, with its name and its time, and every name is known") {
  const auto all = one_of_each(std::make_index_sequence<std::variant_size_v<lifecycle::Any>>{});
  const auto names = lifecycle::names();
  REQUIRE(names.size() == all.size());
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto json = to_json(all[i], WallTime{});
    CHECK(json["name"] == names[i]);
    CHECK(json["time"] == to_rfc3339(WallTime{}));
    CHECK(json.size() > 2);
  }
}

TEST_CASE("lifecycle events: durations are in milliseconds, what is of a run names it") {
  lifecycle::GateChecked gate{{"r1", "fix", "c1"}, 2, "tests", false, "exit status 1", 1500ms};
  CHECK(to_json(gate, WallTime{}) == nlohmann::json::parse(R"({"name":"gate:checked","time":"1970-01-01T00:00:00.000Z","run_id":"r1","handler":"fix","correlation_id":"c1",
    "iteration":2,"gate":"tests","passed":false,"why":"exit status 1","duration_ms":1500})"));
  CHECK(to_json(lifecycle::HandlerOverdue{"backup", 24h, {}}, WallTime{})["expect_every_ms"] == 86'400'000);
}

TEST_CASE("lifecycle events: a filter names the fields of the event or the run as filters do elsewhere") {
  const auto event = bot_event();
  CHECK(matches("payload.sender.type:Bot", lifecycle::EventReceived{event}));
  CHECK(matches("type:webhook,source:github,sender.type:Bot", lifecycle::EventReceived{event}));
  CHECK_FALSE(matches("payload.sender.type:User", lifecycle::EventReceived{event}));
  CHECK(matches("handler:fix", lifecycle::EventQueued{event, "fix"}));
  CHECK(matches("payload.handler:of*", lifecycle::EventQueued{event, "fix"}));
  CHECK(matches("decision.stage:filter,decision.reason:*closed*", lifecycle::EventDropped{event, {1, {}, Stage::filter, Verdict::dropped, {}, "where: action is 'closed'"}}));
  Run run;
  run.state = RunState::failed;
  run.event_type = "git_push";
  CHECK(matches("state:failed,event.type:git_push,run.state:failed,name:\"run:failed\"", lifecycle::RunFailed{std::make_shared<const Run>(run)}));
  CHECK(matches("passed:false,gate:tests,iteration:>1", lifecycle::GateChecked{{"r1", "fix", "c1"}, 2, "tests", false, "", {}}));
  CHECK(matches("level:warn", lifecycle::Note{"warn", "x"}));
  CHECK_FALSE(matches("nothing:", lifecycle::Note{"warn", "x"}));
}
