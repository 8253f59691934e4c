// Values that templates ask for and that have to be gathered: {files_content}, {git_log}, {repo}. Made where a template names them, once a step.
// What they hold is as hostile as the event: it is put in like any other value. They block; the run's thread.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"
#include "core/time.h"

namespace hark {

struct Containment;
class ProcessSpawner;

// Each file under a line with its path, as head(1) writes several: "==> src/a.py <==". Of a file the first limits::kFileContent bytes, of all of
// them limits::kFilesContent; what is left out, is no text, is gone, or lies outside of `folder` (also by a symbolic link) is named with the
// reason. `paths`: absolute, or relative to `folder`; those below `origin`, of which `folder` is a copy (a worktree; empty: none), are looked for in
// `folder`.
Result<std::string> files_content(const std::vector<std::string>& paths, const std::string& folder, const std::string& origin);

// The commits of the repository that `folder` lies in, newest first, a line each: "1f3a9c2 2026-11-23 its subject". Those whose committer's date is
// not before `since`, at most limits::kGitLogCommits (a last line says that there are older ones); without `since` the last limits::kGitLogFirst.
// git runs as the handler's commands do: `containment`.
Result<std::string> git_log(const std::string& folder, std::optional<WallTime> since, const Containment& containment, ProcessSpawner& processes, const std::string& run_id,
                            SteadyTime deadline, std::stop_token stop);

// "owner/name" of a forge's event; the name of a repository that a path or URL leads to; of a watched tree its folder's; else that of `folder`.
std::string repository_name(const nlohmann::json& data, const std::string& folder);

}  // namespace hark
