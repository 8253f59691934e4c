#include "sources/ref_watch.h"

#include <sys/inotify.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "platform/errno_text.h"

namespace hark {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kSelf = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
// IN_CLOSE_WRITE: git renames its lock file into place, a script may write the file itself.
constexpr std::uint32_t kEntries = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE;

Error watch_error(const fs::path& folder, int code) {
  const std::string what = "folder " + folder.string() + " cannot be watched: " + errno_text(code);
  if (code == ENOSPC) return {what, "raise the limit: sysctl fs.inotify.max_user_watches=524288"};
  if (code == EACCES) return {what, "let the user that hark runs as read it"};
  return {what, "see that the repository is whole: git fsck"};
}

}  // namespace

RefWatch::RefWatch(std::shared_ptr<InotifyHub> hub, What what, Callback changed) : hub_(std::move(hub)), what_(std::move(what)), changed_(std::move(changed)) {}

RefWatch::~RefWatch() {
  for (const auto& [descriptor, _] : folders_) hub_->remove(descriptor, *this);
}

Result<std::unique_ptr<RefWatch>> RefWatch::start(const What& what, const GitFolders& folders, std::shared_ptr<InotifyHub> hub, Callback changed) {
  std::unique_ptr<RefWatch> watch(new RefWatch(std::move(hub), what, std::move(changed)));
  if (auto status = watch->watch_all(folders); !status) return status.error();
  return watch;
}

Status RefWatch::watch_all(const GitFolders& folders) {
  // Of the folders above only their own moving matters; one that may be passed but not read cannot be watched, and is left out.
  for (fs::path below : {what_.repository, folders.git, folders.common}) {
    for (; below.has_relative_path(); below = below.parent_path()) (void)add(below, kAbove);
  }
  if (auto status = add(folders.common, kGit); !status) return status;
  if (auto status = add(folders.common / "refs", kRefs); !status) return status;
  for (const char* kind : {"heads", "tags"}) {
    const fs::path folder = folders.common / "refs" / kind;
    std::error_code ignored;
    if (!is_watched(kind) || !fs::is_directory(folder, ignored)) continue;
    if (auto status = add_tree(folder, kKind); !status) return status;
  }
  return {};
}

bool RefWatch::is_watched(std::string_view kind) const {
  return (what_.wanted.branches && kind == "heads") || (what_.wanted.tags && kind == "tags");
}

Status RefWatch::add(const fs::path& folder, Role role, bool* was_new) {
  const std::uint32_t mask = kSelf | (role == kAbove ? 0 : kEntries);
  const int descriptor = hub_->add(folder, mask, *this);
  if (descriptor < 0) return watch_error(folder, errno);
  Folder& entry = folders_[descriptor];
  if (was_new != nullptr) *was_new = (entry.roles & role) == 0;
  entry.path = folder;
  entry.roles |= role;
  return {};
}

Status RefWatch::add_tree(const fs::path& root, Role role) {
  std::vector<fs::path> waiting{root};
  while (!waiting.empty()) {
    const fs::path folder = std::move(waiting.back());
    waiting.pop_back();
    if (folders_.size() > limits::kGitRefFolders) {
      return Error{"below " + root.string() + " are more than " + std::to_string(limits::kGitRefFolders) + " folders",
                   "git pack-refs --all makes most of them go"};
    }
    bool was_new = false;
    const Status status = add(folder, folder == root ? role : kBelowKind, &was_new);
    std::error_code error;
    if (!status && !fs::exists(folder, error)) continue;  // git removes folders that became empty
    if (!status) return status;
    if (!was_new) continue;  // a link back upwards would lead round for ever
    // Watched first, listed after: what comes in between is seen twice, not never.
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      std::error_code gone;
      if (entry->is_directory(gone)) waiting.push_back(entry->path());
    }
  }
  return {};
}

void RefWatch::heard(int descriptor, std::uint32_t mask, const char* name) {
  if ((mask & (IN_Q_OVERFLOW | IN_UNMOUNT)) != 0) return changed_(Change::structure);
  const auto found = folders_.find(descriptor);
  if (found == folders_.end()) return;
  if ((mask & IN_IGNORED) != 0) {
    folders_.erase(found);
    return;
  }
  const Folder folder = found->second;  // a copy: adding folders moves the map
  if ((mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0) return heard_about_folder(folder, mask);

  const std::string_view entry = name;
  if ((folder.roles & kGit) != 0) {
    if (entry == "refs") return changed_(Change::structure);
    if (entry == "packed-refs" || entry == "HEAD") changed_(Change::references);
  }
  if ((folder.roles & kRefs) != 0 && is_watched(entry)) return changed_(Change::structure);
  if ((folder.roles & (kKind | kBelowKind)) == 0 || entry.ends_with(".lock")) return;
  if ((mask & IN_ISDIR) != 0 && (mask & IN_MOVED_FROM) != 0) return changed_(Change::structure);
  if ((mask & IN_ISDIR) != 0 && (mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
    // A new watch set makes the same mistake again, and there it becomes the source's error.
    if (!add_tree(folder.path / name, kBelowKind)) return changed_(Change::structure);
  }
  changed_(Change::references);
}

void RefWatch::heard_about_folder(const Folder& folder, std::uint32_t mask) {
  const bool empty_folder_went = folder.roles == kBelowKind && (mask & IN_DELETE_SELF) != 0;
  changed_(empty_folder_went ? Change::references : Change::structure);
}

}  // namespace hark
