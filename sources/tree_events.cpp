#include "sources/tree_events.h"

#include <fcntl.h>
#include <sys/inotify.h>

#include <algorithm>
#include <utility>

#include "core/limits.h"

namespace hark {

Status TreeEvents::open(std::unique_ptr<Notifier> notifier, SteadyTime now, ChangeSet& changes) {
  Differences differences;
  const auto opened = tree_.open(std::move(notifier), known_ ? &differences : nullptr);
  note_unsaid(differences);
  hark::tell(differences, changes);  // also what a scan found that did not come to its end: it is known now
  if (opened) look_further(now, changes);
  known_ |= opened.ok();
  tree_.note_empty_queue();
  return opened;
}

void TreeEvents::look_further(SteadyTime now, ChangeSet& changes) {
  auto looks = tree_.look_further();
  if (looks.folders.empty()) return;
  read(now, changes);
  if (overflowed_ || tree_.lost() || !tree_.queue_empty()) return tree_.put_off(std::move(looks));
  tree_.note(looks);
}

void TreeEvents::close(ChangeSet& changes) {
  tell_unsettled(changes);
  undo_moves(changes);
  if (!tree_.lost()) refresh_stamps();  // else another tree may stand there by now
  told_.clear();
  overflowed_ = contradicted_ = false;
  new_rules_.clear();
  tree_.close();
}

void TreeEvents::read(SteadyTime now, ChangeSet& changes) {
  const auto on_each = [this, now, &changes](const Notifier::Event& event) { on_event(event, now, changes); };
  // An overflow makes the rest worthless: the scan that follows sees what it tells. So the queue is emptied first.
  for (int turn = 0; turn < limits::kInotifyReadsPerTurn || (overflowed_ && turn < 8 * limits::kInotifyReadsPerTurn); ++turn) {
    read_on_ = false;
    const bool more = tree_.read(on_each);
    if (tree_.lost()) return;
    if (!more && !overflowed_) resolve_doubts(now, changes);
    if (!more && !read_on_) return;
  }
}

void TreeEvents::resolve_doubts(SteadyTime now, ChangeSet& changes) {
  if (contradicted_) {
    read_on_ = true;
    return rescan(changes);
  }
  for (Differences differences; tree_.scan_doubtful(&differences); differences = {}) {
    tell_found(differences, true, now, changes);
    read_on_ = true;
  }
  for (const auto& [path, rules] : std::exchange(new_rules_, {})) {
    Folder* folder = tree_.snapshot().folder(path);
    if (folder == nullptr) continue;
    Differences differences;
    differences.nothing_lost = true;
    tree_.scan_by_rules(*folder, rules, differences);
    note_unsaid(differences);
    tell_found(differences, true, now, changes);
    read_on_ = true;
  }
}

// What follows in the queue is judged by the new rules; the scan, which needs the old ones, comes when it is empty.
void TreeEvents::renew_rules(Folder& folder, std::string_view entry) {
  auto rules = tree_.renew_rules(folder, entry);
  new_rules_.try_emplace(folder.path(), std::move(rules));
}

void TreeEvents::note_unsaid(Differences& differences) {
  for (auto& file : differences.came_into_sight) unsaid_.push_back({std::move(file.path), file.stamp});
  for (auto& file : differences.went_out_of_sight) {
    unsettled_.take(file.path);
    unsaid_.push_back({std::move(file.path), std::nullopt});
  }
}

void TreeEvents::on_event(const Notifier::Event& event, SteadyTime now, ChangeSet& changes) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) overflowed_ = true;
  if (overflowed_ || tree_.lost()) return;
  if (tree_.root_went(event)) return tree_.lose("was moved away or deleted");
  Folder* folder = tree_.watched_by(event.watch);
  if (folder == nullptr) return;  // a watch that was given back
  if (event.unclear) return on_unclear(*folder, event.name);
  if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) != 0) {
    on_watched_folder(*folder, event.mask, changes);
  } else if (event.name.empty()) {
    return;
  } else if ((event.mask & IN_ISDIR) != 0) {
    on_folder(*folder, event, now, changes);
  } else {
    on_file(*folder, event, now, changes);
  }
}

