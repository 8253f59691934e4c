#include <doctest/doctest.h>

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
}  // namespace

TEST_CASE("debounce: lets go after quiet, all that came in order") {
  Debounce debounce;
  CHECK(!debounce.next_due());
  CHECK(debounce.hold("a", event("1"), 1s, std::nullopt, t0) == 1);
  CHECK(debounce.next_due() == t0 + 1s);
  CHECK(debounce.due(t0 + 999ms).empty());
  CHECK(debounce.hold("a", event("2"), 1s, std::nullopt, t0 + 999ms) == 2);
  CHECK(debounce.due(t0 + 1s).empty());  // the second restarted the wait
  CHECK(debounce.next_due() == t0 + 1999ms);
  const auto batches = debounce.due(t0 + 1999ms);
  REQUIRE(batches.size() == 1);
  REQUIRE(batches[0].events.size() == 2);
  CHECK(batches[0].events[0]->id == "1");
  CHECK(batches[0].events[1]->id == "2");
  CHECK(debounce.held() == 0);
  CHECK(!debounce.next_due());
}

TEST_CASE("debounce: the deadline ends a wait that never gets quiet") {
  Debounce debounce;
  for (int i = 0; i < 10; ++i) debounce.hold("a", event("x"), 1s, 3s, t0 + i * 500ms);
  CHECK(debounce.next_due() == t0 + 3s);
  CHECK(debounce.due(t0 + 2999ms).empty());
  CHECK(debounce.due(t0 + 3s).size() == 1);
  debounce.hold("a", event("y"), 1s, 3s, t0 + 10s);  // the next one has a deadline of its own
  CHECK(debounce.next_due() == t0 + 11s);
}

TEST_CASE("debounce: keys wait apart, the longest-waiting goes first") {
  Debounce debounce;
  debounce.hold("b", event("1"), 1s, std::nullopt, t0);
  debounce.hold("a", event("2"), 1s, std::nullopt, t0 + 100ms);
  const auto batches = debounce.due(t0 + 5s);
  REQUIRE(batches.size() == 2);
  CHECK(batches[0].key == "b");
  CHECK(batches[1].key == "a");
}
