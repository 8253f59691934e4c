#include "daemon/bus.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/limits.h"
#include "tests/daemon/engine_world.h"

using namespace hark;
using namespace hark::test;

namespace {

// What a reader is told, in order; it takes as many as it may.
class FakeReader final : public BusReader {
 public:
  explicit FakeReader(std::size_t most = 1'000'000) : room(most) {}
  bool take(const EventPtr& event) override {
    types.push_back(event->type);
    return types.size() < room;
  }
  void looked_at(std::uint64_t at) override { position = at; }
  void missed(std::uint64_t after) override { missed_after = after; }
  void told(std::string_view name, const std::string& text) override { lifecycle.push_back(std::string(name) + " " + text); }
  void time_over() override { over = true; }
  void broken(const Error&) override { gone = true; }

  std::size_t room;
  std::vector<std::string> types, lifecycle;
  std::optional<std::uint64_t> position, missed_after;
  bool over = false, gone = false;
};

using Types = std::vector<std::string>;

// An engine with a bus behind it.
struct BusWorld : World {
  std::unique_ptr<Bus> bus;

  void open_bus() {
    bus.reset();
    engine.reset();
    journal.reset();
    auto opened = open_journal(settings.journal_file, JournalOptions());
    REQUIRE(opened);
    journal = std::move(*opened);
    bus = std::make_unique<Bus>(loop, clock, *journal);
    REQUIRE(bus->begin());
    engine = std::make_unique<Engine>(settings, EngineParts{loop, clock, *journal, files, background, emitter, {}, &desk, [this](const std::vector<EventPtr>& events) { bus->durable(events); }}, LastRun{}, ++lives);
    engine->set_runner(runner);
    REQUIRE(engine->recover([](const std::string&) { return std::size_t{0}; }));
  }

  Acceptance publish(std::string type, std::string topic = {}, std::optional<std::chrono::seconds> ttl = {}) {
    Event event;
    event.type = std::move(type);
    event.topic = std::move(topic);
    event.source = "publishers/test";
    event.ttl = ttl;
    const auto accepted = offer(std::move(event));
    REQUIRE(accepted.taken());
    until([&] { return bus->position() >= accepted.sequence; });
    return accepted;
  }

  std::shared_ptr<FakeReader> reader(std::vector<std::string> types, std::optional<std::uint64_t> after = {}, std::vector<std::string> topics = {}, std::size_t room = 1'000'000) {
    auto made = std::make_shared<FakeReader>(room);
    Bus::Wish wish;
    wish.pattern = EventPattern::parse(types, topics, "").value();
    wish.after = after;
    REQUIRE(bus->join(made, std::move(wish)));
    return made;
  }
};

}  // namespace

TEST_CASE("bus: a reader gets what comes from now on that it wants, in order, and where it is") {
  BusWorld world;
  world.open_bus();
  world.publish("before");
  const auto all = world.reader({"**"});
  const auto some = world.reader({"build_*"}, {}, {"deployment"});
  world.publish("build_done", "deployment");
  world.publish("build_done", "testing");
  world.publish("other", "deployment");
  CHECK(all->types == Types{"build_done", "build_done", "other"});
  CHECK(all->position == 4);
  CHECK(some->types == Types{"build_done"});
  CHECK(some->position == 2);
  world.bus->leave(*all);
  world.publish("later");
  CHECK(all->types.size() == 3);
}

TEST_CASE("bus: from a place in the past it gets each once, and goes over to what comes without a gap") {
  BusWorld world;
  world.open_bus();
  for (int i = 0; i < 450; ++i) world.publish("e" + std::to_string(i));
  const auto reader = world.reader({"**"}, 10);
  const auto odd = world.reader({"e*1"}, 0);
  world.publish("e450");
  world.until([&] { return reader->types.size() >= 441 && odd->types.size() >= 45; });
  world.publish("e451");
  REQUIRE(reader->types.size() == 442);
  for (int i = 0; i < 442; ++i) CHECK(reader->types[std::size_t(i)] == "e" + std::to_string(i + 10));
  CHECK(reader->position == 452);
  CHECK(odd->types.size() == 46);
  CHECK(odd->types.back() == "e451");
}

