#include "daemon/ended_runs.h"

#include <algorithm>
#include <charconv>

#include "core/limits.h"

namespace hark {

void EndedRuns::note(const lifecycle::Any& event) {
  const RunPtr* run = nullptr;
  if (const auto* complete = std::get_if<lifecycle::RunComplete>(&event)) run = &complete->run;
  if (const auto* failed = std::get_if<lifecycle::RunFailed>(&event)) run = &failed->run;
  if (run == nullptr) return;
  ids_.push_back((*run)->id);
  if (ids_.size() > limits::kEndedRuns) ids_.pop_front();
  ++count_;
}

EndedRuns::Page EndedRuns::after(const std::optional<std::string>& cursor, std::size_t limit) const {
  std::uint64_t from = count_;
  if (cursor) {
    from = 0;
    const auto prefix = life_ + "-";
    if (cursor->starts_with(prefix)) {
      const auto digits = std::string_view(*cursor).substr(prefix.size());
      std::from_chars(digits.data(), digits.data() + digits.size(), from);
      from = std::min(from, count_);
    }
  }
  const auto oldest = count_ - ids_.size();
  Page page;
  page.missed = from < oldest ? oldest - from : 0;
  from = std::max(from, oldest);
  for (auto at = from - oldest; at < ids_.size() && page.ids.size() < limit; ++at) page.ids.push_back(ids_[at]);
  page.cursor = life_ + "-" + std::to_string(from + page.ids.size());
  return page;
}

}  // namespace hark
