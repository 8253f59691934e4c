// A tree whose folders are watched: keeps the kernel's watches and the snapshot in step with the disk by scanning.
//
// A watch is set before its folder is listed, so that nothing can hide between the two. Whatever is uncertain (a new folder, an
// overflow, a restart, a folder that could not be watched for a while) is settled in one way: scan() compares the disk with what
// was known. What events mean is tree_events' business. Loop thread only.
//
// Events tell of the past, a scan sees the present, and it goes by paths: while a move waits in the queue, the paths below it lead
// nowhere, or to another folder that has taken the place. Nor does an event stand in the queue at once: rename(2) makes its work
// visible, and then tells of it. Two rules make up for that. What a scan does not find stays known until an event says what became
// of it (its parent is watched, so one will come). And a folder that was scanned since the queue was last seen empty, long enough
// ago, is in doubt when it turns out to have moved: scan_doubtful() scans it again under its new path. A move of what has long been
// known costs no scan.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "sources/differences.h"
#include "sources/file_selection.h"
#include "sources/folder_listing.h"
#include "sources/ignore_files.h"
#include "sources/notifier.h"
#include "sources/tree_snapshot.h"

namespace hark {

class Clock;

class WatchedTree {
 public:
  // `root`: absolute; a symbolic link to a folder is followed here, and nowhere below.
  WatchedTree(std::string root, FileSelection selection, const Clock& clock);

  // Scans, with `notifier` to tell of what happens from then on; null: nothing does. Differences to what an earlier open() knew are
  // added to `differences` (null: not of interest, and the files are only listed).
  Status open(std::unique_ptr<Notifier> notifier, Differences* differences);
  void close();  // gives the watches back, keeps what is known

  int descriptor() const { return notifier_->descriptor(); }
  // Reads once; false: the queue was empty then. What was scanned before that is beyond doubt limits::kLateEvent later.
  bool read(const std::function<void(const Notifier::Event&)>& on_event);
  // The same, where nothing is in the queue. Not within read().
  void note_empty_queue();

  TreeSnapshot& snapshot() { return snapshot_; }
  bool wants(const Folder& folder, std::string_view path) const;   // a file in it
  bool enters(const Folder& folder, std::string_view path) const;  // a folder in it
  bool depends_on_folder() const { return selection_.depends_on_folder() || ignore_files_.any(); }
  std::string absolute(std::string_view path) const;

  Folder* watched_by(int watch);
  // An event of a folder above the root that says that the root is no longer where it was.
  bool root_went(const Notifier::Event& event) const;

  // Sets watches for `top` and all below and takes note of what is there. `top` is gone afterwards if it is on the disk.
  void scan(Folder& top, Differences* differences);
  void scan_all(Differences* differences);
  // Tries the folders again that could not be watched, and scans them: what changes in them is seen late, but seen.
  void scan_unwatched(Differences* differences);

  // Looks at files that open() only listed, at most limits::kLooksPerTurn of them. What it finds is true only if no event was lost
  // by then: the caller empties the queue, and hands it to note() if so, to put_off() if not. Empty: all were looked at.
  struct Looks {
    std::vector<std::string> folders;  // these were looked at whole
    std::vector<std::pair<std::string, FileStamp>> files;
  };
  Looks look_further();
  void note(const Looks& looks);
  void put_off(Looks looks);
  bool has_unlooked() const { return !listed_.empty(); }
  bool queue_empty() const { return notifier_->empty(); }

  // Is this what says in a folder what is to be ignored in it and below?
  bool rules_of(std::string_view entry) const;
  // It may say something new, which holds from now on.
  struct NewRules {
    std::unique_ptr<FolderRules> before;  // what the folder said
    std::int64_t since_ns = 0;            // from when on, by the clock of files; at the earliest
  };
  NewRules renew_rules(Folder& folder, std::string_view entry);
  // Scans it, where it said something else at the last scan. What was there before it said so, and comes into sight or leaves it only by
  // that, is no change.
  void scan_by_rules(Folder& folder, const NewRules& rules, Differences& differences);

