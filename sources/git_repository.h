// A local git repository as the source `git_push` needs it: the tips of its branches, and what lies between two of them.
//
// The only file that meets libgit2. Everything here blocks and is meant for a worker thread; one GitRepository serves one thread
// at a time (libgit2's THREADING.md), is opened for one read and dropped (70 µs), so that nothing it cached is ever stale.
// Only reads. A commit, a name and a path found in a repository are hostile bytes: they are bounded here, made UTF-8 by Payload.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"

struct git_repository;

namespace hark {

// To be called before anything else here, as often as one likes. Never undone: libgit2 keeps its errors by thread, and a thread
// that ends after the last shutdown would leave its behind.
void prepare_libgit2();

// Full name of a branch's reference ("refs/heads/main") -> 40 hex digits. A symbolic one counts as what it points to.
using BranchTips = std::map<std::string, std::string>;

// What a git hook and the forges write where a branch was not there before, or is not there any more.
inline constexpr std::string_view kNoCommit = "0000000000000000000000000000000000000000";

struct GitFolders {
  std::filesystem::path git;     // of this work tree: where HEAD is
  std::filesystem::path common;  // where the branches are; differs from `git` in a linked work tree
  bool operator==(const GitFolders&) const = default;
};

struct BranchesRead {
  BranchTips tips;
  std::vector<std::string>
      unreadable;  // "refs/heads/x: why": known branches whose file is there and damaged; their tip is the known one
};

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
  std::vector<std::string> files;  // sorted, at most limits::kGitFiles
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

  // The branches as they stand. A name in `known` that the listing lacks is asked for by itself before it counts as deleted: git
  // packs references by writing packed-refs first and removing the loose file after, and a listing can fall in between.
  Result<BranchesRead> branches(const BranchTips& known) const;

  // What moving a branch from `before` to `after` (kNoCommit: created, deleted) brought. `known` are the branches before it: a
  // created branch's commits are those that none of them has, its files are compared with where it left them. Never fails: what a
  // damaged or partial repository cannot tell is left out, and `incomplete` says so.
  GitRange describe(std::string_view before, std::string_view after, const BranchTips& known) const;

 private:
  struct Free {
    void operator()(git_repository* repository) const;
  };
  explicit GitRepository(git_repository* handle) : handle_(handle) {}

  std::unique_ptr<git_repository, Free> handle_;
};

}  // namespace hark
