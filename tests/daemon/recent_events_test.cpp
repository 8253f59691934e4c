#include "daemon/recent_events.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/limits.h"

using namespace hark;

namespace {

EventPtr event(std::uint64_t sequence, std::size_t size = 0) {
  Event made;
  made.sequence = sequence;
  made.data = Payload(nlohmann::json(std::string(size, 'x')));
  return std::make_shared<const Event>(std::move(made));
}

std::vector<std::uint64_t> after(const RecentEvents& recent, std::uint64_t position, std::size_t most = 100) {
  std::vector<std::uint64_t> found;
  recent.each_after(position, [&](const EventPtr& each) {
    found.push_back(each->sequence);
    return found.size() < most;
  });
  return found;
}

using Sequences = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("recent_events: what came after a position, as far back as it reaches") {
  RecentEvents recent;
  CHECK_FALSE(recent.reach_back_to(0));
  for (const std::uint64_t sequence : {5, 6, 7}) recent.add(event(sequence));
  CHECK_FALSE(recent.reach_back_to(3));
  CHECK(recent.reach_back_to(4));
  CHECK(after(recent, 4) == Sequences{5, 6, 7});
  CHECK(after(recent, 4, 2) == Sequences{5, 6});
  CHECK(after(recent, 6) == Sequences{7});
  CHECK(after(recent, 7).empty());
}

TEST_CASE("recent_events: behind a gap it begins anew") {
  RecentEvents recent;
  recent.add(event(1));
  recent.add(event(3));
  CHECK_FALSE(recent.reach_back_to(1));
  CHECK(after(recent, 2) == Sequences{3});
}

TEST_CASE("recent_events: the oldest go where they take too much room, and all where one alone does") {
  RecentEvents recent;
  constexpr auto kSize = limits::kBusRecent / 4;
  for (std::uint64_t sequence = 1; sequence <= 10; ++sequence) recent.add(event(sequence, kSize));
  CHECK_FALSE(recent.reach_back_to(6));
  CHECK(after(recent, 7) == Sequences{8, 9, 10});
  recent.add(event(11, limits::kBusRecent));
  CHECK_FALSE(recent.reach_back_to(10));
  recent.add(event(12));
  CHECK(after(recent, 11) == Sequences{12});
}
