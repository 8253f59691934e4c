#include "handlers/git_trace.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <map>
#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/limits.h"

namespace hark {

namespace {

// Those that write below refs/heads. Aliases and scripts show as the commands that they call.
constexpr std::array<std::string_view, 21> kMovers = {"am",    "bisect", "branch", "checkout", "cherry-pick",  "commit", "fast-import", "fetch",  "filter-branch", "history",   "merge",
                                                      "pull",  "push",   "rebase", "receive-pack", "replay", "reset",  "revert",      "subtree", "switch",        "update-ref"};

struct GitCommand {
  std::optional<WallTime> began;
  WallTime ended = WallTime::max();
  bool moves = false;
};

}  // namespace

std::filesystem::path git_trace_file(const std::filesystem::path& output_folder, const std::string& run_id) { return output_folder / run_id / "git-trace"; }

std::filesystem::path prepare_git_trace(const std::filesystem::path& output_folder, const std::string& run_id) {
  const auto file = git_trace_file(output_folder, run_id);
  for (const auto& folder : {output_folder, file.parent_path()}) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return {};
  }
  return file;
}

std::vector<std::pair<WallTime, WallTime>> branch_moves(const std::filesystem::path& trace) {
  std::ifstream file(trace, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const auto size = static_cast<std::size_t>(std::max<std::streamoff>(file.tellg(), 0));
  file.seekg(static_cast<std::streamoff>(size - std::min(size, limits::kGitTrace)));
  std::map<std::string, GitCommand> commands;  // by git's own id of the process
  for (std::string line; std::getline(file, line);) {
    const auto event = nlohmann::json::parse(line, nullptr, false);
    if (!event.is_object()) continue;  // the first one, cut off; the last one, being written
    const auto text = [&](const char* key) {
      const auto found = event.find(key);
      return found != event.end() && found->is_string() ? found->get<std::string>() : std::string{};
    };
    const auto what = text("event");
    if (what != "start" && what != "cmd_name" && what != "exit" && what != "signal") continue;
    auto& command = commands[text("sid")];
    if (what == "start") command.began = from_rfc3339(text("time"));
    if (what == "exit" || what == "signal") command.ended = from_rfc3339(text("time")).value_or(command.ended);
    if (what == "cmd_name") command.moves = std::find(kMovers.begin(), kMovers.end(), text("name")) != kMovers.end();
  }
  std::vector<std::pair<WallTime, WallTime>> moves;
  for (const auto& [sid, command] : commands) {
    if (command.moves) moves.emplace_back(command.began.value_or(WallTime::min()), command.ended);
  }
  return moves;
}

}  // namespace hark
