#include "handlers/git_trace.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

#include "core/limits.h"

namespace hark {

namespace {

bool is_told(const std::string& reference) { return reference.starts_with("refs/heads/") || reference.starts_with("refs/tags/"); }

// "04:10:59.518867 refs/debug.c:71  1: refs/heads/main 148cdc4... -> 2e1b7bb... (F=0xc, T=0x0) \"commit: y\"": a reference, where it stood,
// where it stands, and flags of which 0x8 says that the first was known. A name holds no blank (git-check-ref-format(1)).
std::optional<RefMove> move_of(const std::string& line) {
  constexpr std::string_view kFlags = "(F=0x";
  std::istringstream words(line);
  std::string time, where, number, reference, before, arrow, after, flags;
  if (!(words >> time >> where >> number >> reference >> before >> arrow >> after >> flags)) return std::nullopt;
  if (!where.starts_with("refs/debug.c:") || arrow != "->" || !is_told(reference) || !flags.starts_with(kFlags)) return std::nullopt;
  const bool known = (std::strtoul(flags.c_str() + kFlags.size(), nullptr, 16) & 0x8) != 0;
  return RefMove{reference, known ? before : std::string{}, after};
}

}  // namespace

std::filesystem::path git_trace_file(const std::filesystem::path& output_folder, const std::string& run_id) { return output_folder / run_id / "git-trace"; }

std::filesystem::path prepare_git_trace(const std::filesystem::path& output_folder, const std::string& run_id) {
  const auto file = git_trace_file(output_folder, run_id);
  for (const auto& folder : {output_folder, file.parent_path()}) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return {};
  }
  return file;
}

std::vector<RefMove> ref_moves(const std::filesystem::path& trace) {
  std::ifstream file(trace, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const auto size = static_cast<std::size_t>(std::max<std::streamoff>(file.tellg(), 0));
  file.seekg(static_cast<std::streamoff>(size - std::min(size, limits::kGitTrace)));
  std::vector<RefMove> moves;
  for (std::string line; std::getline(file, line);) {  // the first one may be cut off, the last one being written
    if (line.find(" -> ") == std::string::npos) continue;
    if (auto move = move_of(line)) moves.push_back(std::move(*move));
  }
  return moves;
}

}  // namespace hark
