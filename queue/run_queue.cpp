#include "queue/run_queue.h"

namespace hark {

void RunQueue::push(Waiting waiting) {
  if (in_memory_ >= events_in_memory_) waiting.event = nullptr;
  if (waiting.event) ++in_memory_;
  ++size_;
  const Order order{-waiting.run.priority, waiting.run.sequence};
  lines_[waiting.run.handler].emplace(order, std::move(waiting));
}

RunQueue::Waiting RunQueue::extract(Line& line, Line::iterator position) {
  auto waiting = std::move(position->second);
  line.erase(position);
  --size_;
  if (waiting.event) --in_memory_;
  return waiting;
}

std::optional<RunQueue::Ready> RunQueue::take() {
  if (size_ == 0 || !slots_.any_free() || paused_.contains("")) return std::nullopt;
  auto best = lines_.end();
  for (auto line = lines_.begin(); line != lines_.end(); ++line) {
    if (paused_.contains(line->first) || !slots_.free(line->first)) continue;
    if (best == lines_.end() || line->second.begin()->first < best->second.begin()->first) best = line;
  }
  if (best == lines_.end()) return std::nullopt;
  auto slot = slots_.take(best->first);
  auto waiting = extract(best->second, best->second.begin());
  if (best->second.empty()) lines_.erase(best);
  return Ready{std::move(waiting), std::move(*slot)};
}

std::optional<RunQueue::Waiting> RunQueue::remove(std::string_view run_id) {
  for (auto line = lines_.begin(); line != lines_.end(); ++line) {
    for (auto position = line->second.begin(); position != line->second.end(); ++position) {
      if (position->second.run.id != run_id) continue;
      auto waiting = extract(line->second, position);
      if (line->second.empty()) lines_.erase(line);
      return waiting;
    }
  }
  return std::nullopt;
}

void RunQueue::clear() {
  lines_.clear();
  size_ = 0;
  in_memory_ = 0;
}

void RunQueue::resume(const std::string& handler) {
  if (handler.empty()) {
    paused_.clear();
  } else {
    paused_.erase(handler);
  }
}

std::size_t RunQueue::size(const std::string& handler) const {
  const auto line = lines_.find(handler);
  return line == lines_.end() ? 0 : line->second.size();
}

}  // namespace hark
