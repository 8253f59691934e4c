// Tells, through inotify, that branches or tags of a repository may have moved. Only what can move one wakes the source: an index, a
// lock file or an object that comes and goes does not.
//
// Watched: the common git folder (packed-refs, HEAD, refs), refs, refs/heads and refs/tags, those that are wanted, with every folder below them
// (names hold slashes), and the folders above, whose moving away means that the path no longer names this repository.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <unordered_map>

#include "core/result.h"
#include "sources/git_repository.h"
#include "sources/inotify_hub.h"

namespace hark {

// Owned by the loop thread. Not moved: the hub holds its address.
class RefWatch final : public InotifyHub::Listener {
 public:
  enum class Change {
    references,  // read the branches again
    structure,   // what is watched may no longer be what the path names (moved, replaced, too much at once): make a new RefWatch
                 // too
  };
  using Callback = std::function<void(Change)>;  // must not destroy the RefWatch

  struct What {
    std::filesystem::path repository;  // as configured
    WantedRefs wanted{};
  };
  // What happens after this returned is told.
  static Result<std::unique_ptr<RefWatch>> start(const What& what, const GitFolders& folders, std::shared_ptr<InotifyHub> hub,
                                                 Callback changed);
  ~RefWatch() override;
  RefWatch(const RefWatch&) = delete;
  RefWatch& operator=(const RefWatch&) = delete;

 private:
  enum Role : unsigned { kAbove = 1, kGit = 2, kRefs = 4, kKind = 8, kBelowKind = 16 };  // kKind: refs/heads or refs/tags
  struct Folder {
    std::filesystem::path path;
    unsigned roles = 0;  // one folder may have several: one inode has one watch
  };

  RefWatch(std::shared_ptr<InotifyHub> hub, What what, Callback changed);
  bool is_watched(std::string_view kind) const;
  Status watch_all(const GitFolders& folders);
  Status add(const std::filesystem::path& folder, Role role, bool* was_new = nullptr);
  Status add_tree(const std::filesystem::path& folder, Role role);
  void heard(int descriptor, std::uint32_t mask, const char* name) override;
  void heard_about_folder(const Folder& folder, std::uint32_t mask);

  const std::shared_ptr<InotifyHub> hub_;
  const What what_;
  const Callback changed_;
  std::unordered_map<int, Folder> folders_;  // by watch descriptor
};

}  // namespace hark
