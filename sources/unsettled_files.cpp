#include "sources/unsettled_files.h"

#include <algorithm>
#include <iterator>

namespace hark {

void UnsettledFiles::created(const std::string& path, SteadyTime due, bool stays_open) {
  wait_until(due);
  const auto [at, added] = files_.try_emplace(path, Waiting{State::created, due, stays_open});
  if (added) return;
  at->second.due = std::max(at->second.due, due);
  at->second.stays_open |= stays_open;
}

void UnsettledFiles::modified(const std::string& path, SteadyTime due) {
  wait_until(due);
  const auto [at, added] = files_.try_emplace(path, Waiting{State::modified, due, true});
  if (added) return;
  at->second.stays_open = true;
  if (at->second.state == State::told) at->second = {State::modified, due, true};
}

void UnsettledFiles::told(const std::string& path) { files_.insert_or_assign(path, Waiting{State::told, {}, true}); }

std::optional<UnsettledFiles::State> UnsettledFiles::take(const std::string& path) {
  const auto at = files_.find(path);
  if (at == files_.end()) return std::nullopt;
  const auto state = at->second.state;
  files_.erase(at);
  return state;
}

std::optional<UnsettledFiles::State> UnsettledFiles::state(const std::string& path) const {
  const auto at = files_.find(path);
  return at == files_.end() ? std::nullopt : std::optional(at->second.state);
}

void UnsettledFiles::take_all(const std::function<void(const std::string&, State)>& taken) {
  for (const auto& [path, waiting] : files_) taken(path, waiting.state);
  files_.clear();
  next_.reset();
}

void UnsettledFiles::tell(SteadyTime now, const std::function<void(const std::string&, State)>& due) {
  if (!next_ || *next_ > now) return;
  next_.reset();
  for (auto at = files_.begin(); at != files_.end();) {
    auto& waiting = at->second;
    if (waiting.state == State::told || waiting.due > now) {
      if (waiting.state != State::told) wait_until(waiting.due);
      ++at;
      continue;
    }
    due(at->first, waiting.state);
    waiting.state = State::told;
    at = waiting.stays_open ? std::next(at) : files_.erase(at);
  }
}

void UnsettledFiles::wait_until(SteadyTime due) {
  if (!next_ || due < *next_) next_ = due;
}

}  // namespace hark
