#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "core/limits.h"
#include "queue/run_queue.h"
#include "tests/support/rounds.h"

using namespace hark;
using namespace std::chrono_literals;

namespace {

const Now kNow{WallTime{1h}, SteadyTime{1h}};
Now later(Duration by) { return {kNow.wall + std::chrono::duration_cast<std::chrono::microseconds>(by), kNow.steady + by}; }

RunQueue::Waiting waiting(std::uint64_t sequence, std::string handler, int priority = 0, std::optional<std::string> key = {}) {
  RunQueue::Waiting made;
  made.run.id = "run-" + std::to_string(sequence);
  made.run.sequence = sequence;
  made.run.handler = std::move(handler);
  made.run.priority = priority;
  made.run.key = std::move(key);
  made.event = std::make_shared<const Event>();
  return made;
}

RunQueue::Waiting from(std::string source, RunQueue::Waiting made) {
  made.run.source = std::move(source);
  return made;
}

// What is taken, until nothing more may run; the slots are kept.
std::vector<RunQueue::Ready> take_all(RunQueue& queue, Now now = kNow) {
  std::vector<RunQueue::Ready> taken;
  while (auto ready = queue.take(now.steady)) taken.push_back(std::move(*ready));
  return taken;
}
std::vector<std::uint64_t> numbers(const std::vector<RunQueue::Ready>& taken) {
  std::vector<std::uint64_t> all;
  for (const auto& ready : taken) all.push_back(ready.sequence);
  return all;
}
using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("queue: highest priority first, then in the order of arrival") {
  RunQueue queue(10, 100);
  queue.push(waiting(1, "a"), kNow);
  queue.push(waiting(2, "a", 5), kNow);
  queue.push(waiting(3, "a", 5), kNow);
  queue.push(waiting(4, "a"), kNow);
  CHECK(numbers(take_all(queue)) == Numbers{2, 3, 1, 4});
}

TEST_CASE("queue: sources and handlers take turns, so that a flood of one does not hold up the others") {
  RunQueue queue(1000, 1000);
  for (std::uint64_t i = 1; i <= 100; ++i) queue.push(from("flood", waiting(i, "a")), kNow);
  queue.push(from("calm", waiting(101, "a")), kNow);
  queue.push(waiting(102, "b"), kNow);
  const auto taken = numbers(take_all(queue));
  CHECK(std::find(taken.begin(), taken.end(), 101) - taken.begin() < 3);
  CHECK(std::find(taken.begin(), taken.end(), 102) - taken.begin() < 3);
}

TEST_CASE("queue: what is more urgent does not starve the rest") {
  RunQueue queue(1000, 1000);
  queue.push(waiting(1, "a"), kNow);
  queue.push(waiting(2, "b", -3), kNow);
  for (std::uint64_t i = 3; i <= 100; ++i) queue.push(waiting(i, "a", 9), kNow);
  const auto taken = numbers(take_all(queue));
  CHECK(std::find(taken.begin(), taken.end(), 1) - taken.begin() == limits::kFairTurn - 1);
  CHECK(std::find(taken.begin(), taken.end(), 2) - taken.begin() == 2 * limits::kFairTurn - 1);
}

TEST_CASE("queue: the daemon's cap bounds all, and a slot that is gone frees it") {
  RunQueue queue(2, 100);
  for (std::uint64_t i = 1; i <= 3; ++i) queue.push(waiting(i, "a"), kNow);
  auto taken = take_all(queue);
  REQUIRE(taken.size() == 2);
  CHECK(queue.slots().running() == 2);
  taken.pop_back();
  CHECK(queue.slots().running() == 1);
  CHECK(queue.take(kNow.steady));
}

TEST_CASE("queue: a handler at its cap does not hold up another") {
  RunQueue queue(10, 100);
  queue.slots().set_handler_caps({{"a", 1}});
  queue.push(waiting(1, "a"), kNow);
  queue.push(waiting(2, "a"), kNow);
  queue.push(waiting(3, "b"), kNow);
  const auto taken = take_all(queue);
  CHECK(numbers(taken) == Numbers{1, 3});
  CHECK(queue.size("a") == 1);
}

TEST_CASE("queue: a paused handler waits, and goes on where it was") {
  RunQueue queue(10, 100);
  queue.push(waiting(1, "a"), kNow);
  queue.push(waiting(2, "b"), kNow);
  queue.pause("a");
  CHECK(numbers(take_all(queue)) == Numbers{2});
  queue.pause("");
  queue.resume("a");
  CHECK(!queue.take(kNow.steady));
  queue.resume("");
  CHECK(numbers(take_all(queue)) == Numbers{1});
}

TEST_CASE("queue: a handler that fails is held back, then tried with one") {
  RunQueue queue(10, 100);
  for (std::uint64_t i = 1; i <= 3; ++i) queue.push(waiting(i, "a"), kNow);
  queue.set_flow("a", RunQueue::Flow::none);
  CHECK(!queue.take(kNow.steady));
  queue.set_flow("a", RunQueue::Flow::one);
  auto probe = queue.take(kNow.steady);
  REQUIRE(probe);
  CHECK(!queue.take(kNow.steady));
  queue.set_flow("a", RunQueue::Flow::open);
  CHECK(take_all(queue).size() == 2);
}

TEST_CASE("queue: beyond the limit only the number is known, in the same order") {
  RunQueue queue(10, 2);
  for (std::uint64_t i = 1; i <= 3; ++i) queue.push(waiting(i, "a"), kNow);
  queue.push(WaitingRun{4, 0, "a", "", {}, 0, {}}, kNow);
  CHECK(queue.in_memory() == 2);
  CHECK(queue.size() == 4);
  const auto taken = take_all(queue);
  CHECK(numbers(taken) == Numbers{1, 2, 3, 4});
  CHECK(taken[1].known->event);
  CHECK(!taken[2].known);
  CHECK(!taken[3].known);
  CHECK(queue.in_memory() == 0);
}

TEST_CASE("queue: large events are bounded by their bytes") {
  RunQueue queue(10, 1000);
  Event large;
  large.data = *Payload::parse('"' + std::string(limits::kQueueBytes / 4, 'x') + '"');
  const auto event = std::make_shared<const Event>(std::move(large));
  for (std::uint64_t i = 1; i <= 10; ++i) {
    auto one = waiting(i, "a");
    one.event = event;
    queue.push(std::move(one), kNow);
  }
  CHECK(queue.in_memory() == 3);
  CHECK(take_all(queue).size() == 10);
}

TEST_CASE("queue: a million waiting runs take little memory and little time") {
  RunQueue queue(1, 0);
  for (std::uint64_t i = 1; i <= 1'000'000; ++i) queue.push(WaitingRun{i, 0, "a", "s", {}, 0, {}}, kNow);
  for (std::uint64_t i = 1; i <= 100'000; ++i) REQUIRE(queue.take(kNow.steady)->sequence == i);
  CHECK(queue.size() == 900'000);
}

TEST_CASE("queue: runs of one key go one after the other, in their order") {
  RunQueue queue(10, 100);
  queue.push(waiting(1, "a", 0, "x"), kNow);
  queue.push(waiting(2, "a", 9, "x"), kNow);  // its priority is no reason to overtake
  queue.push(waiting(3, "a", 0, "y"), kNow);
  queue.push(waiting(4, "b", 0, "x"), kNow);  // another handler's key
  CHECK(numbers(take_all(queue)) == Numbers{1, 4, 3});
  queue.done("a", "y");
  CHECK(!queue.take(kNow.steady));
  queue.done("a", "x");
  CHECK(numbers(take_all(queue)) == Numbers{2});
}

TEST_CASE("queue: a handler's cap is one of each key, and not one over all keys") {
  RunQueue queue(10, 100);
  queue.slots().set_handler_caps({{"a", 2}});
  for (std::uint64_t i = 1; i <= 6; ++i) queue.push(waiting(i, "a", 0, i % 2 == 0 ? "x" : "y"), kNow);
  const auto taken = take_all(queue);
  CHECK(numbers(taken) == Numbers{1, 2, 3, 4});
}

TEST_CASE("queue: a run that is tried again keeps its key until it is done") {
  RunQueue queue(10, 100);
  queue.push(waiting(1, "a", 0, "x"), kNow);
  queue.push(waiting(2, "a", 0, "x"), kNow);
  auto first = queue.take(kNow.steady);
  auto again = std::move(*first->known);
  first.reset();
  again.run.not_before = kNow.wall + 5s;
  queue.push_again(std::move(again), kNow);
  CHECK(queue.next_due() == kNow.steady + 5s);
  CHECK(!queue.take(kNow.steady));
  CHECK(!queue.take(later(4999ms).steady));
  CHECK(numbers(take_all(queue, later(5s))) == Numbers{1});
  queue.done("a", "x");
  CHECK(numbers(take_all(queue, later(5s))) == Numbers{2});
}

TEST_CASE("queue: what waits for a time does not hold up what has no key") {
  RunQueue queue(10, 100);
  auto late = waiting(1, "a");
  late.run.not_before = kNow.wall + 1s;
  queue.push(std::move(late), kNow);
  queue.push(waiting(2, "a"), kNow);
  CHECK(numbers(take_all(queue)) == Numbers{2});
  CHECK(numbers(take_all(queue, later(1s))) == Numbers{1});
}

TEST_CASE("queue: a waiting run can be taken out wherever it waits") {
  RunQueue queue(1, 10);
  queue.push(waiting(1, "a", 0, "x"), kNow);
  queue.push(waiting(2, "a", 0, "x"), kNow);
  queue.push(waiting(3, "a", 0, "x"), kNow);
  auto late = waiting(4, "a");
  late.run.not_before = kNow.wall + 1s;
  queue.push(late, kNow);
  CHECK(!queue.remove(waiting(5, "a").run));
  CHECK(queue.remove(waiting(2, "a", 0, "x").run));  // behind another one
  CHECK(queue.remove(waiting(1, "a", 0, "x").run));  // next
  CHECK(queue.remove(late.run));
  CHECK(!queue.next_due());
  CHECK(queue.size() == 1);
  CHECK(numbers(take_all(queue)) == Numbers{3});
}

TEST_CASE("queue: tells who is busy, and who waits") {
  RunQueue queue(10, 100);
  queue.slots().set_handler_caps({{"a", 1}});
  CHECK(!queue.busy("a", std::nullopt));
  queue.push(waiting(1, "a"), kNow);
  CHECK(queue.busy("a", std::nullopt));
  CHECK(queue.waiting("a", std::nullopt) == Numbers{1});
  CHECK(!queue.busy("b", std::nullopt));
  queue.push(waiting(2, "a", 0, "x"), kNow);
  queue.push(waiting(3, "a", 0, "x"), kNow);
  CHECK(queue.busy("a", "x"));
  CHECK(!queue.busy("a", "y"));
  CHECK(queue.waiting("a", "x") == Numbers{2, 3});
}

// Against a plain model: order per key, caps, nobody lost, nobody twice.
TEST_CASE("queue: keeps its promises over random histories") {
  for (unsigned seed = 1; seed <= test::rounds(200u); ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto draw = [&](int most) { return int(random() % unsigned(most)); };
    RunQueue queue(1 + draw(4), std::size_t(draw(20)));
    const int cap = draw(3);
    queue.slots().set_handler_caps({{"a", cap}});
    struct Running {
      RunQueue::Waiting run;
      Slot slot;
    };
    std::vector<Running> running;
    std::map<std::uint64_t, RunQueue::Waiting> all;
    std::map<std::string, std::uint64_t> last_of_key;
    std::set<std::uint64_t> ended;
    std::uint64_t next = 1;
    Now now = kNow;
    for (int step = 0; step < 300 || ended.size() < all.size(); ++step) {
      REQUIRE(step < 20'000);
      const bool filling = step < 300;
      const int what = draw(10);
      if (filling && what < 4) {
        auto one = waiting(next, "a", draw(3), draw(2) == 0 ? std::nullopt : std::optional(std::string(1, char('x' + draw(3)))));
        one.run.source = std::string(1, char('s' + draw(3)));
        all.emplace(next++, one);
        queue.push(std::move(one), now);
      } else if (what < 8 && !running.empty()) {
        const auto chosen = draw(int(running.size()));
        auto one = std::move(running[std::size_t(chosen)]);
        running.erase(running.begin() + chosen);
        if (filling && draw(3) == 0) {
          one.run.run.not_before = now.wall + std::chrono::milliseconds(draw(500));
          queue.push_again(std::move(one.run), now);
        } else {
          queue.done("a", one.run.run.key);
          CHECK(ended.insert(one.run.run.sequence).second);
        }
      } else if (what == 8 && filling && next > 1) {
        const auto& one = all.at(1 + std::uint64_t(draw(int(next - 1))));
        if (queue.remove(one.run)) CHECK(ended.insert(one.run.sequence).second);
      }
      now = {now.wall + 50ms, now.steady + 50ms};
      while (auto ready = queue.take(now.steady)) {
        const auto& one = all.at(ready->sequence);
        CHECK(!ended.contains(ready->sequence));
        if (one.run.key && cap < 2) {
          CHECK(last_of_key[*one.run.key] <= ready->sequence);
          last_of_key[*one.run.key] = ready->sequence;
        }
        running.push_back({one, std::move(ready->slot)});
      }
      std::map<std::string, int> by_key;
      int unkeyed = 0;
      for (const auto& each : running) each.run.run.key ? void(++by_key[*each.run.run.key]) : void(++unkeyed);
      if (cap > 0) CHECK(unkeyed <= cap);
      for (const auto& [key, count] : by_key) CHECK(count <= std::max(1, cap));
    }
    CHECK(queue.size() == 0);
    CHECK(queue.slots().running() == 0);
  }
}

TEST_CASE("slot: moved over another gives the other back") {
  Slots slots(5);
  auto a = slots.take("a", false);
  auto b = slots.take("b", true);
  CHECK(slots.running("b") == 1);
  b = std::move(a);
  CHECK(slots.running("b") == 0);
  CHECK(slots.running("a") == 1);
  b = Slot();
  CHECK(slots.running() == 0);
}

TEST_CASE("queue: as many of a key go as its handler may run at once, from when that is changed") {
  RunQueue queue(10, 10);
  queue.slots().set_handler_caps({{"h", 1}});
  for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) queue.push(waiting(sequence, "h", 0, "k"), kNow);
  auto running = take_all(queue);
  CHECK(running.size() == 1);
  queue.slots().set_handler_caps({{"h", 3}});
  queue.caps_changed();
  for (auto& each : take_all(queue)) running.push_back(std::move(each));
  REQUIRE(running.size() == 3);
  CHECK(running[2].sequence == 3);
  queue.slots().set_handler_caps({{"h", 1}});
  queue.caps_changed();
  queue.done("h", "k");
  queue.done("h", "k");
  CHECK(take_all(queue).empty());  // one is under way still
  queue.done("h", "k");
  CHECK(take_all(queue).size() == 1);
}

TEST_CASE("queue: a throttle bounds starts, also of what something else held up past its time") {
  RunQueue queue(100, 100);
  queue.set_throttles({{"s", {2, 1min}}});
  queue.pause("a");
  for (std::uint64_t i = 1; i <= 5; ++i) queue.push(from("s", waiting(i, "a")), kNow);
  CHECK(take_all(queue, later(10min)).empty());
  CHECK_FALSE(queue.next_due());
  queue.resume("a");
  CHECK(numbers(take_all(queue, later(10min))) == Numbers{1, 2});
  CHECK(queue.next_due() == later(11min).steady);
  CHECK(take_all(queue, later(11min - 1ms)).empty());
  CHECK(numbers(take_all(queue, later(11min))) == Numbers{3, 4});
  CHECK(numbers(take_all(queue, later(20min))) == Numbers{5});
  CHECK_FALSE(queue.next_due());
}

TEST_CASE("queue: a throttle is of one source and handler: the others pass") {
  RunQueue queue(100, 100);
  queue.set_throttles({{"s", {1, 1min}}});
  queue.push(from("s", waiting(1, "a")), kNow);
  queue.push(from("s", waiting(2, "b")), kNow);
  queue.push(from("s", waiting(3, "a")), kNow);
  queue.push(from("other", waiting(4, "a")), kNow);
  auto direct = from("s", waiting(5, "a"));
  direct.run.direct = true;
  queue.push(std::move(direct), kNow);
  auto again = from("s", waiting(6, "a"));
  again.run.attempt = 2;
  queue.push(std::move(again), kNow);
  auto taken = numbers(take_all(queue));
  std::sort(taken.begin(), taken.end());
  CHECK(taken == Numbers{1, 2, 4, 5, 6});
  CHECK(queue.size("a") == 1);
  CHECK(numbers(take_all(queue, later(1min))) == Numbers{3});
}

TEST_CASE("queue: of each key by itself; one that has to wait lets those of other keys pass, and keeps its order") {
  RunQueue queue(100, 100);
  queue.set_throttles({{"s", {1, 1min}}});
  std::uint64_t next = 1;
  for (const char* key : {"x", "x", "x", "y", "x"}) queue.push(from("s", waiting(next++, "a", 0, key)), kNow);
  CHECK(numbers(take_all(queue)) == Numbers{1, 4});
  queue.done("a", "x");
  queue.done("a", "y");
  CHECK(take_all(queue, later(59s)).empty());
  CHECK(queue.next_due() == later(1min).steady);
  CHECK(numbers(take_all(queue, later(1min))) == Numbers{2});
  queue.done("a", "x");
  CHECK(take_all(queue, later(90s)).empty());
  auto gone = from("s", waiting(3, "a", 0, "x")).run;
  CHECK(queue.remove(gone));
  CHECK(numbers(take_all(queue, later(2min))) == Numbers{5});
  CHECK(queue.size() == 0);
}

TEST_CASE("queue: what is chosen counts from when it has begun") {
  RunQueue queue(100, 100);
  queue.set_throttles({{"s", {1, 1min}}});
  for (std::uint64_t i = 1; i <= 2; ++i) queue.push(from("s", waiting(i, "a")), kNow);
  CHECK(numbers(take_all(queue)) == Numbers{1});
  queue.began(later(5s).steady);
  CHECK(take_all(queue, later(1min)).empty());
  CHECK(numbers(take_all(queue, later(65s))) == Numbers{2});
}

TEST_CASE("queue: other throttles apply to what is pushed anew, with the starts that are told of") {
  RunQueue queue(100, 100);
  queue.set_throttles({{"s", {1, 1min}}});
  for (std::uint64_t i = 1; i <= 3; ++i) queue.push(from("s", waiting(i, "a")), kNow);
  auto taken = take_all(queue);
  REQUIRE(numbers(taken) == Numbers{1});

  queue.clear();
  queue.set_throttles({{"s", {3, 1min}}});
  queue.count_start(waiting_run(from("s", waiting(1, "a")).run), kNow.steady);
  queue.count_start(waiting_run(from("elsewhere", waiting(9, "a")).run), kNow.steady);
  for (std::uint64_t i = 2; i <= 5; ++i) queue.push(from("s", waiting(i, "a")), later(1s));
  CHECK(numbers(take_all(queue, later(1s))) == Numbers{2, 3});

  queue.clear();
  queue.set_throttles({});
  for (std::uint64_t i = 4; i <= 5; ++i) queue.push(from("s", waiting(i, "a")), later(2s));
  CHECK(numbers(take_all(queue, later(2s))) == Numbers{4, 5});
}

TEST_CASE("queue: what a throttle says of a run that comes") {
  RunQueue queue(100, 100);
  queue.set_throttles({{"s", {2, 1min}}});
  const auto plain = from("s", waiting(9, "a")).run;
  CHECK(queue.throttled(plain, kNow.steady)->room == 2);
  CHECK_FALSE(queue.throttled(waiting(9, "a").run, kNow.steady));
  for (std::uint64_t i = 1; i <= 4; ++i) queue.push(from("s", waiting(i, "a")), kNow);
  const auto taken = take_all(queue);
  const auto told = queue.throttled(plain, later(20s).steady);
  REQUIRE(told);
  CHECK(told->rate == Rate{2, 1min});
  CHECK(told->room == 0);
  CHECK(told->waiting == 2);
  CHECK(queue.throttled(from("s", waiting(4, "a")).run, kNow.steady)->waiting == 1);
  CHECK(queue.throttled(from("s", waiting(9, "a", 1)).run, kNow.steady)->waiting == 0);
  CHECK(told->next == later(1min).steady);
  auto another = plain;
  another.attempt = 2;
  CHECK_FALSE(queue.throttled(another, kNow.steady));
}

TEST_CASE("queue: a run that no throttle holds does not wait behind a later one of its key that it does") {
  RunQueue queue(100, 100);
  queue.set_throttles({{"s", {1, 1h}}});
  queue.push(from("s", waiting(1, "a", 0, "x")), kNow);
  CHECK(numbers(take_all(queue)) == Numbers{1});
  queue.done("a", "x");
  for (std::uint64_t i = 2; i <= 3; ++i) queue.push(from("s", waiting(i, "a", 0, "x")), kNow);
  CHECK(take_all(queue).empty());
  auto again = from("s", waiting(1, "a", 0, "x"));
  again.run.attempt = 2;
  queue.push(std::move(again), kNow);
  CHECK(numbers(take_all(queue)) == Numbers{1});
  CHECK(take_all(queue, later(1h)).empty());
  queue.done("a", "x");
  CHECK(numbers(take_all(queue, later(1h))) == Numbers{2});
  queue.done("a", "x");
  CHECK(numbers(take_all(queue, later(2h))) == Numbers{3});
}

TEST_CASE("queue: the youngest that waits for the end of those under way, and when it might start") {
  RunQueue queue(100, 100);
  queue.slots().set_handler_caps({{"a", 1}});
  queue.set_throttles({{"s", {1, 1min}}});
  std::vector<RunQueue::Ready> taken;
  for (const char* key : {"", "x"}) {
    const auto of = [&](std::uint64_t sequence) { return from("s", waiting(sequence, "a", 0, *key ? std::optional<std::string>(key) : std::nullopt)); };
    const auto run = of(1).run;
    CHECK_FALSE(queue.behind("a", run.key));
    queue.push(of(1), kNow);
    for (auto& ready : take_all(queue)) taken.push_back(std::move(ready));
    CHECK_FALSE(queue.behind("a", run.key));
    queue.push(of(2), kNow);
    CHECK(take_all(queue, later(1s)).empty());
    REQUIRE(queue.behind("a", run.key));
    CHECK(queue.behind("a", run.key)->time == later(1min).steady);
    CHECK(queue.behind("a", run.key)->sequence == 2);
    queue.pause("a");
    CHECK_FALSE(queue.behind("a", run.key));
    queue.resume("a");
    CHECK_FALSE(queue.behind("b", run.key));
    queue.clear();
    queue.set_throttles({{"s", {1, 1min}}});
  }
}
