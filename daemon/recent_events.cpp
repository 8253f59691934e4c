#include "daemon/recent_events.h"

#include <utility>

#include "core/limits.h"
#include "core/payload.h"

namespace hark {

namespace {

// An event's own members, roughly, beside its data.
std::size_t size_of(const Event& event) { return 512 + event.data.text().size() + (event.context ? event.context->text().size() : 0); }

}  // namespace

void RecentEvents::add(EventPtr event) {
  if (!events_.empty() && event->sequence != events_.back()->sequence + 1) clear();
  bytes_ += size_of(*event);
  events_.push_back(std::move(event));
  for (; bytes_ > limits::kBusRecent; events_.pop_front()) bytes_ -= size_of(*events_.front());
}

void RecentEvents::clear() {
  events_.clear();
  bytes_ = 0;
}

}  // namespace hark
