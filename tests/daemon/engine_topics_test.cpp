// Sources that take events from the bus.
#include <doctest/doctest.h>

#include "tests/daemon/engine_world.h"

using namespace hark;
using namespace hark::test;

namespace {

struct TopicWorld : World {
  Rule& topic(std::string name, std::string handler, std::vector<std::string> types = {"**"}, std::vector<std::string> topics = {}) {
    source(std::move(name));
    auto& made = settings.sources.back();
    made.type = "topic";
    made.rule.handlers = {std::move(handler)};
    made.rule.published = EventPattern::parse(types, topics, "").value();
    return made.rule;
  }
  Event published(std::string type, std::string topic = {}) {
    Event event;
    event.type = std::move(type);
    event.topic = std::move(topic);
    event.source = "publishers/test";
    return event;
  }
  std::vector<std::string> started() {
    std::vector<std::string> handlers;
    for (const auto& each : runner.started) handlers.push_back(each.run.handler + " by " + each.run.source);
    std::sort(handlers.begin(), handlers.end());
    return handlers;
  }
};

using Started = std::vector<std::string>;

}  // namespace

TEST_CASE("topics: every source that wants a published event takes it, none takes what is not published") {
  TopicWorld world;
  world.topic("builds", "h", {"build_*"});
  world.topic("deployment", "other", {"**"}, {"deployment"});
  world.source("web");
  world.open();
  world.offer(world.published("build_done", "deployment"));
  world.until([&] { return world.runner.started.size() == 2; });
  CHECK(world.started() == Started{"h by builds", "other by deployment"});
  CHECK(world.engine->taken_from_bus("builds") == 1);
  world.offer(world.published("test_done", "testing"));
  CHECK(world.reasons(2) == std::vector<std::string>{"published: no source takes it from the bus; who waits for it or reads along gets it"});
  auto of_a_source = world.event("web");
  of_a_source.type = "build_done";
  world.offer(of_a_source);
  CHECK(world.reasons(3).at(0) == "source 'web' names this handler");
  CHECK(world.reasons(3).size() == 1);
  world.offer(world.event("builds"));  // offered under its name, as a person does
  CHECK(world.reasons(4).at(0) == "source 'builds' names this handler");
}

TEST_CASE("topics: what one source gathers while another has begun is not begun again by a restart") {
  TopicWorld world;
  world.topic("at-once", "h");
  world.topic("quiet", "other").debounce = 10s;
  world.open();
  world.offer(world.published("a"));
  world.offer(world.published("b"));
  world.until([&] { return world.runner.started.size() == 2; });
  CHECK(world.journal->unrouted_events()->size() == 2);
  CHECK(world.journal->unrouted_events()->at(0).gathering == std::vector<std::string>{"quiet"});
  world.finish(0);
  world.finish(1);

  world.kill();
  world.open();
  CHECK(world.runner.started.empty());
  CHECK(world.engine->router().held() == 2);
  world.clock.advance(10s);
  world.until([&] { return world.runner.started.size() == 1; });
  CHECK(world.started() == Started{"other by quiet"});
  CHECK(world.runner.started[0].event->type == "b");
  CHECK(world.journal->unrouted_events()->empty());
  CHECK(world.runs().size() == 3);
}

TEST_CASE("topics: a batch of published events is one event of the source") {
  TopicWorld world;
  world.topic("batched", "h").batch = Rule::Batch{2, 1h};
  world.open();
  world.offer(world.published("a"));
  world.offer(world.published("b"));
  world.until([&] { return world.runner.started.size() == 1; });
  const auto& event = *world.runner.started[0].event;
  CHECK(event.source == "batched");
  CHECK(event.data.json()["events"].size() == 2);
  CHECK(event.data.json()["events"][1]["source"] == "publishers/test");
  CHECK(world.journal->unrouted_events()->empty());
}

TEST_CASE("topics: a source that is gone while it gathered lets go of what it had") {
  TopicWorld world;
  world.topic("quiet", "h").debounce = 1h;
  world.topic("also", "other").debounce = 1h;
  world.open();
  world.offer(world.published("a"));
  world.kill();
  world.settings.sources.erase(world.settings.sources.begin());
  world.open();
  const auto unrouted = world.journal->unrouted_events();
  REQUIRE(unrouted->size() == 1);
  CHECK(unrouted->at(0).gathering == std::vector<std::string>{"also"});
  CHECK(world.reasons(1).at(2) == "no source of the configuration is named 'quiet' any more");
}

TEST_CASE("topics: dedupe_key is each source's own") {
  TopicWorld world;
  world.topic("once", "h").dedupe_key = Template::parse("{payload.id}");
  world.topic("always", "other");
  world.open();
  auto event = world.published("a");
  event.data = Payload(nlohmann::json{{"id", 7}});
  const auto first = world.offer(event);
  const auto second = world.offer(event);
  CHECK(second.outcome == Acceptance::Outcome::accepted);
  CHECK(world.reasons(2).at(0) == "source 'once', key: it is the same event as " + first.event_id);
  REQUIRE(world.reasons(2).size() == 2);
  CHECK(world.reasons(2).at(1) == "source 'always' names this handler");
}

TEST_CASE("topics: what a run publishes reaches them, with its story") {
  TopicWorld world;
  world.topic("reviews", "other", {"review_requested"});
  world.source("web");
  world.open();
  const auto cause = world.offer(world.event("web"));
  world.until([&] { return world.runner.started.size() == 1; });
  auto result = StepResult{};
  auto published = world.published("review_requested");
  published.id = "01PUBLISHED";
  published.source = "handlers/h";
  published.correlation_id = cause.event_id;
  published.causation_id = world.runner.started[0].run.id;
  result.published = std::make_shared<const Event>(published);
  world.engine->reports().step_finished(world.runner.started[0].run, 0, result);
  world.until([&] { return world.runner.started.size() == 2; });
  CHECK(world.runner.started[1].run.handler == "other");
  CHECK(world.runner.started[1].run.correlation_id == cause.event_id);
}

TEST_CASE("topics: a run of an event that has expired while it waited does not begin") {
  TopicWorld world;
  world.settings.max_concurrent_handlers = 1;
  world.topic("all", "h");
  world.open();
  world.offer(world.published("first"));
  world.until([&] { return world.runner.started.size() == 1; });
  auto brief = world.published("brief");
  brief.ttl = 5s;
  const auto accepted = world.offer(brief);
  world.clock.advance(5s);
  world.finish(0);
  world.until([&] { return is_final(world.runs().front().state); });
  const auto run = world.runs().front();
  CHECK(run.event_id == accepted.event_id);
  CHECK(run.state == RunState::cancelled);
  CHECK(run.error == "its event has expired: it was good for 5s (ttl)");
  CHECK_FALSE(run.dead_since.has_value());
  CHECK(world.runner.started.size() == 1);
  // And it is not kept.
  REQUIRE(world.engine->prune());
  CHECK_FALSE(world.journal->event(accepted.event_id)->has_value());
}