TEST_CASE("bus: one that takes no more is passed by, and gets the rest from the journal when it does") {
  BusWorld world;
  world.open_bus();
  const auto slow = world.reader({"**"}, {}, {}, 2);
  const auto fast = world.reader({"**"});
  for (const char* type : {"a", "b", "c", "d"}) world.publish(type);
  CHECK(fast->types == Types{"a", "b", "c", "d"});
  CHECK(slow->types == Types{"a", "b"});
  CHECK(slow->position == 2);
  slow->room = 1000;
  world.bus->resume(*slow);
  world.until([&] { return slow->types.size() >= 4; });
  world.publish("e");
  CHECK(slow->types == Types{"a", "b", "c", "d", "e"});
}

TEST_CASE("bus: what has expired is given to nobody") {
  BusWorld world;
  world.open_bus();
  world.publish("short", "", 5s);
  world.publish("long", "", 50s);
  world.publish("plain");
  world.clock.advance(5s);
  const auto reader = world.reader({"**"}, 0);
  world.until([&] { return reader->types.size() >= 2; });
  CHECK(reader->types == Types{"long", "plain"});
  CHECK(reader->position == 3);
}

TEST_CASE("bus: who asks for what retention has deleted is told, once, and gets what is left") {
  BusWorld world;
  world.settings.retention_events = 3;
  world.settings.topics = {{"kept", {}, 100}, {"brief", {}, 1}};
  world.open_bus();
  for (int i = 0; i < 4; ++i) world.publish("brief", "brief");   // 1-4
  for (int i = 0; i < 6; ++i) world.publish("plain");             // 5-10
  world.publish("old", "kept");                                  // 11
  for (int i = 0; i < 4; ++i) world.publish("plain");             // 12-15
  REQUIRE(world.engine->prune());
  const auto any = world.reader({"**"}, 0);
  const auto brief = world.reader({"**"}, 0, {"brief"});
  const auto kept = world.reader({"**"}, 10, {"kept"});
  const auto lately = world.reader({"**"}, 14);
  world.until([&] { return any->types.size() >= 5 && brief->types.size() >= 1 && kept->types.size() >= 1 && lately->types.size() >= 1; });
  CHECK(any->types == Types{"brief", "old", "plain", "plain", "plain"});
  CHECK(any->missed_after == 0);
  CHECK(brief->types == Types{"brief"});
  CHECK(brief->missed_after == 0);
  CHECK(kept->types == Types{"old"});
  CHECK(lately->types == Types{"plain"});
  CHECK_FALSE(lately->missed_after.has_value());
}

TEST_CASE("bus: what another process writes into the journal comes with the next that is published here") {
  BusWorld world;
  world.open_bus();
  const auto reader = world.reader({"**"});
  {
    auto other = open_journal(world.settings.journal_file);
    REQUIRE(other);
    Event event;
    event.id = "theirs";
    event.type = "theirs";
    event.source = "handlers/theirs";
    REQUIRE((*other)->begin());
    const auto sequence = (*other)->add_event(event);
    REQUIRE(sequence);
    REQUIRE((*other)->set_routed(*sequence));
    REQUIRE((*other)->commit());
  }
  world.publish("ours");
  world.until([&] { return reader->types.size() >= 2; });
  CHECK(reader->types == Types{"theirs", "ours"});
}

TEST_CASE("bus: a name under which nobody reads any more is forgotten, one that is used is not") {
  BusWorld world;
  world.open_bus();
  const auto keep = [&](const std::string& name) {
    REQUIRE(world.ask([&](Engine::Done done) { world.engine->keep_subscriber({name, 0, world.clock.now().wall}, std::move(done)); }));
  };
  keep("old");
  world.clock.advance(limits::kSubscriberForgotten);
  keep("new");
  world.clock.advance(1s);
  REQUIRE(world.engine->prune());
  const auto known = world.journal->subscribers();
  REQUIRE(known->size() == 1);
  CHECK(known->front().name == "new");
  REQUIRE(world.ask([&](Engine::Done done) { world.engine->forget_subscriber("new", std::move(done)); }));
  CHECK(world.journal->subscribers()->empty());
}

