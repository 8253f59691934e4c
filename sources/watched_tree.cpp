#include "sources/watched_tree.h"

#include <fcntl.h>
#include <sys/inotify.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "core/limits.h"
#include "platform/clock.h"
#include "sources/inotify.h"

namespace hark {
namespace {

// IN_EXCL_UNLINK: a deleted file that somebody still writes to is no longer in the tree.
constexpr std::uint32_t kFolderMask =
    IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr std::uint32_t kRootMask = kFolderMask | IN_DELETE_SELF | IN_MOVE_SELF;

bool is_gone(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

std::int64_t nanoseconds(WallTime time) { return std::chrono::nanoseconds(time.time_since_epoch()).count(); }

template <class Which>
void move_those(std::vector<FoundFile>& from, std::vector<FoundFile>& to, const Which& which) {
  const auto moved = std::stable_partition(from.begin(), from.end(), [&](const FoundFile& file) { return !which(file); });
  std::move(moved, from.end(), std::back_inserter(to));
  from.erase(moved, from.end());
}

constexpr auto kCure = "create it, or correct `path`";

}  // namespace

WatchedTree::WatchedTree(std::string root, FileSelection selection, const Clock& clock)
    : root_(std::move(root)), selection_(std::move(selection)), clock_(clock) {}

std::string WatchedTree::absolute(std::string_view path) const {
  std::string absolute;
  absolute.reserve(root_.size() + 1 + path.size());
  absolute = root_;
  if (path.empty()) return absolute;
  if (absolute.back() != '/') absolute.push_back('/');
  return absolute.append(path);
}

Status WatchedTree::open(std::unique_ptr<Notifier> notifier, Differences* differences) {
  notifier_ = std::move(notifier);
  lost_.reset();
  if (notifier_) watch_ancestors();
  if (selection_.reads_ignore_files()) ignore_files_ = IgnoreFiles::above(root_);
  if (differences == nullptr) known_since_ = nanoseconds(clock_.now().wall - limits::kFileTimeGrain);
  scan_all(differences);
  if (lost_) {
    const Error error = *lost_;
    close();
    return error;
  }
  if (notifier_ && snapshot_.root().watch < 0) {
    const Error error = why_unwatched_.value_or(Error{"cannot watch " + root_, ""});
    close();
    return error;
  }
  return {};
}

void WatchedTree::close() {
  notifier_.reset();  // with it the kernel drops all watches
  watches_.clear();
  ancestors_.clear();
  parent_ = -1;
  unwatched_.clear();
  moved_.clear();
  doubtful_.clear();
  why_unwatched_.reset();
  for_each_folder(snapshot_.root(), [](Folder& folder) { folder.watch = -1; });
}

bool WatchedTree::read(const std::function<void(const Notifier::Event&)>& on_event) {
  const auto number = ++reads_;
  settle();
  const bool more = !withheld && notifier_->read(on_event);
  if (!more) note_empty_queue(number);
  return more;
}

void WatchedTree::note_empty_queue() {
  if (notifier_ && notifier_->empty()) note_empty_queue(++reads_);
}

void WatchedTree::note_empty_queue(std::uint64_t read) {
  last_empty_ = {read, clock_.now().steady};
  quiet_ns_ = nanoseconds(clock_.now().wall - limits::kFileTimeGrain);
  if (!empty_) empty_ = last_empty_;
}

void WatchedTree::settle() {
  const auto late = clock_.now().steady - limits::kLateEvent;
  if (last_empty_ && last_empty_->when <= late) {
    settled_ = std::exchange(last_empty_, std::nullopt)->read;
    empty_.reset();
  } else if (empty_ && empty_->when <= late) {
    settled_ = std::exchange(empty_, last_empty_)->read;
  }
}

Folder* WatchedTree::watched_by(int watch) {
  const auto at = watches_.find(watch);
  return at == watches_.end() ? nullptr : at->second;
}

// A folder above that is moved takes the root with it without a word to the root's own watch. And a root that is deleted while it
// is somebody's working directory says so itself only when that one leaves it: its parent says so at once.
void WatchedTree::watch_ancestors() {
  std::error_code error;
  const auto real = std::filesystem::canonical(root_, error);
  if (error) return;  // the scan will say why
  root_name_ = real.filename().string();
  for (auto above = real.parent_path(); above != above.parent_path(); above = above.parent_path()) {
    const bool parent = above == real.parent_path();
    const int watch = notifier_->add(above.string(), IN_MOVE_SELF | IN_ONLYDIR | (parent ? IN_DELETE : 0));
    if (watch < 0) continue;  // a folder that may be passed through but not read
    ancestors_.insert(watch);
    if (parent) parent_ = watch;
  }
}

bool WatchedTree::root_went(const Notifier::Event& event) const {
  if (ancestors_.count(event.watch) == 0) return false;
  if ((event.mask & IN_MOVE_SELF) != 0) return true;
  return event.watch == parent_ && (event.mask & IN_DELETE) != 0 && (event.mask & IN_ISDIR) != 0 && event.name == root_name_;
}

void WatchedTree::scan_all(Differences* differences) {
  why_unwatched_.reset();
  listed_.clear();
  scan(snapshot_.root(), differences);
  if (differences == nullptr) return;
  // One that is ignored now and still there was not removed: another file, which says what is ignored, has changed meanwhile. (To be there
  // is not enough: another machine's file system remembers a file for a while.)
  move_those(differences->removed, differences->went_out_of_sight, [this](const FoundFile& file) {
    return ignored_below(snapshot_.root(), {}, file.path) && look(AT_FDCWD, absolute(file.path).c_str()).kind == EntryKind::file;
  });
}

void WatchedTree::scan(Folder& top, Differences* differences) {
  out_of_watches_ = false;
  scan_all_of({&top}, differences);
}

void WatchedTree::scan_all_of(std::vector<Folder*> todo, Differences* differences) {
  while (!todo.empty()) {
    Folder& folder = *todo.back();
    todo.pop_back();
    scan_one(folder, todo, differences);
  }
}

void WatchedTree::scan_unwatched(Differences* differences) {
  std::vector<std::string> paths;
  for (const Folder* folder : unwatched_) paths.push_back(folder->path());
  why_unwatched_.reset();
  for (const auto& path : paths) {
    Folder* folder = snapshot_.folder(path);
    if (folder != nullptr && unwatched_.count(folder) > 0) scan(*folder, differences);
  }
}

void WatchedTree::moved(Folder& top) {
  moved_.insert(&top);
  for_each_folder(top, [this](Folder& folder) {
    if (folder.watch < 0 || folder.scanned >= settled_) doubt(folder);
  });
}

bool WatchedTree::scan_doubtful(Differences* differences) {
  for (Folder* folder : std::exchange(moved_, {})) {
    if (still_watches(*folder)) continue;
    for_each_folder(*folder, [this](Folder& each) { doubt(each); });
  }
  if (doubtful_.empty()) return false;
  out_of_watches_ = false;
  Folder& folder = **doubtful_.begin();
  std::vector<Folder*> below;
  scan_one(folder, below, differences);
  // Of what was known it is enough that the names still mean the same folders.
  std::erase_if(below, [this](Folder* each) { return each->watch >= 0 && still_watches(*each); });
  scan_all_of(std::move(below), differences);
  return true;
}

void WatchedTree::scan_one(Folder& folder, std::vector<Folder*>& todo, Differences* differences) {
  folder.scanned = reads_;
  doubtful_.erase(&folder);
  if (seam) seam(folder.path(), "watch");
  if (watch(folder) == Watched::gone) return gone(folder);
  if (seam) seam(folder.path(), "list");

  const int error = listing_.read(absolute(folder.path()), folder.parent == nullptr);
  if (error != 0) listing_.close();
  if (is_gone(error)) return gone(folder);
  if (error != 0) return cannot_watch(folder, error);  // what was known of it stays known until it can be read
  read_rules_of(folder);

  FileTable files;
  files.reserve(folder.files.size(), 0);
  std::vector<std::string_view> folders;
  path_ = folder.path_of("");
  const auto prefix = path_.size();
  for (const auto& entry : listing_.entries()) {
    path_.resize(prefix);
    path_ += listing_.name(entry);
    if (entry.kind == EntryKind::folder && enters(folder, path_)) folders.emplace_back(listing_.name(entry));
    if (entry.kind == EntryKind::file && wants(folder, path_)) list_file(folder, entry, files, differences);
  }
  std::swap(folder.files, files);
  if (differences == nullptr && lists_only() && !folder.files.empty()) listed_.push_back(folder.path());
  if (differences != nullptr) {
    files.each([&](std::string_view name, const FileStamp& stamp) {
      if (folder.files.find(name) == nullptr) differences->removed.push_back({folder.path_of(name), stamp, true});
    });
  }
  drop_missing(folder, folders, differences);
  listing_.close();  // an open folder would keep its file system from being unmounted
  for (const auto& name : folders) todo.push_back(&snapshot_.add_folder(folder, name));
}

// A tree that is seen for the first time is only listed: to look at every file takes as long as all the rest, and can be done while it is
// watched already. Should events be lost before, what changed is told by its ctime.
void WatchedTree::list_file(Folder& folder, const FolderListing::Entry& entry, FileTable& files, Differences* differences) {
  const auto* name = listing_.name(entry);
  if (differences == nullptr && lists_only()) {
    files.add(name, {0, entry.inode});
    return;
  }
  const auto looked = look(listing_.descriptor(), name);
  if (looked.kind != EntryKind::file) return;  // gone meanwhile; its event is in the queue
  if (differences != nullptr) {
    const FileStamp* known = folder.files.find(name);
    if (known == nullptr) {
      differences->created.push_back({path_, looked.stamp, looked.complete, looked.modified_ns < known_since_, looked.changed_ns});
    } else if (changed(*known, looked, differences->nothing_lost)) {
      differences->modified.push_back(path_);
    }
  }
  files.add(name, looked.stamp);
}

bool WatchedTree::changed(const FileStamp& known, const Looked& looked, bool nothing_lost) const {
  if (!notifier_) return known.content != looked.stamp.content;  // where it is polled, an inode's number may be made up at each mount
  if (known.looked_at()) return known != looked.stamp;
  return known.inode != looked.stamp.inode || (!nothing_lost && looked.changed_ns >= known_since_);
}

WatchedTree::Looks WatchedTree::look_further() {
  Looks looks;
  while (!listed_.empty() && looks.files.size() < limits::kLooksPerTurn) {
    looks.folders.push_back(std::move(listed_.back()));
    listed_.pop_back();
    const Folder* folder = snapshot_.folder(looks.folders.back());
    if (folder == nullptr) continue;  // its files were looked at where it went
    folder->files.each([&](std::string_view name, const FileStamp& known) {
      if (known.looked_at()) return;
      auto path = folder->path_of(name);
      const auto looked = look(AT_FDCWD, absolute(path).c_str());
      if (looked.kind == EntryKind::file && looked.stamp.inode == known.inode) looks.files.emplace_back(std::move(path), looked.stamp);
    });
  }
  return looks;
}

void WatchedTree::note(const Looks& looks) {
  for (const auto& [path, stamp] : looks.files) {
    Folder* folder = snapshot_.folder_of(path);
    const auto* known = folder == nullptr ? nullptr : folder->files.find(last_segment(path));
    if (known != nullptr && !known->looked_at() && known->inode == stamp.inode) folder->files.set(last_segment(path), stamp);
  }
}

void WatchedTree::put_off(Looks looks) {
  for (auto& folder : looks.folders) listed_.push_back(std::move(folder));
}

void WatchedTree::drop_missing(Folder& folder, const std::vector<std::string_view>& there, Differences* differences) {
  if (folder.folders.empty()) return;
  const std::unordered_set<std::string_view> names(there.begin(), there.end());
  std::vector<Folder*> missing;
  for (const auto& child : folder.folders) {
    if (names.count(child->name) == 0) missing.push_back(child.get());
  }
  for (Folder* child : missing) drop(*child, differences == nullptr ? nullptr : &differences->removed);
}

// ---- what is meant

bool WatchedTree::wants(const Folder& folder, std::string_view path) const {
  return selection_.wants(path) && !ignore_files_.ignores(folder, path, false);
}

bool WatchedTree::enters(const Folder& folder, std::string_view path) const {
  return selection_.enters(path) && !ignore_files_.ignores(folder, path, true);
}

bool WatchedTree::rules_of(std::string_view entry) const {
  return selection_.reads_ignore_files() && (entry == IgnoreFiles::kName || entry == IgnoreFiles::kRepository);
}

void WatchedTree::read_rules_of(Folder& folder) {
  if (!selection_.reads_ignore_files()) return;
  bool rules = false, repository = false;
  for (const auto& entry : listing_.entries()) {
    const std::string_view name = listing_.name(entry);
    rules |= name == IgnoreFiles::kName;
    repository |= name == IgnoreFiles::kRepository;
  }
  folder.rules = ignore_files_.read(absolute(folder.path()), rules, repository);
}

WatchedTree::NewRules WatchedTree::renew_rules(Folder& folder, std::string_view entry) {
  const auto here = absolute(folder.path()) + "/";
  const auto at = [&](std::string_view name) { return look(AT_FDCWD, (here + std::string(name)).c_str()); };
  const auto changed = at(entry);
  NewRules rules;
  // When one was deleted nobody says; it is read soon after.
  const auto deleted_ns = std::max(quiet_ns_, nanoseconds(clock_.now().wall - limits::kRulesLag));
  rules.since_ns = changed.kind == EntryKind::missing ? deleted_ns : changed.changed_ns;
  rules.before = std::exchange(folder.rules, ignore_files_.read(here, at(IgnoreFiles::kName).kind != EntryKind::missing,
                                                                 at(IgnoreFiles::kRepository).kind != EntryKind::missing));
  return rules;
}

void WatchedTree::scan_by_rules(Folder& folder, const NewRules& rules, Differences& differences) {
  const auto path = folder.path();
  scan(folder, &differences);
  Folder* now = snapshot_.folder(path);
  if (now == nullptr) return;
  move_those(differences.created, differences.came_into_sight, [&](const FoundFile& file) {
    return file.changed_ns < rules.since_ns && ignored_below(*now, {now, rules.before.get()}, file.path);
  });
  move_those(differences.removed, differences.went_out_of_sight, [&](const FoundFile& file) { return ignored_below(*now, {}, file.path); });
}

// By any of the folders between the two, or itself.
bool WatchedTree::ignored_below(const Folder& top, IgnoreFiles::Instead instead, std::string_view path) const {
  const Folder* at = &top;
  for (auto slash = path.find('/', top.parent == nullptr ? 0 : top.path().size() + 1); at != nullptr; slash = path.find('/', slash + 1)) {
    if (slash == path.npos) return ignore_files_.ignores(*at, path, false, instead);
    const auto folder = path.substr(0, slash);
    if (ignore_files_.ignores(*at, folder, true, instead)) return true;
    at = at->folder(last_segment(folder));
  }
  return false;  // a folder that went as well
}

// It, or a folder above it, was moved or deleted after its name was read. Which of these, the queue knows.
void WatchedTree::gone(const Folder& folder) {
  if (folder.parent == nullptr) lose("does not exist or is no folder");
}

void WatchedTree::drop(Folder& folder, std::vector<FoundFile>* removed) {
  for_each_folder(folder, [&](Folder& each) {
    unwatch(each);
    unwatched_.erase(&each);
    moved_.erase(&each);
    doubtful_.erase(&each);
    if (removed == nullptr) return;
    each.files.each([&](std::string_view name, const FileStamp& stamp) { removed->push_back({each.path_of(name), stamp, true}); });
  });
  snapshot_.detach(folder);
}

// Asks the kernel in any case: the folder at this path may be another one than the one the watch was set for.
WatchedTree::Watched WatchedTree::watch(Folder& folder) {
  if (!notifier_) return Watched::yes;
  int number = -ENOSPC;
  if (!out_of_watches_ || folder.watch >= 0) {
    number = notifier_->add(absolute(folder.path()), folder.parent == nullptr ? kRootMask : kFolderMask | IN_DONT_FOLLOW);
  }
  if (number < 0) {
    if (is_gone(-number)) return Watched::gone;
    unwatch(folder);
    cannot_watch(folder, -number);
    return Watched::no;
  }
  unwatched_.erase(&folder);
  if (folder.watch == number) return Watched::yes;
  unwatch(folder);
  const auto [at, added] = watches_.try_emplace(number, &folder);
  if (!added) {  // the kernel knows it under its old path, from where it was moved here
    at->second->watch = -1;
    at->second = &folder;
  }
  folder.watch = number;
  return Watched::yes;
}

bool WatchedTree::still_watches(Folder& folder) {
  const int before = folder.watch;
  return watch(folder) == Watched::yes && folder.watch == before;
}

void WatchedTree::unwatch(Folder& folder) {
  if (folder.watch < 0) return;
  notifier_->remove(folder.watch);
  forget_watch(folder);
}

void WatchedTree::forget_watch(Folder& folder) {
  watches_.erase(folder.watch);
  folder.watch = -1;
}

void WatchedTree::cannot_watch(Folder& folder, int error) {
  if (error == ENOSPC) out_of_watches_ = true;
  unwatched_.insert(&folder);
  if (!why_unwatched_) why_unwatched_ = watch_error(error, absolute(folder.path()));
}

void WatchedTree::lose(const std::string& why) {
  if (!lost_) lost_ = Error{root_ + " " + why, kCure};
}

std::optional<Error> WatchedTree::incomplete() const {
  if (unwatched_.empty() || !why_unwatched_) return std::nullopt;
  Error error = *why_unwatched_;
  const auto others = unwatched_.size() - 1;
  if (others > 0) error.message += ", and " + std::to_string(others) + (others == 1 ? " other folder" : " other folders");
  error.message += "; changes there are found late, or not at all";
  return error;
}

}  // namespace hark
