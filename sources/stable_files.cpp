#include "sources/stable_files.h"

#include <algorithm>
#include <utility>

namespace hark {

void StableFiles::add(std::vector<Change> changes, SteadyTime now, ChangeSet& out) {
  for (auto& change : changes) {
    if (change.kind == Change::Kind::remove) {
      removed(change, out);
    } else if (change.kind == Change::Kind::rename) {
      renamed(change, now, out);
    } else {
      hold(std::move(change), now);
    }
  }
}

void StableFiles::hold(Change change, SteadyTime now) {
  auto stamp = look_(change.path);
  const auto [at, added] = held_.try_emplace(change.path, Held{change, stamp, now});
  if (added) return;
  at->second.stamp = stamp;
  at->second.since = now;
}

// Of one that nobody was told of nothing is told.
void StableFiles::removed(const Change& change, ChangeSet& out) {
  const auto held = held_.extract(change.path);
  if (held.empty()) return out.removed(change.path);
  const auto& before = held.mapped().change;
  if (before.kind == Change::Kind::modify) out.removed(before.path);
  if (before.kind == Change::Kind::rename) out.removed(before.from);
}

void StableFiles::renamed(const Change& change, SteadyTime now, ChangeSet& out) {
  const auto held = held_.extract(change.from);
  if (held.empty() && !change.modified) return out.add(change);
  Change now_held = change;
  now_held.modified = true;
  if (!held.empty() && held.mapped().change.kind == Change::Kind::create) {
    now_held = {change.path, Change::Kind::create, {}, false};
  } else if (!held.empty() && held.mapped().change.kind == Change::Kind::rename) {
    now_held.from = held.mapped().change.from;
  }
  held_.erase(change.path);  // a rename as such is told only where the new name is new
  hold(std::move(now_held), now);
}

void StableFiles::tell(SteadyTime now, ChangeSet& out) {
  for (auto at = held_.begin(); at != held_.end();) {
    auto& held = at->second;
    if (held.since + still_for_ > now) {
      ++at;
      continue;
    }
    // One that is not there will be told as removed, or come back.
    if (const auto stamp = look_(at->first); !stamp || stamp != held.stamp) {
      held.stamp = stamp;
      held.since = now;
      ++at;
      continue;
    }
    out.add(held.change);
    at = held_.erase(at);
  }
}

void StableFiles::tell_all(ChangeSet& out) {
  for (const auto& [path, held] : std::exchange(held_, {})) out.add(held.change);
}

std::optional<SteadyTime> StableFiles::next() const {
  std::optional<SteadyTime> next;
  for (const auto& [path, held] : held_) {
    if (!next || held.since + still_for_ < *next) next = held.since + still_for_;
  }
  return next;
}

}  // namespace hark