TEST_CASE("bus: a cursor of another journal is an error") {
  BusWorld world;
  world.open_bus();
  world.publish("a");
  Bus::Wish wish;
  wish.pattern = EventPattern::parse({"**"}, "", "").value();
  wish.after = 2;
  const auto joined = world.bus->join(std::make_shared<FakeReader>(), wish);
  REQUIRE_FALSE(joined);
  CHECK(joined.error().message == "there is no position 2 yet, the newest is 1: it is of another journal");
  world.reader({"**"}, 1);
  CHECK(world.bus->readers() == 1);
}

TEST_CASE("bus: when a reader's time is over it is told where it is, and lifecycle events go to who asked for them") {
  BusWorld world;
  world.open_bus();
  world.emitter.subscribe("bus", [&](const lifecycle::Any& event) { world.bus->tell(event); });
  auto timed = std::make_shared<FakeReader>();
  Bus::Wish wish;
  wish.pattern = EventPattern::parse({"never", "event:received"}, "", "").value();
  wish.until = world.clock.now().steady;
  wish.lifecycle = Filter();
  REQUIRE(world.bus->join(timed, wish));
  const auto plain = world.reader({"**"});
  world.publish("a");
  world.until([&] { return timed->over; });
  CHECK(timed->position.has_value());
  CHECK(timed->types.empty());
  REQUIRE(timed->lifecycle.size() == 1);
  CHECK(timed->lifecycle[0].starts_with("event:received {"));
  CHECK(plain->lifecycle.empty());
  world.bus->leave(*timed);
  world.publish("b");
  CHECK(timed->lifecycle.size() == 1);
}

TEST_CASE("bus: who comes late gets what is known already, who has left does not, whatever the kinds and numbers") {
  BusWorld world;
  world.open_bus();
  world.emitter.subscribe("bus", [&](const lifecycle::Any& event) { world.bus->tell(event); });
  const auto early = world.reader({"kind*"});
  world.publish("kind", "here");
  const auto late = world.reader({"**"}, {}, {"here"});
  const auto other = world.reader({"**"}, {}, {"there"});
  auto listening = std::make_shared<FakeReader>();
  Bus::Wish wish;
  wish.pattern = EventPattern::parse({"event:received"}, "", "").value();
  wish.lifecycle = Filter();
  REQUIRE(world.bus->join(listening, wish));
  world.publish("kind", "here");
  CHECK(early->types.size() == 2);
  CHECK(late->types.size() == 1);
  CHECK(other->types.empty());
  CHECK(listening->lifecycle.size() == 1);

  for (int i = 0; i < 300; ++i) world.publish("kind" + std::to_string(i), "here");
  CHECK(late->types.size() == 301);
  for (int i = 0; i < 5000; ++i) world.bus->leave(*world.reader({"**"}));
  world.bus->leave(*early);
  world.bus->leave(*listening);
  world.publish("kind", "here");
  CHECK(early->types.size() == 302);
  CHECK(late->types.size() == 302);
  CHECK(listening->lifecycle.size() == 301);
}

TEST_CASE("bus: who has left is not told when its time is over") {
  BusWorld world;
  world.open_bus();
  world.publish("a");
  const auto timed = [&] {
    auto made = std::make_shared<FakeReader>();
    Bus::Wish wish;
    wish.pattern = EventPattern::parse({"a"}, "", "").value();
    wish.until = world.clock.now().steady;
    REQUIRE(world.bus->join(made, std::move(wish)));
    return made;
  };
  const auto gone = timed();
  world.bus->leave(*gone);
  const auto there = timed();
  world.until([&] { return there->over; });
  CHECK_FALSE(gone->over);
  CHECK_FALSE(gone->position.has_value());
}
