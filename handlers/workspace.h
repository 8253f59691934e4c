// The folder of its own that a run may have: a temporary one, one at a path, or a git worktree, made before its first step and given back at
// its end. Worker threads; every call blocks, and is ended by the stop token it is given.
//
// What is made stands in <workspaces>/<run id>, its snapshots and further files beside it as <run id>.*; an attempt that was cut off finds
// it as it was. git is the user's own (decision 0015): it knows every kind of repository and configuration that the user's own commands know.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "handlers/handler.h"

namespace hark {

class ProcessSpawner;

struct WorkspaceWish {
  WorkspaceOptions::Kind kind = WorkspaceOptions::Kind::none;
  std::filesystem::path path;        // of kind path: absolute
  std::string repository;            // of a worktree
  std::string ref;                   // the same: what names a commit
  std::filesystem::path workspaces;  // where those that hark makes stand
  std::string run_id;
};

class Workspace {
 public:
  // A fresh one; `again`: as this run's attempt that was cut off has left it, an Error where that has gone.
  static Result<Workspace> acquire(WorkspaceWish wish, bool again, ProcessSpawner& processes, std::stop_token stop);

  const std::string& folder() const { return folder_; }

  // A digest of what it holds: names, kinds, modes, contents. Of a worktree what git would add; what it ignores does not count.
  Result<std::string> state() const;

  // As it is now, under a name of [a-z0-9-]; one that is there already stays. Of a worktree that is its commit and what git would add.
  Status keep_snapshot(const std::string& name) const;
  Status restore(const std::string& name) const;

  // Gives it back: what hark made is deleted. `keep`: it stays, until the journal forgets the run; its snapshots go.
  Status release(bool keep) const;

 private:
  Workspace(WorkspaceWish wish, std::string folder, ProcessSpawner& processes, std::stop_token stop)
      : wish_(std::move(wish)), folder_(std::move(folder)), processes_(&processes), stop_(std::move(stop)) {}

  Status make() const;
  Status add_worktree() const;
  Status lead_back() const;
  Result<std::string> tree() const;
  std::filesystem::path beside(std::string_view what) const;
  Result<std::string> call(std::vector<std::string> argv, std::vector<std::pair<std::string, std::string>> environment = {}) const;
  Result<std::string> git(std::vector<std::string> arguments, std::vector<std::pair<std::string, std::string>> environment = {}) const;

  WorkspaceWish wish_;
  std::string folder_;
  ProcessSpawner* processes_;
  std::stop_token stop_;
};

// Deletes the workspace of a run, and what its repository remembers of it. Nothing there is no error.
Status remove_workspace(const std::filesystem::path& workspaces, const std::string& run_id);

// What a process that died has left, in two steps, so that a large tree holds nobody up: from now on it is nobody's; it is deleted. `stray`
// says whether a run may have none any more; `kept`: that one was kept on purpose.
Status retire_workspaces(const std::filesystem::path& workspaces, const std::function<Result<bool>(const std::string& run_id, bool kept)>& stray);
Status remove_retired_workspaces(const std::filesystem::path& workspaces);

}  // namespace hark
