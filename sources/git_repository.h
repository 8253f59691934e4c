// A local git repository as the source `git_push` needs it: where its branches and tags stand, and what lies
// between two commits.
//
// Everything here blocks and is meant for a worker thread; one GitRepository serves one thread
// at a time (libgit2's THREADING.md), is opened for one read and dropped (70 µs), so that nothing it cached is ever stale.
// prepare_libgit2() comes before anything of it (sources/libgit2.h). Only reads. A commit, a name and a path found in a repository are hostile bytes: they are bounded here, made UTF-8 by Payload.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/change_set.h"
#include "core/result.h"
#include "core/time.h"

struct git_repository;

namespace hark {

// Full name of a reference ("refs/heads/main") -> 40 hex digits: a branch's commit, a tag's commit or, of an annotated one, its tag
// object. A symbolic one counts as what it points to.
using RefTips = std::map<std::string, std::string>;

// What a git hook and the forges write where a reference was not there before, or is not there any more.
inline constexpr std::string_view kNoCommit = "0000000000000000000000000000000000000000";

struct GitFolders {
  std::filesystem::path git;     // of this work tree: where HEAD is
  std::filesystem::path common;  // where the branches are; differs from `git` in a linked work tree
  bool operator==(const GitFolders&) const = default;
};

struct RefsRead {
  RefTips tips;
  std::vector<std::string>
      unreadable;  // "refs/heads/x: why": known references whose file is there and damaged; their tip is the known one
};

// Which references a source is asked to tell of, by patterns over their names ("main", "release/*": `*` and `?` cross slashes). An empty
// list: every one of that kind; none: none.
struct WantedRefs {
  std::optional<std::vector<std::string>> branches = std::vector<std::string>{};
  std::optional<std::vector<std::string>> tags;

  bool fits(std::string_view ref) const;
  friend bool operator==(const WantedRefs&, const WantedRefs&) = default;
};

inline constexpr std::string_view kBranchRefs = "refs/heads/";
inline constexpr std::string_view kTagRefs = "refs/tags/";

struct GitCommit {
  std::string id;
  std::string message;  // UTF-8 as far as the commit says the truth about itself; at most limits::kGitMessage bytes
  bool message_truncated = false;
  std::string author_name;
  std::string author_email;
  WallTime time{};  // of the commit, not of the authorship
};

struct GitRange {
  std::vector<GitCommit> commits;  // newest first, at most limits::kGitCommits
  bool commits_truncated = false;
  std::vector<Change> changes;  // sorted by path, at most limits::kGitFiles; a file moved as it is is one rename
  bool files_truncated = false;
  bool forced = false;     // `before` is no ancestor of `after`
  GitCommit tip;           // `after`; id empty: deleted, or unreadable
  std::string incomplete;  // what could not be read, and why; empty: all was
};

struct ExcludeFiles {  // which need not be there
  std::filesystem::path repository;  // .git/info/exclude
  std::filesystem::path user;        // core.excludesFile; empty: neither that nor a home
};

class GitRepository {
 public:
  // `path`: a work tree, its .git (folder or file), or a bare repository. Never searches upwards: a repository that vanished must
  // not turn into the one around it. Errors name the path and the cure.
  static Result<GitRepository> open(const std::filesystem::path& path);

  GitFolders folders() const;
  ExcludeFiles exclude_files() const;  // gitignore(5)

  // Those that `wanted` asks for, as they stand. A name in `known` that the listing lacks is asked for by itself before it counts as deleted: git
  // packs references by writing packed-refs first and removing the loose file after, and a listing can fall in between.
  Result<RefsRead> references(const WantedRefs& wanted, const RefTips& known) const;

  // Also a tag of one.
  bool has_commit(std::string_view id) const;

  // Where its hooks are looked for: core.hooksPath, or the folder `hooks` (githooks(5)).
  std::filesystem::path hooks_folder() const;

  // What moving a branch from `before` to `after` (kNoCommit: created, deleted) brought. `known` are the others of its kind before it:
  // a created one's commits are those that none of them has, its files are compared with where it left them. Never fails: what a
  // damaged or partial repository cannot tell is left out, and `incomplete` says so.
  GitRange describe(std::string_view before, std::string_view after, const RefTips& known) const;

 private:
  struct Free {
    void operator()(git_repository* repository) const;
  };
  explicit GitRepository(git_repository* handle) : handle_(handle) {}
  Status list(const char* pattern, RefTips& tips) const;

  std::unique_ptr<git_repository, Free> handle_;
};

}  // namespace hark
