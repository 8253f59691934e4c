#include "handlers/steps/folder_files.h"

#include <utility>

#include "core/limits.h"
#include "core/printable.h"

namespace hark {

Result<std::string> read_whole(const std::string& folder, const std::string& path) {
  const auto opened = ConfinedFolder::open(folder);
  if (!opened) return opened.error();
  auto content = opened->read(path, limits::kFileStep);
  if (!content) return content.error();
  const auto shown = "'" + printable(path, limits::kShownValue) + "'";
  if (!content->has_value()) return Error{"there is no file " + shown, {}};
  if ((*content)->bytes > limits::kFileStep) return Error{shown + " has more than " + std::to_string(limits::kFileStep) + " bytes", "hand its path to a command"};
  return std::move((*content)->head);
}

Status write_file(const std::string& folder, const std::string& path, std::string_view content, ConfinedFolder::How how) {
  const auto opened = ConfinedFolder::open(folder);
  if (!opened) return opened.error();
  return opened->write(path, content, how);
}

}  // namespace hark
