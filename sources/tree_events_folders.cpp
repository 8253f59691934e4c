// TreeEvents: folders that come, go and move, and the two halves of a move.
#include <fcntl.h>
#include <sys/inotify.h>

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "sources/tree_events.h"

namespace hark {
namespace {

bool is_within(const Folder& folder, const Folder& top) {
  for (const Folder* at = &folder; at != nullptr; at = at->parent) {
    if (at == &top) return true;
  }
  return false;
}

}  // namespace

void TreeEvents::on_folder(Folder& parent, const Notifier::Event& event, SteadyTime now, ChangeSet& changes) {
  if (tree_.rules_of(event.name)) renew_rules(parent, event.name);
  Folder* child = parent.folder(event.name);
  if ((event.mask & IN_MOVED_TO) != 0) {
    const auto move = take_move(event.cookie, true);
    if (move) return on_folder_moved(move->path, parent, event, now, changes);
  }
  if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
    on_folder_appeared(parent, event, now, changes);
  } else if (child == nullptr) {
    return;  // one that is not entered
  } else if ((event.mask & IN_MOVED_FROM) != 0) {
    moves_.push_back({event.cookie, child->path(), true, {}, now + limits::kMoveWait});
  } else if ((event.mask & IN_DELETE) != 0) {
    forget_folder(*child, changes);
  }
}

void TreeEvents::on_folder_appeared(Folder& parent, const Notifier::Event& event, SteadyTime now, ChangeSet& changes) {
  const auto path = parent.path_of(event.name);
  if (!tree_.enters(parent, path)) return;
  conclude_moves_from(path, changes);
  Folder* known = parent.folder(event.name);
  if (known != nullptr && tree_.still_watches(*known)) return;  // a scan of its parent was faster

  Differences differences;
  tree_.scan(tree_.snapshot().add_folder(parent, event.name), &differences);
  read_on_ = true;
  tell_found(differences, (event.mask & IN_CREATE) != 0, now, changes);
}

// `being_filled`: somebody may be writing what was found.
void TreeEvents::tell_found(const Differences& differences, bool being_filled, SteadyTime now, ChangeSet& changes) {
  for (const auto& file : differences.removed) file_removed(file.path, changes);
  for (const auto& path : differences.modified) {
    if (!unsettled_.state(path)) changes.modified(path);  // else its writer's close will be told
  }
  for (const auto& file : differences.created) {
    conclude_moves_from(file.path, changes);
    if (being_filled && !file.complete) {
      unsettled_.created(file.path, now + limits::kFoundFileWait, false);
    } else {
      changes.created(file.path);
    }
  }
}

void TreeEvents::on_folder_moved(const std::string& from, Folder& parent, const Notifier::Event& event, SteadyTime now,
                                 ChangeSet& changes) {
  const auto to = parent.path_of(event.name);
  conclude_moves_from(to, changes);
  Folder* moved = tree_.snapshot().folder(from);
  if (moved == nullptr) return on_folder_appeared(parent, event, now, changes);
  if (!tree_.enters(parent, to)) return forget_folder(*moved, changes);
  if (is_within(parent, *moved)) {  // a folder does not move into itself: one of the two was scanned where it no longer was
    contradicted_ = true;
    return;
  }
  Folder* there = parent.folder(event.name);
  if (there == moved) return;
  Folder& left = *moved->parent;
  auto held = tree_.snapshot().detach(*moved);
  if (there != nullptr) {
    // It was empty, or rename(2) had refused; or it was found by a scan that was ahead of the queue, or the two have changed places
    // (RENAME_EXCHANGE), and then the scan of both parents says where it is.
    tree_.doubt(parent);
    tree_.doubt(left);
    forget_folder(*there, changes);
  }
  moved = &tree_.snapshot().attach(std::move(held), parent, event.name);
  tree_.moved(*moved);
  for (auto& move : moves_) {
    if (move.folder && move.path.starts_with(from + "/")) move.path.replace(0, from.size(), to);
  }
  for_each_folder(*moved, [&](Folder& folder) {
    std::vector<std::string> left_out;
    folder.files.each([&](std::string_view name, const FileStamp&) {
      const auto new_path = folder.path_of(name);
      const auto old_path = from + new_path.substr(to.size());
      if (tree_.wants(folder, new_path)) {
        file_moved_along(old_path, new_path, changes);
      } else {
        file_removed(old_path, changes);
        left_out.emplace_back(name);
      }
    });
    for (const auto& name : left_out) folder.files.erase(name);
  });
  if (!tree_.depends_on_folder()) return;
  Differences differences;  // files that were not asked for under the old name may be under the new one
  tree_.scan(*moved, &differences);
  read_on_ = true;
  hark::tell(differences, changes);
}

void TreeEvents::file_moved_along(const std::string& from, const std::string& to, ChangeSet& changes) {
  conclude_moves_from(to, changes);
  const auto waited = unsettled_.take(from);
  if (waited) {
    tell(*waited, from, changes);
    unsettled_.told(to);
  }
  changes.renamed(from, to, false);
}

void TreeEvents::forget_folder(Folder& folder, ChangeSet& changes) {
  std::vector<FoundFile> removed;
  tree_.drop(folder, &removed);
  for (const auto& file : removed) file_removed(file.path, changes);
}

// ---- moves

std::optional<TreeEvents::Move> TreeEvents::take_move(std::uint32_t cookie, bool folder) {
  const auto at = std::find_if(moves_.begin(), moves_.end(),
                               [&](const Move& move) { return move.cookie == cookie && move.folder == folder; });
  if (at == moves_.end()) return std::nullopt;
  auto move = std::move(*at);
  moves_.erase(at);
  return move;
}

// Something new stands where a file or folder was moved away: that move is over before it is told.
void TreeEvents::conclude_moves_from(const std::string& path, ChangeSet& changes) {
  for (std::size_t i = 0; i < moves_.size();) {
    if (moves_[i].path != path) {
      ++i;
      continue;
    }
    const auto move = std::move(moves_[i]);
    moves_.erase(moves_.begin() + static_cast<std::ptrdiff_t>(i));
    conclude(move, changes);
  }
}

void TreeEvents::conclude(const Move& move, ChangeSet& changes) {
  if (!move.folder) return file_removed(move.path, changes);
  Folder* folder = tree_.snapshot().folder(move.path);
  if (folder != nullptr) forget_folder(*folder, changes);
}

// After a move: what stands at its old path has come unseen if the two have changed places (RENAME_EXCHANGE).
void TreeEvents::doubt_what_stands_at(const std::string& path) {
  Folder* folder = tree_.snapshot().folder_of(path);
  if (folder != nullptr && look(AT_FDCWD, absolute(path).c_str()).kind != EntryKind::missing) tree_.doubt(*folder);
}

// Before a scan: it will see for itself where they went. One whose folder was moved meanwhile is over.
void TreeEvents::undo_moves(ChangeSet& changes) {
  for (const auto& move : moves_) {
    if (move.folder) continue;
    Folder* folder = tree_.snapshot().folder_of(move.path);
    if (folder != nullptr) {
      folder->files.add(last_segment(move.path), move.stamp);
    } else {
      file_removed(move.path, changes);
    }
  }
  moves_.clear();
}

}  // namespace hark
