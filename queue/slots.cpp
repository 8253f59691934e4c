#include "queue/slots.h"

#include <utility>

namespace hark {

Slot& Slot::operator=(Slot&& other) noexcept {
  if (this != &other) {
    release();
    counts_ = std::move(other.counts_);
    handler_ = std::move(other.handler_);
  }
  return *this;
}

void Slot::release() {
  if (!counts_) return;
  --counts_->running;
  --counts_->by_handler[handler_];
  counts_.reset();
}

void Slots::set_handler_cap(const std::string& handler, int cap) { handler_caps_[handler] = cap; }

int Slots::running(const std::string& handler) const {
  const auto found = counts_->by_handler.find(handler);
  return found == counts_->by_handler.end() ? 0 : found->second;
}

bool Slots::free(const std::string& handler) const {
  if (!any_free()) return false;
  const auto cap = handler_caps_.find(handler);
  return cap == handler_caps_.end() || cap->second == 0 || running(handler) < cap->second;
}

std::optional<Slot> Slots::take(const std::string& handler) {
  if (!free(handler)) return std::nullopt;
  ++counts_->running;
  ++counts_->by_handler[handler];
  return Slot(counts_, handler);
}

}  // namespace hark
