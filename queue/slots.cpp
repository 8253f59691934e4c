#include "queue/slots.h"

#include <utility>

namespace hark {

Slot& Slot::operator=(Slot&& other) noexcept {
  if (this != &other) {
    release();
    counts_ = std::move(other.counts_);
    handler_ = std::move(other.handler_);
    by_key_ = other.by_key_;
  }
  return *this;
}

void Slot::release() {
  if (!counts_) return;
  --counts_->running;
  --counts_->by_handler[handler_];
  if (by_key_) --counts_->by_key[handler_];
  counts_.reset();
}

int Slots::handler_cap(const std::string& handler) const {
  const auto cap = handler_caps_.find(handler);
  return cap == handler_caps_.end() ? 0 : cap->second;
}

int Slots::running(const std::string& handler) const {
  const auto found = counts_->by_handler.find(handler);
  return found == counts_->by_handler.end() ? 0 : found->second;
}

bool Slots::free(const std::string& handler, bool by_key) const {
  if (!any_free()) return false;
  const auto cap = handler_cap(handler);
  if (by_key || cap == 0) return true;
  const auto others = counts_->by_key.find(handler);
  return running(handler) - (others == counts_->by_key.end() ? 0 : others->second) < cap;
}

Slot Slots::take(const std::string& handler, bool by_key) {
  ++counts_->running;
  ++counts_->by_handler[handler];
  if (by_key) ++counts_->by_key[handler];
  return Slot(counts_, handler, by_key);
}

}  // namespace hark
