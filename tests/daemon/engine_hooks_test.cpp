// Hooks that are asked before an event goes on: what they hold back, in which order, and what becomes of it after a crash.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "tests/daemon/engine_world.h"

using namespace hark;
using namespace hark::test;

namespace {

struct Hooked : World {
  std::vector<std::string> notes;

  Hooked() {
    emitter.subscribe("notes", [this](const lifecycle::Any& event) {
      if (const auto* note = std::get_if<lifecycle::Note>(&event)) notes.push_back(note->message);
    });
  }

  Hook& hook(std::string name, std::string_view on, const char* where = "") {
    Hook made;
    made.name = std::move(name);
    made.on.insert(std::string(on));
    made.where = *Filter::parse(where);
    made.action = Hook::Command{{"decide"}, {}, {}};
    return settings.hooks.emplace_back(std::move(made));
  }
  void skip(std::string name, std::string_view on, const char* where) { hook(std::move(name), on, where).action = Hook::Skip{}; }

  Acceptance offer_data(const char* source, nlohmann::json data) {
    auto made = event(source);
    made.data = Payload(std::move(data));
    return offer(std::move(made));
  }
  void answer(std::size_t question, Result<HookAnswer> answer) {
    desk.asked.at(question).answered(std::move(answer));
    turn();
  }
  std::vector<std::string> told(std::uint64_t sequence) {
    std::vector<std::string> all;
    const auto decisions = journal->decisions(sequence);
    REQUIRE(decisions);
    for (const auto& each : *decisions) {
      if (each.stage == Stage::hook) all.push_back(std::string(to_string(each.verdict)) + " " + each.handler + ": " + each.reason);
    }
    return all;
  }
  std::vector<std::uint64_t> started() {  // events
    std::vector<std::uint64_t> all;
    for (const auto& assignment : runner.started) all.push_back(assignment.event->sequence);
    return all;
  }
  std::size_t kept() { return journal->held()->size(); }
};

const HookAnswer kGoOn{};
const HookAnswer kSkip{.skip = true, .reason = "a bot"};

constexpr auto kReceived = lifecycle::EventReceived::kName;
constexpr auto kQueued = lifecycle::EventQueued::kName;

}  // namespace

TEST_CASE("hooks: an event that a filter skips goes to no handler, and the decision names the hook") {
  Hooked world;
  world.source("s");
  world.skip("no-bots", kReceived, "payload.sender:Bot");
  world.open();
  const auto bot = world.offer_data("s", {{"sender", "Bot"}});
  const auto person = world.offer_data("s", {{"sender", "User"}});
  CHECK(world.started() == std::vector{person.sequence});
  CHECK(world.told(bot.sequence) == std::vector<std::string>{"dropped : hook 'no-bots' skips it: where: payload.sender:Bot"});
  CHECK(world.told(person.sequence).empty());
  CHECK(world.journal->unrouted_events()->empty());
  CHECK(world.desk.asked.empty());
}

TEST_CASE("hooks: a start that a filter skips leaves the other handlers of the event alone") {
  Hooked world;
  world.source("s");
  world.settings.sources[0].rule.handlers = {"h", "other"};
  world.skip("not-h", kQueued, "handler:h");
  world.open();
  const auto event = world.offer_data("s", {{"handler", "of the sender"}});
  REQUIRE(world.runner.started.size() == 1);
  CHECK(world.runner.started[0].handler->name == "other");
  CHECK(world.told(event.sequence) == std::vector<std::string>{"dropped h: hook 'not-h' skips it: where: handler:h"});
}

TEST_CASE("hooks: an event is accepted at once and held until its hook lets it go on") {
  Hooked world;
  world.source("s");
  world.hook("gate", kReceived);
  world.open();
  const auto event = world.offer(world.event("s"));
  CHECK(event.taken());
  CHECK(world.runner.started.empty());
  REQUIRE(world.desk.asked.size() == 1);
  CHECK(world.kept() == 1);
  CHECK(world.engine->held_by_hooks() == 1);
  world.answer(0, kGoOn);
  CHECK(world.started() == std::vector{event.sequence});
  CHECK(world.told(event.sequence) == std::vector<std::string>{"held : waits for the answer of hook 'gate'", "passed : hook 'gate' lets it go on"});
  CHECK(world.kept() == 0);
}

TEST_CASE("hooks: an answer may skip an event, with its reason") {
  Hooked world;
  world.source("s");
  world.hook("gate", kReceived);
  world.open();
  const auto event = world.offer(world.event("s"));
  world.answer(0, kSkip);
  CHECK(world.runner.started.empty());
  CHECK(world.told(event.sequence).back() == "dropped : hook 'gate' skips it: a bot");
  CHECK(world.kept() == 0);
  CHECK(world.heard.back() != "run:queued");
}