void TreeEvents::on_unclear(Folder& folder, std::string_view name) {
  if (tree_.rules_of(name)) renew_rules(folder, name);
  tree_.doubt(folder);
}

void TreeEvents::on_watched_folder(Folder& folder, std::uint32_t mask, ChangeSet& changes) {
  if (folder.parent == nullptr) {
    return tree_.lose((mask & IN_MOVE_SELF) != 0 ? "was moved away" : (mask & IN_UNMOUNT) != 0 ? "was unmounted" : "was deleted");
  }
  tree_.forget_watch(folder);
  if ((mask & IN_UNMOUNT) == 0) return;  // its parent tells the rest
  Differences differences;
  tree_.scan(folder, &differences);  // what was below the mount point is seen again
  hark::tell(differences, changes);
}

// ---- files

void TreeEvents::on_file(Folder& folder, const Notifier::Event& event, SteadyTime now, ChangeSet& changes) {
  const auto path = folder.path_of(event.name);
  if (tree_.rules_of(event.name) && (event.mask & IN_MODIFY) == 0) renew_rules(folder, event.name);
  const auto* known = folder.files.find(event.name);
  if ((event.mask & IN_MOVED_TO) != 0) return on_file_arrived(folder, event, path, changes);
  if (known == nullptr) return on_unknown_file(folder, event, path, now, changes);

  if ((event.mask & IN_CLOSE_WRITE) != 0) {
    on_file_closed(path, *known, changes);
  } else if ((event.mask & IN_MODIFY) != 0) {
    unsettled_.modified(path, now + limits::kOpenFileWait);
  } else if ((event.mask & IN_CREATE) != 0) {
    // Found by a scan before its event was read. Its close is still to come.
    if (unsettled_.state(path) == State::created) unsettled_.created(path, now + limits::kOpenFileWait, true);
  } else if ((event.mask & IN_DELETE) != 0) {
    folder.files.erase(event.name);
    file_removed(path, changes);
  } else if ((event.mask & IN_MOVED_FROM) != 0) {
    moves_.push_back({event.cookie, path, false, *known, now + limits::kMoveWait});
    folder.files.erase(event.name);
  }
}

void TreeEvents::on_file_closed(const std::string& path, const FileStamp& known, ChangeSet& changes) {
  const auto waited = unsettled_.take(path);
  if (waited == State::told && look(AT_FDCWD, absolute(path).c_str()).stamp == known) return;
  tell(waited == State::created ? State::created : State::modified, path, changes);
  told_.push_back(path);
}

void TreeEvents::on_unknown_file(Folder& folder, const Notifier::Event& event, const std::string& path, SteadyTime now,
                                 ChangeSet& changes) {
  if ((event.mask & (IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE)) == 0 || !tree_.wants(folder, path)) return;
  conclude_moves_from(path, changes);
  const auto looked = look(AT_FDCWD, absolute(path).c_str());
  if (looked.kind == EntryKind::folder || looked.kind == EntryKind::other) return;
  // Missing: deleted again, or a folder above it was moved meanwhile. What follows in the queue says which.
  if (looked.kind == EntryKind::missing) read_on_ = true;
  folder.files.add(event.name, looked.stamp);
  if ((event.mask & IN_CLOSE_WRITE) != 0 || looked.complete) {
    changes.created(path);
  } else {
    unsettled_.created(path, now + limits::kOpenFileWait, true);
  }
}

void TreeEvents::on_file_arrived(Folder& folder, const Notifier::Event& event, const std::string& path, ChangeSet& changes) {
  const auto move = take_move(event.cookie, false);
  conclude_moves_from(path, changes);
  if (!tree_.wants(folder, path)) {
    if (move) conclude(*move, changes);
    return;
  }
  const bool untold = unsettled_.take(path) == State::created;  // of the file that is replaced
  const bool known = folder.files.find(event.name) != nullptr;
  const bool replaced = known && !untold;
  FileStamp stamp;
  if (move) {
    // A file that moved before anybody could look at it was never looked at.
    stamp = move->stamp.looked_at() ? move->stamp : look(AT_FDCWD, absolute(path).c_str()).stamp;
    const auto waited = unsettled_.take(move->path);
    if (waited) {  // the rename says that it is whole, though its writer may still hold it open
      tell(*waited, move->path, changes);
      unsettled_.told(path);
      told_.push_back(path);
    }
    changes.renamed(move->path, path, replaced);
    if (replaced) doubt_what_stands_at(move->path);
  } else {
    const auto looked = look(AT_FDCWD, absolute(path).c_str());
    if (looked.kind == EntryKind::folder || looked.kind == EntryKind::other) {
      if (known) {
        folder.files.erase(event.name);
        if (replaced) changes.removed(path);
      }
      return;
    }
    if (looked.kind == EntryKind::missing) read_on_ = true;
    stamp = looked.stamp;
    tell(replaced ? State::modified : State::created, path, changes);
  }
  folder.files.set(event.name, stamp);
}

