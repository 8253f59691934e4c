// The post-receive hook (githooks(5)) that hands each push of a repository over to the daemon.
#pragma once

#include <filesystem>
#include <string>

#include "core/result.h"

namespace hark {

struct GitHook {
  std::filesystem::path repository;
  std::filesystem::path program;  // hark, as the hook is to call it
  std::filesystem::path socket;   // the daemon's
};

struct InstalledHook {
  std::filesystem::path file;
  bool was_there = false;  // somebody's own hook, which calls hark already
};

// A hook that hark did not write is left alone; the Error says what to put into it.
Result<InstalledHook> install_hook(const GitHook& hook);
Result<std::filesystem::path> uninstall_hook(const std::filesystem::path& repository);

// What a hook got, for POST /api/git/pushes: "BEFORE AFTER REF" a line on its standard input, and the repository in `git_folder` ($GIT_DIR).
// An Error: that is no such input; empty: it said nothing.
Result<std::string> pushes_json(const std::string& lines, const std::filesystem::path& git_folder);

}  // namespace hark
