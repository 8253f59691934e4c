// The newest events, in memory: most readers are behind by no more than it takes them to ask again, and need not have the journal read.
// Loop thread only.
#pragma once

#include <cstdint>
#include <deque>

#include "core/event.h"

namespace hark {

class RecentEvents {
 public:
  // The next one; where it does not follow the last, those before are forgotten. What no longer fits limits::kBusRecent goes.
  void add(EventPtr event);
  // Whether everything after `position` that has been added is here.
  bool reach_back_to(std::uint64_t position) const { return !events_.empty() && events_.front()->sequence <= position + 1; }
  // What came after `position`, in order, until `look` says false. reach_back_to(position).
  template <typename Look>
  void each_after(std::uint64_t position, Look&& look) const {
    for (auto at = static_cast<std::size_t>(position + 1 - events_.front()->sequence); at < events_.size(); ++at) {
      if (!look(events_[at])) return;
    }
  }
  void clear();

 private:
  std::deque<EventPtr> events_;  // with sequences without a gap
  std::size_t bytes_ = 0;
};

}  // namespace hark