TEST_CASE("hooks: several are asked one after the other, and the first that skips is the last that is asked") {
  Hooked world;
  world.source("s");
  for (const auto* name : {"one", "two", "three"}) world.hook(name, kQueued);
  world.open();
  const auto event = world.offer(world.event("s"));
  REQUIRE(world.desk.asked.size() == 1);
  world.answer(0, kGoOn);
  REQUIRE(world.desk.asked.size() == 2);
  CHECK(world.desk.asked[1].hook->name == "two");
  world.answer(1, kSkip);
  CHECK(world.desk.asked.size() == 2);
  CHECK(world.runs().empty());
  CHECK(world.told(event.sequence).back() == "dropped h: hook 'two' skips it: a bot");
}

TEST_CASE("hooks: one that fails is passed over with a decision, and its failures are said once until it works again") {
  Hooked world;
  world.source("s");
  world.hook("broken", kReceived);
  world.open();
  std::vector<Acceptance> events;
  for (int i = 0; i < 3; ++i) {
    events.push_back(world.offer(world.event("s")));
    world.answer(std::size_t(i), Error{"exit status 1", ""});
  }
  CHECK(world.started().size() == 3);
  CHECK(world.told(events[1].sequence).back() == "passed : hook 'broken' is passed over: exit status 1");
  CHECK(world.notes == std::vector<std::string>{"hook 'broken' failed: exit status 1; this is said once, until it works again"});
  world.offer(world.event("s"));
  world.answer(3, kGoOn);
  CHECK(world.notes.back() == "hook 'broken' works again; it had failed 3 times");
}

TEST_CASE("hooks: events of one key go on in their order, whoever is answered first and whether a hook asks about them or not") {
  Hooked world;
  world.source("s");
  world.source("t");
  for (auto& source : world.settings.sources) source.rule.key = Template::parse("{payload.k}");
  world.hook("slow", kReceived, "payload.ask:true");
  world.open();
  const auto asked = nlohmann::json{{"k", "a"}, {"ask", true}};
  const auto plain = nlohmann::json{{"k", "a"}, {"ask", false}};
  const auto first = world.offer_data("s", asked);
  const auto second = world.offer_data("s", asked);
  const auto third = world.offer_data("t", plain);  // of another source, but of the same key
  const auto other = world.offer_data("s", {{"k", "b"}, {"ask", false}});
  CHECK(world.started() == std::vector{other.sequence});
  CHECK(world.told(third.sequence) == std::vector<std::string>{"held : waits behind one that a hook holds back"});
  world.answer(1, kGoOn);
  CHECK(world.started() == std::vector{other.sequence});
  world.answer(0, kGoOn);
  world.finish(1);
  world.finish(2);
  CHECK(world.started() == std::vector{other.sequence, first.sequence, second.sequence, third.sequence});
}

TEST_CASE("hooks: what one held is asked about again after a crash, in order, with its way; nothing runs twice") {
  Hooked world;
  world.source("s");
  world.hook("gate", kReceived);
  world.hook("door", kQueued);
  world.open();
  const auto first = world.offer(world.event("s"));
  const auto second = world.offer(world.event("s"));
  world.answer(0, kGoOn);  // it waits for the door now
  world.engine->offer_to({"other", true, {}}, world.event("s"), nullptr);
  world.turn();
  CHECK(world.kept() == 3);
  world.kill();
  world.open();
  world.turn();
  REQUIRE(world.desk.asked.size() == 3);
  const auto is_start = [&](std::size_t question) { return std::holds_alternative<lifecycle::EventQueued>(world.desk.asked[question].about); };
  CHECK_FALSE(is_start(0));  // the second event was held before the first one's start
  CHECK(is_start(1));
  CHECK_FALSE(is_start(2));
  for (std::size_t question = 0; question < 5; ++question) world.answer(question, kGoOn);
  CHECK(world.kept() == 0);
  CHECK(world.runs().size() == 3);
  CHECK(world.started().size() >= 2);
  std::vector<std::string> handlers;
  for (const auto& run : world.runs()) handlers.push_back(run.handler + std::to_string(run.event_sequence));
  std::sort(handlers.begin(), handlers.end());
  CHECK(handlers == std::vector<std::string>{"h" + std::to_string(first.sequence), "h" + std::to_string(second.sequence), "other" + std::to_string(second.sequence + 1)});
}

TEST_CASE("hooks: what a hook let go on into a debounce is not lost by a crash, and not asked about twice without one") {
  Hooked world;
  world.source("s", 10s);
  world.hook("gate", kReceived);
  world.open();
  const auto event = world.offer(world.event("s"));
  world.answer(0, kGoOn);
  CHECK(world.kept() == 0);
  CHECK(world.journal->unrouted_events()->size() == 1);
  world.kill();
  world.open();
  world.clock.advance(11s);
  world.turn();
  CHECK(world.started() == std::vector{event.sequence});
  CHECK(world.journal->unrouted_events()->empty());
}

