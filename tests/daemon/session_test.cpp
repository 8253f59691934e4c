#include "daemon/session.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/engine_world.h"

using namespace hark;
using namespace hark::test;
using nlohmann::json;

namespace {

struct SessionWorld : World {
  SessionWorld() {
    source("web");
    open();
  }
  Acceptance begin(std::string story, std::string cause = {}) {
    auto made = event("web");
    made.correlation_id = std::move(story);
    made.causation_id = std::move(cause);
    const auto accepted = offer(std::move(made));
    REQUIRE(accepted.taken());
    return accepted;
  }
  json told(const std::string& id) {
    const auto found = find_session(*journal, id);
    REQUIRE(found);
    REQUIRE(found->has_value());
    return to_json(**found);
  }
};

}  // namespace

TEST_CASE("session: what a run caused hangs below it, and any id of the story finds it") {
  SessionWorld world;
  const auto first = world.begin("story");
  world.until([&] { return world.runner.started.size() == 1; });
  const auto run = world.runner.started[0].run.id;
  const auto second = world.begin("story", run);
  world.begin("another");

  const auto story = world.told("story");
  CHECK(story["correlation_id"] == "story");
  CHECK(!story.contains("cut"));
  CHECK(story.contains("began"));
  REQUIRE(story["events"].size() == 1);
  const auto& root = story["events"][0];
  CHECK(root["id"] == first.event_id);
  REQUIRE(root["runs"].size() == 1);
  CHECK(root["runs"][0]["id"] == run);
  REQUIRE(root["runs"][0]["events"].size() == 1);
  CHECK(root["runs"][0]["events"][0]["id"] == second.event_id);
  CHECK(world.told(first.event_id) == story);
  CHECK(world.told(second.event_id) == story);
  CHECK(world.told(run) == story);
  CHECK(!find_session(*world.journal, "nobody's")->has_value());
}

TEST_CASE("session: an event that names a later run, or one of elsewhere, as its cause stands by itself") {
  SessionWorld world;
  const auto early = world.begin("story", "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  world.until([&] { return world.runner.started.size() == 1; });
  CHECK(world.told("story")["events"][0]["id"] == early.event_id);
  // A circle cannot be told as a tree: of a run that came after it the event is no child.
  Session circle = std::move(**find_session(*world.journal, "story"));
  circle.events.at(0).causation_id = circle.runs.at(0).id;
  const auto told = to_json(circle);
  REQUIRE(told["events"].size() == 1);
  CHECK(told["events"][0]["runs"].at(0)["events"].empty());
}

TEST_CASE("session: one that is too long says that it is cut") {
  SessionWorld world;
  Session session = std::move(**find_session(*world.journal, world.begin("story").event_id));
  session.cut = true;
  CHECK(to_json(session)["cut"] == true);
}