void TreeEvents::file_removed(const std::string& path, ChangeSet& changes) {
  if (unsettled_.take(path) != State::created) changes.removed(path);  // nobody was told of one that was being created
}

// ---- time

void TreeEvents::settle(SteadyTime now, ChangeSet& changes) {
  unsettled_.tell(now, [&](const std::string& path, State state) {
    tell(state, path, changes);
    told_.push_back(path);
    // Written to and not closed, so that nobody has read it anew yet.
    const auto name = last_segment(path);
    Folder* folder = tree_.rules_of(name) ? tree_.snapshot().folder_of(path) : nullptr;
    if (folder != nullptr) renew_rules(*folder, name);
  });
  for (;;) {
    const auto due = std::find_if(moves_.begin(), moves_.end(), [now](const Move& move) { return move.due <= now; });
    if (due == moves_.end()) break;
    const auto move = std::move(*due);
    moves_.erase(due);
    conclude(move, changes);
    doubt_what_stands_at(move.path);
  }
  resolve_doubts(now, changes);
}

std::optional<SteadyTime> TreeEvents::next_settle() const {
  auto next = unsettled_.next();
  for (const auto& move : moves_) {
    if (!next || move.due < *next) next = move.due;
  }
  return next;
}

void TreeEvents::tell_unsettled(ChangeSet& changes) {
  unsettled_.take_all([&](const std::string& path, State state) {
    tell(state, path, changes);
    told_.push_back(path);
  });
}

// ---- telling

void TreeEvents::tell(State state, const std::string& path, ChangeSet& changes) {
  if (state == State::created) changes.created(path);
  if (state == State::modified) changes.modified(path);
}

// ---- certainty

void TreeEvents::rescan(ChangeSet& changes) {
  tell_unsettled(changes);
  refresh_stamps();
  undo_moves(changes);
  overflowed_ = contradicted_ = false;
  Differences differences;
  tree_.scan_all(&differences);
  note_unsaid(differences);
  hark::tell(differences, changes);
  tree_.note_empty_queue();
}

void TreeEvents::retry_unwatched(ChangeSet& changes) {
  Differences differences;
  tree_.scan_unwatched(&differences);
  hark::tell(differences, changes);
  tree_.note_empty_queue();
}

void TreeEvents::doubt_what_differs(TreeSnapshot& seen) {
  for_each_folder(tree_.snapshot().root(), [&](Folder& known) {
    const Folder* found = seen.folder(known.path());
    bool same = found != nullptr && found->files.size() == known.files.size() && found->folders.size() == known.folders.size();
    if (same) {
      known.files.each([&](std::string_view name, const FileStamp& stamp) {
        const auto* file = found->files.find(name);
        same &= file != nullptr && (*file == stamp || !stamp.looked_at());
      });
      for (const auto& child : known.folders) same &= found->folder(child->name) != nullptr;
    }
    // One that is gone is seen missing by the folder it was in.
    if (!same) tree_.doubt(found == nullptr && known.parent != nullptr ? *known.parent : known);
  });
}

void TreeEvents::refresh_stamps() {
  for (const auto& path : told_) {
    Folder* folder = tree_.snapshot().folder_of(path);
    if (folder == nullptr) continue;
    const auto name = last_segment(path);
    if (folder->files.find(name) == nullptr) continue;
    const auto looked = look(AT_FDCWD, absolute(path).c_str());
    if (looked.kind == EntryKind::file) folder->files.set(name, looked.stamp);
  }
  told_.clear();
}

}  // namespace hark
