#include <doctest/doctest.h>

#include "queue/run_queue.h"

using namespace hark;

namespace {

RunQueue::Waiting waiting(std::uint64_t sequence, std::string handler, int priority = 0) {
  RunQueue::Waiting made;
  made.run.id = "run-" + std::to_string(sequence);
  made.run.sequence = sequence;
  made.run.handler = std::move(handler);
  made.run.priority = priority;
  made.event = std::make_shared<const Event>();
  return made;
}

}  // namespace

TEST_CASE("queue: highest priority first, then in the order of arrival") {
  RunQueue queue(10, 100);
  queue.push(waiting(1, "a"));
  queue.push(waiting(2, "b", 5));
  queue.push(waiting(3, "a", 5));
  queue.push(waiting(4, "b"));
  std::vector<RunQueue::Ready> taken;
  while (auto ready = queue.take()) taken.push_back(std::move(*ready));
  REQUIRE(taken.size() == 4);
  CHECK(taken[0].waiting.run.sequence == 2);
  CHECK(taken[1].waiting.run.sequence == 3);
  CHECK(taken[2].waiting.run.sequence == 1);
  CHECK(taken[3].waiting.run.sequence == 4);
}

TEST_CASE("queue: the daemon's cap bounds all, and a slot that is gone frees it") {
  RunQueue queue(2, 100);
  for (std::uint64_t i = 1; i <= 3; ++i) queue.push(waiting(i, "a"));
  auto first = queue.take();
  auto second = queue.take();
  REQUIRE(first);
  REQUIRE(second);
  CHECK(!queue.take());
  CHECK(queue.slots().running() == 2);
  { const auto gone = std::move(first->slot); }
  CHECK(queue.slots().running() == 1);
  CHECK(queue.take());
}

TEST_CASE("queue: a handler at its cap does not hold up another") {
  RunQueue queue(10, 100);
  queue.slots().set_handler_cap("a", 1);
  queue.push(waiting(1, "a"));
  queue.push(waiting(2, "a"));
  queue.push(waiting(3, "b"));
  const auto first = queue.take();
  const auto second = queue.take();
  REQUIRE(second);
  CHECK(second->waiting.run.sequence == 3);
  CHECK(!queue.take());
  CHECK(queue.size("a") == 1);
}

TEST_CASE("queue: a paused handler waits, and goes on where it was") {
  RunQueue queue(10, 100);
  queue.push(waiting(1, "a"));
  queue.push(waiting(2, "b"));
  queue.pause("a");
  CHECK(queue.take()->waiting.run.sequence == 2);
  CHECK(!queue.take());
  queue.pause("");
  queue.resume("a");
  CHECK(!queue.take());
  queue.resume("");
  CHECK(queue.take()->waiting.run.sequence == 1);
}

TEST_CASE("queue: beyond the limit events stay on disk, in their order") {
  RunQueue queue(10, 2);
  for (std::uint64_t i = 1; i <= 3; ++i) queue.push(waiting(i, "a"));
  CHECK(queue.in_memory() == 2);
  CHECK(queue.size() == 3);
  CHECK(queue.take()->waiting.event);
  CHECK(queue.take()->waiting.event);
  const auto third = queue.take();
  CHECK(third->waiting.run.sequence == 3);
  CHECK(!third->waiting.event);
  CHECK(queue.in_memory() == 0);
}

TEST_CASE("queue: a waiting run can be taken out by its id") {
  RunQueue queue(1, 10);
  queue.push(waiting(1, "a"));
  CHECK(!queue.remove("run-2"));
  CHECK(queue.remove("run-1"));
  CHECK(queue.size() == 0);
  CHECK(!queue.take());
}

TEST_CASE("slot: moved over another gives the other back") {
  Slots slots(5);
  auto a = slots.take("a");
  auto b = slots.take("b");
  CHECK(slots.running("b") == 1);
  *b = std::move(*a);
  CHECK(slots.running("b") == 0);
  CHECK(slots.running("a") == 1);
  b.reset();
  CHECK(slots.running() == 0);
}
