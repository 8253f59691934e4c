// What the kernel's events about a watched tree mean: reads them and tells the changes. Loop thread only; knows nothing of offers
// and timers (file_watcher does).
//
// A new file and a modified one are told when the writer closes it. The close alone is enough, because a file written through
// mmap gives no IN_MODIFY: opened for writing and closed without a write is told as well. A folder that moves inside the tree is
// told as a rename of every file in it; one that leaves it as a delete of them, one that enters as a create.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "core/change_set.h"
#include "sources/unsettled_files.h"
#include "sources/watched_tree.h"

namespace hark {

class TreeEvents {
 public:
  TreeEvents(std::string root, FileSelection selection, const Clock& clock) : tree_(std::move(root), std::move(selection), clock) {}

  // The first time what is there is what is known; after that the differences to what was known go to `changes`.
  Status open(std::unique_ptr<Notifier> notifier, SteadyTime now, ChangeSet& changes);
  // Gives the watches back. What is known is kept for the next open(); what was not told yet goes to `changes`.
  void close(ChangeSet& changes);
  int descriptor() const { return tree_.descriptor(); }

  // Reads what the kernel has, at most a turn's worth (what is left keeps the descriptor readable).
  void read(SteadyTime now, ChangeSet& changes);
  // Tells what has waited long enough: files that stay open, moves whose other half did not come.
  void settle(SteadyTime now, ChangeSet& changes);
  std::optional<SteadyTime> next_settle() const;

  // Looks at some of the files that open() only listed, where it left any; to be called until it has none left. Reads as read() does.
  void look_further(SteadyTime now, ChangeSet& changes);
  bool has_unlooked() const { return tree_.has_unlooked(); }

  // What became known, or not any more (no stamp), without a change of the file: since the last call.
  struct Unsaid {
    std::string path;
    std::optional<FileStamp> stamp;
  };
  std::vector<Unsaid> take_unsaid() { return std::exchange(unsaid_, {}); }

  // What the tree already holds is what is known: open() tells the differences to it. Before the first open().
  void know() { known_ = true; }
  // `seen`: the tree as somebody else found it. Where it is not as known here, read() will scan it again.
  void doubt_what_differs(TreeSnapshot& seen);

  bool overflowed() const { return overflowed_; }  // events were lost: rescan() is due
  void rescan(ChangeSet& changes);
  void retry_unwatched(ChangeSet& changes);
  const std::optional<Error>& lost() const { return tree_.lost(); }
  std::optional<Error> incomplete() const { return tree_.incomplete(); }
  std::size_t watches() const { return tree_.watches(); }

  // Takes the stamps of the files that were told. A change between its offer and this is safe only as long as the kernel's queue
  // cannot have overflowed meanwhile, so it is done in the same turn; before the offer where there are many.
  void refresh_stamps();
  std::size_t stale_stamps() const { return told_.size(); }

  WatchedTree& tree() { return tree_; }  // for tests

  bool knows(std::string_view path) { return tree_.snapshot().file(path) != nullptr; }
  std::string absolute(std::string_view path) const { return tree_.absolute(path); }

 private:
  using State = UnsettledFiles::State;

  struct Move {  // the first half of a move, waiting for its second
    std::uint32_t cookie;
    std::string path;
    bool folder;
    FileStamp stamp;  // of a file, which is no longer in the snapshot. A folder stays there until it is known where it went.
    SteadyTime due;
  };

  void resolve_doubts(SteadyTime now, ChangeSet& changes);
  void renew_rules(Folder& folder, std::string_view entry);
  void note_unsaid(Differences& differences);
  void on_event(const Notifier::Event& event, SteadyTime now, ChangeSet& changes);
  void on_unclear(Folder& folder, std::string_view name);
  void on_watched_folder(Folder& folder, std::uint32_t mask, ChangeSet& changes);

  void on_file(Folder& folder, const Notifier::Event& event, SteadyTime now, ChangeSet& changes);
  void on_file_closed(const std::string& path, const FileStamp& known, ChangeSet& changes);
  void on_file_arrived(Folder& folder, const Notifier::Event& event, const std::string& path, ChangeSet& changes);
  void on_unknown_file(Folder& folder, const Notifier::Event& event, const std::string& path, SteadyTime now, ChangeSet& changes);
  void file_removed(const std::string& path, ChangeSet& changes);

  void on_folder(Folder& parent, const Notifier::Event& event, SteadyTime now, ChangeSet& changes);
  void on_folder_appeared(Folder& parent, const Notifier::Event& event, SteadyTime now, ChangeSet& changes);
  void on_folder_moved(const std::string& from, Folder& parent, const Notifier::Event& event, SteadyTime now, ChangeSet& changes);
  void tell_found(const Differences& differences, bool being_filled, SteadyTime now, ChangeSet& changes);
  void file_moved_along(const std::string& from, const std::string& to, ChangeSet& changes);
  void forget_folder(Folder& folder, ChangeSet& changes);

  std::optional<Move> take_move(std::uint32_t cookie, bool folder);
  void conclude_moves_from(const std::string& path, ChangeSet& changes);
  void conclude(const Move& move, ChangeSet& changes);
  static void tell(State state, const std::string& path, ChangeSet& changes);
  void tell_unsettled(ChangeSet& changes);
  void doubt_what_stands_at(const std::string& path);
  void undo_moves(ChangeSet& changes);

  WatchedTree tree_;
  bool known_ = false;    // scanned before
  bool read_on_ = false;  // in this read the disk was seen to be ahead of the events: more are in the queue
  UnsettledFiles unsettled_;
  std::vector<Move> moves_;
  std::vector<std::string> told_;  // their stamps are stale
  std::map<std::string, WatchedTree::NewRules> new_rules_;  // by folder that says something new of what is ignored
  std::vector<Unsaid> unsaid_;
  bool overflowed_ = false;
  bool contradicted_ = false;  // what is known cannot be true: all is to be scanned
};

}  // namespace hark