  // `top` and all below it have been moved in the snapshot as they were on the disk.
  void moved(Folder& top);
  void doubt(Folder& folder) { doubtful_.insert(&folder); }
  // Scans one folder that is in doubt, and what is new below; to be called when the queue is empty. False: there was none. What one
  // call found is older than what the next one finds.
  bool scan_doubtful(Differences* differences);

  // Asks the kernel anew; false: this is no longer the folder that was watched.
  bool still_watches(Folder& folder);
  void forget_watch(Folder& folder);  // the kernel dropped it
  void drop(Folder& folder, std::vector<FoundFile>* removed);

  // The root is no longer at its path: nothing that is seen from here on can be trusted.
  void lose(const std::string& why);
  const std::optional<Error>& lost() const { return lost_; }
  // Set while folders cannot be watched.
  std::optional<Error> incomplete() const;
  std::size_t watches() const { return watches_.size() + ancestors_.size(); }
  bool out_of_watches() const { return out_of_watches_; }

  bool looks_at_all = false;  // each file at its first scan already, not only its name

  // For tests: called before a folder is watched, and again before it is listed.
  std::function<void(const std::string& folder, std::string_view next)> seam;
  bool withheld = false;  // for tests: what happened is not in the queue yet

 private:
  struct EmptyQueue {
    std::uint64_t read;
    SteadyTime when;
  };
  enum class Watched { yes, no, gone };
  void note_empty_queue(std::uint64_t read);
  void settle();
  Watched watch(Folder& folder);
  void unwatch(Folder& folder);
  void cannot_watch(Folder& folder, int error);
  void scan_one(Folder& folder, std::vector<Folder*>& todo, Differences* differences);
  void list_file(Folder& folder, const FolderListing::Entry& entry, FileTable& files, Differences* differences);
  bool changed(const FileStamp& known, const Looked& looked, bool nothing_lost) const;
  void read_rules_of(Folder& folder);  // whose listing stands in listing_
  bool ignored_below(const Folder& top, IgnoreFiles::Instead instead, std::string_view path) const;
  void scan_all_of(std::vector<Folder*> todo, Differences* differences);
  bool lists_only() const { return notifier_ != nullptr && !looks_at_all; }
  void gone(const Folder& folder);
  void drop_missing(Folder& folder, const std::vector<std::string_view>& there, Differences* differences);
  void watch_ancestors();

  std::string root_;
  FileSelection selection_;
  const Clock& clock_;
  TreeSnapshot snapshot_;
  IgnoreFiles ignore_files_;
  FolderListing listing_;
  std::string path_;              // of the entry that is looked at; here to keep its memory
  std::vector<std::string> listed_;  // folders whose files are only listed
  std::int64_t quiet_ns_ = 0;        // of the same clock as known_since_: when the queue was last seen to be empty
  std::int64_t known_since_ = 0;     // ns since 1970: files that nobody has looked at since are as they were then
  std::unique_ptr<Notifier> notifier_;
  std::unordered_map<int, Folder*> watches_;
  std::unordered_set<int> ancestors_;
  int parent_ = -1;        // of the ancestors, the one the root stands in,
  std::string root_name_;  // and under which name
  std::unordered_set<Folder*> unwatched_;
  std::unordered_set<Folder*> moved_;     // their watches are to be compared with what stands at their new paths
  std::unordered_set<Folder*> doubtful_;  // to be scanned again
  std::uint64_t reads_ = 0;
  std::uint64_t settled_ = 0;  // what was scanned before this read is beyond doubt
  // Reads that emptied the queue too short a time ago: the last one, and the one that is to become `settled_` while more follow.
  std::optional<EmptyQueue> empty_, last_empty_;
  std::optional<Error> why_unwatched_;  // of the first
  bool out_of_watches_ = false;         // in this scan: a large tree need not ask the kernel for each of its folders
  std::optional<Error> lost_;
};

}  // namespace hark
