// Files of a handler's folder, for the steps that read and write them whole (platform/confined_folder.h).
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "platform/confined_folder.h"

namespace hark {

Result<std::string> read_whole(const std::string& folder, const std::string& path);  // at most limits::kFileStep
Status write_file(const std::string& folder, const std::string& path, std::string_view content, ConfinedFolder::How how);

}  // namespace hark