TEST_CASE("hooks: what was held by a hook that a new configuration lacks goes on after the restart") {
  Hooked world;
  world.source("s");
  world.hook("gate", kReceived);
  world.open();
  const auto event = world.offer(world.event("s"));
  world.kill();
  world.settings.hooks.clear();
  world.open();
  world.turn();
  CHECK(world.started() == std::vector{event.sequence});
  CHECK(world.kept() == 0);
}

TEST_CASE("hooks: a flood is bounded: what waited longest goes on without an answer, and a late one changes nothing") {
  Hooked world;
  world.source("s");
  world.settings.max_concurrent_handlers = 1;
  world.hook("slow", kReceived);
  world.open();
  const auto flood = limits::kHookHeld + 20;
  std::vector<Acceptance> events;
  for (std::size_t i = 0; i < flood; ++i) {
    world.engine->offer(world.event("s"), [&](const Acceptance& acceptance) { events.push_back(acceptance); });
  }
  world.until([&] { return events.size() == flood; });
  CHECK(world.engine->held_by_hooks() == limits::kHookHeld);
  CHECK(world.kept() == limits::kHookHeld);
  CHECK(world.runs().size() == 20);
  CHECK(world.told(events[0].sequence).back().find("is passed over: more than 1000 events wait for hooks") != std::string::npos);
  CHECK(world.told(events[20].sequence).size() == 1);
  CHECK(world.notes.size() == 1);
  const auto runs = world.runs().size();
  world.answer(0, kSkip);
  CHECK(world.runs().size() == runs);
}

TEST_CASE("hooks: a reload changes who is asked about what comes, not about what is held") {
  Hooked world;
  world.source("s");
  world.hook("gate", kReceived);
  world.open();
  const auto held = world.offer(world.event("s"));
  world.settings.hooks.clear();
  world.engine->reconfigure(world.settings);
  const auto behind = world.offer(world.event("s"));
  CHECK(world.desk.asked.size() == 1);
  world.answer(0, kGoOn);
  CHECK(world.runs().size() == 2);
  CHECK(world.started().front() == held.sequence);
  CHECK(world.told(behind.sequence).size() == 1);
  world.offer(world.event("s"));
  CHECK(world.desk.asked.size() == 1);
}

TEST_CASE("hooks: whoever waits for the runs of an event waits for the hooks that hold it") {
  Hooked world;
  world.source("s");
  world.hook("gate", kReceived);
  world.open();
  const auto event = world.offer(world.event("s"));
  std::optional<std::size_t> ended;
  world.engine->when_ended(event.event_id, [&](const std::vector<Run>& runs) { ended = runs.size(); });
  world.turn();
  CHECK(!ended);
  world.answer(0, kGoOn);
  CHECK(!ended);
  world.finish(0);
  world.until([&] { return ended.has_value(); });
  CHECK(*ended == 1);
  const auto skipped = world.offer(world.event("s"));
  ended.reset();
  world.engine->when_ended(skipped.event_id, [&](const std::vector<Run>& runs) { ended = runs.size(); });
  world.answer(1, kSkip);
  world.until([&] { return ended.has_value(); });
  CHECK(*ended == 0);
}

TEST_CASE("hooks: what one publishes is an event of its own, caused by the run; not of itself, and not in circles") {
  Hooked world;
  world.source("s");
  world.source("alarms");
  world.open();
  Hook hook;
  hook.name = "alarm";
  hook.on = {std::string(lifecycle::RunFailed::kName)};
  hook.action = Hook::Publish{"alarm", "ops", "alarms"};
  world.emitter.subscribe("hook", [&](const lifecycle::Any& any) {
    if (hook.wants(any)) world.engine->publish(hook, any);
  });
  world.offer(world.event("s"));
  world.finish(0, RunState::failed);
  const auto failed = world.runner.started[0].run;
  world.until([&] { return world.runner.started.size() == 2; });
  const auto alarm = *world.runner.started[1].event;
  CHECK(alarm.type == "alarm");
  CHECK(alarm.topic == "ops");
  CHECK(alarm.causation_id == failed.id);
  CHECK(alarm.correlation_id == failed.correlation_id);
  CHECK(alarm.hops == 1);
  CHECK(alarm.data.json()["name"] == "run:failed");
  CHECK(alarm.data.json()["run"]["id"] == failed.id);
  world.finish(1, RunState::failed);  // of what it published itself it is not told
  world.turn();
  CHECK(world.runner.started.size() == 2);

  auto far = world.event("s");
  far.hops = limits::kHops;
  world.offer(std::move(far));
  world.finish(2, RunState::failed);
  world.turn();
  CHECK(world.runner.started.size() == 3);
  REQUIRE(world.notes.size() == 1);
  CHECK(world.notes[0].find("hook 'alarm' failed: a circle: ") == 0);
}
