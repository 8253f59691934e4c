#include <doctest/doctest.h>

#include "core/limits.h"
#include "router/debounce.h"

using namespace hark;
using namespace std::chrono_literals;

namespace {
EventPtr event(const char* id) {
  Event made;
  made.id = id;
  return std::make_shared<const Event>(std::move(made));
}
const SteadyTime t0{1h};
Debounce::Key key(const char* name) { return {name, ""}; }
Debounce::Terms terms(Duration quiet, std::optional<Duration> most = std::nullopt, std::size_t count = 1000) { return {quiet, most, count}; }
}  // namespace

TEST_CASE("debounce: lets go after quiet, all that came in order") {
  Debounce debounce;
  CHECK(!debounce.next_due());
  CHECK(debounce.hold(key("a"), event("1"), terms(1s), t0).size() == 1);
  CHECK(debounce.next_due() == t0 + 1s);
  CHECK(debounce.due(t0 + 999ms).empty());
  CHECK(debounce.hold(key("a"), event("2"), terms(1s), t0 + 999ms).size() == 2);
  CHECK(debounce.due(t0 + 1s).empty());  // the second restarted the wait
  CHECK(debounce.next_due() == t0 + 1999ms);
  const auto batches = debounce.due(t0 + 1999ms);
  REQUIRE(batches.size() == 1);
  REQUIRE(batches[0].events.size() == 2);
  CHECK(batches[0].events[0].event->id == "1");
  CHECK(batches[0].events[1].event->id == "2");
  CHECK(debounce.held() == 0);
  CHECK(!debounce.next_due());
}

TEST_CASE("debounce: the deadline ends a wait that never gets quiet") {
  Debounce debounce;
  for (int i = 0; i < 10; ++i) debounce.hold(key("a"), event("x"), terms(1s, 3s), t0 + i * 500ms);
  CHECK(debounce.next_due() == t0 + 3s);
  CHECK(debounce.due(t0 + 2999ms).empty());
  CHECK(debounce.due(t0 + 3s).size() == 1);
  debounce.hold(key("a"), event("y"), terms(1s, 3s), t0 + 10s);  // the next one has a deadline of its own
  CHECK(debounce.next_due() == t0 + 11s);
}

TEST_CASE("debounce: keys wait apart, the longest-waiting goes first") {
  Debounce debounce;
  debounce.hold(key("b"), event("1"), terms(1s), t0);
  debounce.hold(key("a"), event("2"), terms(1s), t0 + 100ms);
  const auto batches = debounce.due(t0 + 5s);
  REQUIRE(batches.size() == 2);
  CHECK(batches[0].key == key("b"));
  CHECK(batches[1].key == key("a"));
}

TEST_CASE("debounce: at its count a key goes at once, others wait on") {
  Debounce debounce;
  debounce.hold(key("a"), event("1"), terms(1s, 1s, 2), t0);
  debounce.hold(key("b"), event("2"), terms(1s, 1s, 2), t0);
  CHECK(debounce.due(t0).empty());
  debounce.hold(key("a"), event("3"), terms(1s, 1s, 2), t0 + 100ms);
  const auto batches = debounce.due(t0 + 100ms);
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].events.size() == 2);
  CHECK(batches[0].events[1].came == t0 + 100ms);
  CHECK(debounce.next_due() == t0 + 1s);
}

TEST_CASE("debounce: more than may be held in all lets the next ones go early") {
  Debounce debounce;
  for (std::size_t i = 0; i <= limits::kDebounceHeld; ++i) debounce.hold({"a", std::to_string(i)}, event("x"), terms(1h), t0 + std::chrono::microseconds(i));
  const auto batches = debounce.due(t0 + 1s);
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].key.second == "0");
  CHECK(debounce.held() == limits::kDebounceHeld);
}

TEST_CASE("debounce: a batch holds no more than its count, however many come before it is taken") {
  Debounce debounce;
  for (int i = 0; i < 8; ++i) debounce.hold(key("a"), event("x"), terms(1s, 1s, 3), t0);
  CHECK(debounce.held() == 8);
  CHECK(debounce.next_due() <= t0);
  const auto full = debounce.due(t0);
  REQUIRE(full.size() == 2);
  for (const auto& batch : full) CHECK(batch.events.size() == 3);
  CHECK(debounce.held() == 2);
  CHECK(debounce.next_due() == t0 + 1s);
  CHECK(debounce.due(t0 + 1s).at(0).events.size() == 2);
}

TEST_CASE("debounce: what is let go is due, of that source alone") {
  Debounce debounce;
  debounce.hold({"a", "1"}, event("1"), terms(1s), t0);
  debounce.hold({"a", "2"}, event("2"), terms(1s), t0);
  debounce.hold({"ab", "1"}, event("3"), terms(1s), t0);
  debounce.let_go("a");
  CHECK(debounce.holds("a"));
  CHECK(debounce.due(t0).size() == 2);
  CHECK_FALSE(debounce.holds("a"));
  CHECK(debounce.held() == 1);
  CHECK(debounce.due(t0 + 1s).size() == 1);
}
