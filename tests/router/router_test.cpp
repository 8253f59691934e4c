#include <doctest/doctest.h>

#include <random>
#include <set>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "router/router.h"
#include "tests/support/rounds.h"

using namespace hark;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const Now t0{WallTime{1'790'000'000s}, SteadyTime{1h}};
Now after(Duration by) { return {t0.wall + std::chrono::duration_cast<std::chrono::microseconds>(by), t0.steady + by}; }

EventPtr event(std::uint64_t sequence, std::string source, json data = {}, std::string type = "webhook") {
  Event made;
  made.id = "event-" + std::to_string(sequence);
  made.sequence = sequence;
  made.source = std::move(source);
  made.type = std::move(type);
  made.data = Payload(data);
  return std::make_shared<const Event>(std::move(made));
}

Rule rule(std::string source, std::vector<std::string> handlers, std::string where = {}, Duration debounce = {}) {
  Rule made;
  made.source = std::move(source);
  made.handlers = std::move(handlers);
  made.where = *Filter::parse(where);
  made.debounce = debounce;
  return made;
}

}  // namespace

TEST_CASE("router: an event starts every handler its source names, and says why") {
  Router router({rule("hook", {"a", "b"})});
  const auto routed = router.route(event(7, "hook"), {}, t0);
  REQUIRE(routed.starts.size() == 2);
  CHECK(routed.starts[1].handler == "b");
  REQUIRE(routed.decisions.size() == 2);
  CHECK(routed.decisions[0].event_sequence == 7);
  CHECK(routed.decisions[0].stage == Stage::match);
  CHECK(routed.decisions[0].handler == "a");
  CHECK(routed.gathering.empty());
}

TEST_CASE("router: what nobody wants is a decision, not silence") {
  Router router({rule("hook", {})});
  CHECK(router.route(event(1, "elsewhere"), {}, t0).decisions.at(0).reason == "no source of the configuration is named 'elsewhere'");
  CHECK(router.route(event(1, "hook"), {}, t0).decisions.at(0).verdict == Verdict::dropped);
}

TEST_CASE("router: a person's trigger goes to the handler it names, past rules and debounce") {
  Router router({rule("manual", {"a"}, "payload.x:1", 1s)});
  const auto routed = router.route(event(1, "manual"), {"b", true}, t0);
  REQUIRE(routed.starts.size() == 1);
  CHECK(routed.starts[0].handler == "b");
}

TEST_CASE("router: a filter that does not match drops the event with the deciding value") {
  Router router({rule("hook", {"a"}, "payload.action:opened")});
  const auto dropped = router.route(event(1, "hook", {{"action", "closed"}}), {}, t0);
  CHECK(dropped.starts.empty());
  REQUIRE(dropped.decisions.size() == 1);
  CHECK(dropped.decisions[0].stage == Stage::filter);
  CHECK(dropped.decisions[0].verdict == Verdict::dropped);
  CHECK(dropped.decisions[0].reason.find("closed") != std::string::npos);
  CHECK(router.route(event(2, "hook", {{"action", "opened"}}), {}, t0).starts.size() == 1);
}

TEST_CASE("router: what is held of a source that has gone is let go as it was meant to be") {
  Router router({rule("hook", {"a"}, "", 1s), rule("other", {"b"}, "", 1s)});
  REQUIRE(!router.route(event(1, "hook"), {}, t0).gathering.empty());
  router.set_rules({rule("new", {"a"})});
  router.set_rules({rule("new", {"a"})});
  const auto fired = router.fire(after(1s).steady);
  REQUIRE(fired.size() == 1);
  const auto routed = router.release(fired[0], fired[0].batch.events.back().event, after(1s));
  REQUIRE(routed.starts.size() == 1);
  CHECK(routed.starts[0].handler == "a");
  (void)router.fire(after(2s).steady);
  CHECK(router.route(event(2, "hook"), {}, after(2s)).starts.empty());  // a new one is nobody's
}

TEST_CASE("router: of debounced events the last one runs, and the others say so") {
  Router router({rule("hook", {"a"}, "", 1s)});
  CHECK(!router.route(event(1, "hook"), {}, t0).gathering.empty());
  CHECK(!router.route(event(2, "hook"), {}, after(500ms)).gathering.empty());
  CHECK(router.fire(after(1400ms).steady).empty());
  const auto fired = router.fire(after(1500ms).steady);
  REQUIRE(fired.size() == 1);
  CHECK(!fired[0].merged);
  const auto routed = router.release(fired[0], fired[0].batch.events.back().event, after(1500ms));
  REQUIRE(routed.starts.size() == 1);
  CHECK(routed.starts[0].event->sequence == 2);
  CHECK(routed.decisions.at(0).event_sequence == 1);
  CHECK(routed.decisions.at(0).verdict == Verdict::dropped);
  CHECK(routed.decisions.at(0).reason == "debounced: event event-2 came 500ms after it, the window is 1s");
  CHECK(routed.decisions.at(1).verdict == Verdict::passed);
}

TEST_CASE("router: two files whose names are no UTF-8 and read the same stay two") {
  Router router({rule("code", {"a"}, "", 1s)});
  const auto data = [](const char* bytes) {
    const json change = {{"path", "\xef\xbf\xbd"}, {"path_base64", bytes}, {"kind", "create"}};
    return json{{"root", "/src"}, {"root_base64", "L3NyYw=="}, {"files", json::array()}, {"changes", json::array({change})}};
  };
  router.route(event(1, "code", data("/w=="), "file_change"), {}, t0);
  router.route(event(2, "code", data("/g=="), "file_change"), {}, t0);
  const auto fired = router.fire(after(1s).steady);
  REQUIRE(fired.size() == 1);
  REQUIRE(fired[0].merged);
  const auto& merged = fired[0].merged->data.json();
  REQUIRE(merged["changes"].size() == 2);
  CHECK(merged["changes"][0]["path_base64"] == "/g==");
  CHECK(merged["changes"][1]["path_base64"] == "/w==");
  CHECK(merged["root_base64"] == "L3NyYw==");
}

TEST_CASE("router: changes of files become one event with each file once") {
  Router router({rule("code", {"a"}, "", 1s)});
  const auto change = [](const char* path, const char* kind) { return json{{"path", path}, {"kind", kind}}; };
  const auto data = [&](json changes) { return json{{"root", "/src"}, {"files", json::array()}, {"changes", std::move(changes)}}; };
  router.route(event(1, "code", data({change("x", "create"), change("gone", "create"), change("y", "modify")}), "file_change"), {}, t0);
  router.route(event(2, "code", data({change("x", "modify"), change("gone", "delete"), change("z", "delete")}), "file_change"), {}, t0);
  router.route(event(3, "code", data({change("z", "create")}), "file_change"), {}, t0);
  auto fired = router.fire(after(1s).steady);
  REQUIRE(fired.size() == 1);
  REQUIRE(fired[0].merged);
  const auto& merged = fired[0].merged->data.json();
  CHECK(merged["changes"] == json::array({change("x", "create"), change("y", "modify"), change("z", "modify")}));
  CHECK(merged["files"] == json::array({"/src/x", "/src/y", "/src/z"}));
  CHECK(fired[0].merged->subject == "/src");

  Event made = *fired[0].merged;
  made.id = "merged";
  made.sequence = 4;
  const auto chosen = std::make_shared<const Event>(std::move(made));
  const auto routed = router.release(fired[0], chosen, after(1s));
  CHECK(routed.starts.at(0).event->id == "merged");
  CHECK(routed.decisions.at(0).reason == "merged with 2 others into event merged");
  CHECK(routed.decisions.size() == 5);
}

TEST_CASE("router: a debounce that holds as much as it may fires without waiting") {
  Router router({rule("hook", {"a"}, "", 1h)});
  for (std::uint64_t i = 1; i < limits::kDebounceEvents; ++i) router.route(event(i, "hook"), {}, t0);
  CHECK(router.fire(t0.steady).empty());
  router.route(event(limits::kDebounceEvents, "hook"), {}, t0);
  CHECK(router.fire(t0.steady).size() == 1);
  CHECK(router.held() == 0);
}

namespace {

// Files by name, and what a watcher tells of what is done to them.
struct Files {
  std::set<std::string> there;
  std::mt19937 random;
  int next = 0;

  // One thing done, as a watcher's event tells it: a rename onto a file that was there is a change of that one.
  json step() {
    const std::vector<std::string> names = {"a", "b", "c", "d"};
    const auto any = [&] { return names[random() % names.size()]; };
    for (;;) {
      const auto name = any();
      const auto other = any();
      switch (random() % 4) {
        case 0:
          if (there.insert(name).second) return json::array({{{"path", name}, {"kind", "create"}}});
          break;
        case 1:
          if (there.contains(name)) return json::array({{{"path", name}, {"kind", "modify"}}});
          break;
        case 2:
          if (there.erase(name) > 0) return json::array({{{"path", name}, {"kind", "delete"}}});
          break;
        default:
          if (name == other || !there.contains(name)) break;
          there.erase(name);
          if (there.insert(other).second) return json::array({{{"path", other}, {"from", name}, {"kind", "rename"}}});
          return json::array({{{"path", other}, {"kind", "modify"}}, {{"path", name}, {"kind", "delete"}}});
      }
    }
  }
};

}  // namespace

TEST_CASE("router: after any changes of files, what their merge says is there is there, and what went is told") {
  const auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  for (int round = 0; round < test::rounds(2000); ++round) {
    Files files{{}, std::mt19937(seed + static_cast<unsigned>(round))};
    for (const char* name : {"a", "b", "c", "d"}) {
      if (files.random() % 2) files.there.insert(name);
    }
    const auto before = files.there;
    Router router({rule("code", {"a"}, "", 1s)});
    json told = json::array();
    const auto count = 2 + files.random() % 6;
    for (std::uint64_t i = 0; i < count; ++i) {
      told.push_back(files.step());
      router.route(event(i + 1, "code", {{"root", "/src"}, {"files", json::array()}, {"changes", told.back()}}, "file_change"), {}, t0);
    }
    const auto fired = router.fire(after(1s).steady);
    REQUIRE(fired.at(0).merged);
    const auto changes = fired[0].merged->data.json()["changes"];
    CAPTURE(told.dump());
    CAPTURE(changes.dump());
    std::set<std::string> gone;
    std::set<std::string> present;
    for (const auto& change : changes) {
      const auto path = change["path"].get<std::string>();
      CHECK(gone.count(path) + present.count(path) == 0);  // each once
      (change["kind"] == "delete" ? gone : present).insert(path);
    }
    for (const auto& change : changes) {
      if (change.contains("from") && !present.contains(change["from"])) gone.insert(change["from"].get<std::string>());
    }
    for (const auto& path : gone) CHECK_FALSE(files.there.contains(path));
    for (const auto& path : present) CHECK(files.there.contains(path));
    for (const auto& path : before) {
      if (!files.there.contains(path)) CHECK(gone.contains(path));
    }
    for (const auto& path : files.there) {
      if (!before.contains(path)) CHECK(present.contains(path));
    }
    for (const auto& path : gone) CHECK(before.contains(path));  // what came and went was never there
  }
}
