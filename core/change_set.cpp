#include "core/change_set.h"

#include <utility>

namespace hark {
using Kind = Change::Kind;

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::create:
      return "create";
    case Kind::modify:
      return "modify";
    case Kind::remove:
      return "delete";
    case Kind::rename:
      return "rename";
  }
  return "";
}

void ChangeSet::created(const std::string& path) {
  const auto [at, added] = entries_.try_emplace(path, Entry{false, File{std::nullopt, false}});
  if (!added && !at->second.now) at->second.now = File{std::nullopt, false};
}

void ChangeSet::modified(const std::string& path) {
  const auto [at, added] = entries_.try_emplace(path, Entry{true, File{path, true}});
  if (added) return;
  if (!at->second.now) at->second.now = File{std::nullopt, false};
  at->second.now->modified = true;
}

void ChangeSet::removed(const std::string& path) {
  const auto [at, added] = entries_.try_emplace(path, Entry{true, std::nullopt});
  if (added) return;
  at->second.now.reset();
  settle(at);
}

void ChangeSet::renamed(const std::string& from, const std::string& to, bool replaced) {
  if (from == to) return;
  const auto source = entries_.try_emplace(from, Entry{true, File{from, false}}).first;
  const auto target = entries_.try_emplace(to, Entry{replaced, std::nullopt}).first;
  target->second.now = std::exchange(source->second.now, std::nullopt);
  if (!target->second.now) target->second.now = File{};  // a name that was gone already: all that is sure is that `to` is new
  settle(source);
  settle(target);
}

void ChangeSet::add(const Change& change) {
  switch (change.kind) {
    case Kind::create:
      return created(change.path);
    case Kind::modify:
      return modified(change.path);
    case Kind::remove:
      return removed(change.path);
    case Kind::rename:
      renamed(change.from, change.path, false);
      if (change.modified) modified(change.path);
  }
}

// An entry that says "as it was" is dropped, so that every entry left is a change (or the old name of a rename). No other entry
// can have one like that as its origin: a file stands under one name at a time.
void ChangeSet::settle(Entries::iterator at) {
  const auto& [path, entry] = *at;
  const bool as_it_was = entry.now ? entry.now->origin == path && !entry.now->modified : !entry.existed;
  if (as_it_was) entries_.erase(at);
}

bool ChangeSet::is_rename(const Entries::value_type& entry) const {
  if (entry.second.existed || !entry.second.now || !entry.second.now->origin) return false;
  const auto origin = entries_.find(*entry.second.now->origin);
  return origin != entries_.end() && !origin->second.now;
}

std::unordered_set<std::string> ChangeSet::rename_origins() const {
  std::unordered_set<std::string> origins;
  for (const auto& entry : entries_) {
    if (is_rename(entry)) origins.insert(*entry.second.now->origin);
  }
  return origins;
}

std::vector<Change> ChangeSet::take(std::size_t max_changes, std::size_t max_bytes) {
  const auto origins = rename_origins();
  std::vector<Change> taken;
  std::vector<std::string> done;  // erased at the end: telling a rename looks at its origin's entry
  std::size_t bytes = 0;
  for (const auto& entry : entries_) {
    const auto& [path, state] = entry;
    if (origins.count(path) > 0) continue;  // told, and taken, with the new name
    Change change{path, state.existed ? Kind::modify : Kind::create, {}, false};
    if (!state.now) {
      change.kind = Kind::remove;
    } else if (is_rename(entry)) {
      change = {path, Kind::rename, *state.now->origin, state.now->modified};
    }
    bytes += change.path.size() + change.from.size();
    if (!taken.empty() && (taken.size() >= max_changes || bytes > max_bytes)) break;
    done.push_back(path);
    if (change.kind == Kind::rename) done.push_back(change.from);
    taken.push_back(std::move(change));
  }
  for (const auto& path : done) entries_.erase(path);
  // What is left starts a window in which those names have been told already: no file comes from them any more.
  for (auto left = entries_.begin(); left != entries_.end(); ++left) {
    auto& file = left->second.now;
    if (file && file->origin && file->origin != left->first && entries_.count(*file->origin) == 0) file->origin.reset();
  }
  return taken;
}

void ChangeSet::put_back(const std::vector<Change>& older) {
  ChangeSet merged;
  for (const auto& change : older) merged.add(change);
  // Changes of one set are about different names, so the order in which they are added says nothing.
  for (const auto& change : take(static_cast<std::size_t>(-1), static_cast<std::size_t>(-1))) merged.add(change);
  entries_ = std::move(merged.entries_);
}

std::vector<Change> only_kinds(const std::vector<Change>& changes, const std::set<std::string>& kinds) {
  std::vector<Change> wanted;
  const auto keep = [&](Change change) {
    if (kinds.count(std::string(to_string(change.kind))) > 0) wanted.push_back(std::move(change));
  };
  for (const auto& change : changes) {
    if (change.kind != Kind::rename || kinds.count("rename") > 0) {
      keep(change);
      continue;
    }
    keep({change.from, Kind::remove, {}, false});
    // A new name is a create; where that was not asked for either, its new content still is a modify.
    if (kinds.count("create") > 0 || !change.modified) {
      keep({change.path, Kind::create, {}, false});
    } else {
      keep({change.path, Kind::modify, {}, false});
    }
  }
  return wanted;
}

}  // namespace hark
