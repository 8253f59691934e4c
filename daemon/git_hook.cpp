#include "daemon/git_hook.h"

#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/payload.h"
#include "platform/file_system.h"
#include "sources/git_repository.h"
#include "sources/libgit2.h"
#include "sources/ls_remote.h"
#include "sources/repository_pattern.h"

namespace hark {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOurs = "# Written by `hark hook install`";

constexpr std::string_view kCall = " hook receive --socket ";

// For a shell, as one word whatever is in it.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string command(const GitHook& hook) { return quoted(hook.program.string()) + std::string(kCall) + quoted(hook.socket.string()); }

std::string script(const GitHook& hook) {
  return "#!/bin/sh\n" + std::string(kOurs) +
         ": hands each push over to the daemon. It never fails a push, and does not wait\n"
         "# for a daemon that is away: what that misses it tells when it starts. `hark hook uninstall` takes it out again.\n" +
         command(hook) + "\nexit 0\n";
}

// As script() has it, line by line; whatever else is in it is somebody's.
bool is_untouched(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream input(text);
  for (std::string line; std::getline(input, line);) lines.push_back(line);
  return lines.size() == 5 && lines[0] == "#!/bin/sh" && lines[1].starts_with(kOurs) && lines[2].starts_with('#') && lines[3].find(kCall) != std::string::npos && lines[4] == "exit 0";
}

struct Found {
  fs::path file;
  bool is_there = false;
  bool is_ours = false;
  bool calls_us = false;  // ours, or somebody's who added our line
};

Result<Found> find_hook(const fs::path& repository) {
  if (is_remote(repository.string())) return Error{repository.string() + " is the address of a remote repository, where no hook can be written from here", "run this where it lies, beside a hark there; or have it asked at an `interval`"};
  std::error_code failure;
  if (is_repository_pattern(repository.string()) && !fs::exists(repository, failure)) {
    return Error{"no repository is called " + repository.string(), "a pattern is expanded by the shell, where it is not quoted and names something"};
  }
  prepare_libgit2();
  const auto opened = GitRepository::open(repository);
  if (!opened) return opened.error();
  Found found;
  found.file = opened->hooks_folder() / "post-receive";
  if (fs::is_symlink(found.file, failure) && !fs::exists(found.file, failure)) {
    return Error{"hook " + found.file.string() + " is a link to nothing", "remove it, or make what it leads to"};
  }
  RealFileSystem files;
  auto text = files.read(found.file, limits::kGitHook);
  if (!text) return text.error();
  found.is_there = text->has_value();
  found.is_ours = found.is_there && is_untouched(**text);
  found.calls_us = found.is_there && (*text)->find(kCall) != std::string::npos;
  return found;
}

}  // namespace

Result<InstalledHook> install_hook(const GitHook& hook) {
  const auto found = find_hook(hook.repository);
  if (!found) return found.error();
  if (found->is_there && !found->is_ours) {
    if (found->calls_us) return InstalledHook{found->file, true};
    return Error{"there is a hook of somebody else's: " + found->file.string(), "add this line to it, where standard input was not read yet: " + command(hook) + " || true"};
  }
  std::error_code failure;
  fs::create_directories(found->file.parent_path(), failure);
  RealFileSystem files;
  if (auto written = files.replace(found->file, script(hook)); !written) return written.error();
  // Whoever may write there may run it; who pushes need not be who installed it.
  if (chmod(found->file.c_str(), 0755) != 0) return Error{"hook " + found->file.string() + " cannot be made executable", "chmod 755 " + found->file.string()};
  return InstalledHook{found->file, false};
}

Result<fs::path> uninstall_hook(const fs::path& repository) {
  const auto found = find_hook(repository);
  if (!found) return found.error();
  if (!found->is_there) return Error{"there is no hook " + found->file.string(), {}};
  if (!found->is_ours) return Error{"hook " + found->file.string() + " is not as hark wrote it", "take hark's line out of it by hand"};
  std::error_code failure;
  if (!fs::remove(found->file, failure)) return Error{"hook " + found->file.string() + " cannot be removed: " + failure.message(), {}};
  return found->file;
}

Result<std::string> pushes_json(const std::string& lines, const fs::path& git_folder) {
  auto moves = nlohmann::json::array();
  std::istringstream input(lines);
  for (std::string line; std::getline(input, line);) {
    std::istringstream words(line);
    std::string before, after, ref;
    if (!(words >> before >> after >> ref)) return Error{"expected lines of BEFORE AFTER REF on standard input, as git gives them to a post-receive hook", {}};
    moves.push_back({{"ref", ref}, {"before", before}, {"after", after}});
  }
  if (moves.empty()) return std::string();
  std::error_code failure;
  auto folder = fs::canonical(git_folder, failure);
  if (failure) return Error{"no git folder at " + git_folder.string(), "git sets $GIT_DIR for its hooks"};
  std::ifstream common(folder / "commondir");  // of a linked work tree (gitrepository-layout(5))
  if (std::string place; std::getline(common, place)) folder = fs::weakly_canonical(folder / place, failure);
  return write_json({{"repository", folder.string()}, {"moves", std::move(moves)}});
}

}  // namespace hark
