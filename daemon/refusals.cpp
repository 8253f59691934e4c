#include "daemon/refusals.h"

#include <algorithm>
#include <tuple>

namespace hark {

std::uint64_t Refusals::add(const Refusal& refusal, SteadyTime now) {
  auto& list = lists_[{refusal.source, refusal.cause}];
  ++last_number_;
  if (!list.kept.empty() && list.kept.back().entry.refusal.reason == refusal.reason) {
    auto& last = list.kept.back();
    last.entry.refusal = refusal;
    ++last.entry.count;
    last.number = last_number_;
  } else {
    list.kept.push_back({{refusal, refusal.time, 1}, last_number_});
    if (++size_ > most_) make_room();
  }
  ++list.untold;
  if (list.told && now - *list.told < limits::kRefusalLine) return 0;
  list.told = now;
  return std::exchange(list.untold, 0);
}

// Takes the oldest of the longest list; of lists that are equally long, of the one that had nothing new for the longest time.
void Refusals::make_room() {
  const auto longest = std::max_element(lists_.begin(), lists_.end(), [](const auto& a, const auto& b) {
    const auto rank = [](const List& list) { return std::tuple(list.kept.size(), list.kept.empty() ? 0 : -std::int64_t(list.kept.back().number)); };
    return rank(a.second) < rank(b.second);
  });
  longest->second.kept.pop_front();
  --size_;
}

std::vector<Refusals::Entry> Refusals::newest(const std::string& source, std::size_t limit) const {
  std::vector<const Kept*> found;
  for (const auto& [key, list] : lists_) {
    if (!source.empty() && key.first != source) continue;
    for (const auto& kept : list.kept) found.push_back(&kept);
  }
  std::sort(found.begin(), found.end(), [](const Kept* a, const Kept* b) { return a->number > b->number; });
  found.resize(std::min(found.size(), limit));
  std::vector<Entry> entries;
  for (const auto* kept : found) entries.push_back(kept->entry);
  return entries;
}

}  // namespace hark
