#include "daemon/profiles.h"

#include <algorithm>
#include <map>

#include "core/limits.h"
#include "core/nearest.h"
#include "daemon/config_layers.h"

namespace hark {
namespace {

using std::filesystem::path;

std::vector<path> profile_folders(const ConfigRequest& request) {
  std::vector<path> folders = {request.working_directory / "profiles"};
  if (const auto home = xdg_config_home(request)) folders.push_back(*home / "hark" / "profiles");
  folders.emplace_back("/etc/hark/profiles");
  if (!request.installed_profiles.empty()) folders.push_back(request.installed_profiles);
#ifdef HARK_PROFILE_FOLDER
  if (folders.back() != HARK_PROFILE_FOLDER) folders.emplace_back(HARK_PROFILE_FOLDER);
#endif
  return folders;
}

std::map<std::string, path> profiles_in(const std::vector<path>& folders) {
  std::map<std::string, path> profiles;
  for (const path& folder : folders) {
    std::error_code failure;
    for (std::filesystem::directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure)) {
      if (at->path().extension() == ".toml") profiles.emplace(at->path().stem().string(), at->path());
    }
  }
  return profiles;
}

bool is_profile_name(const std::string& name) {
  return !name.empty() && name.size() <= limits::kNameLength && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f && c != '/'; });
}

std::string first_sentence(const std::string& text) {
  std::string said;
  for (std::size_t at = 0; at < text.size() && text[at] == '#';) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto words = text.find_first_not_of("# \t", at);
    if (words >= end) break;
    said += (said.empty() ? "" : " ") + text.substr(words, end - words);
    at = end + 1;
  }
  said.resize(std::min(said.find(". "), said.size()));
  if (said.ends_with('.')) said.pop_back();
  return said;
}

}  // namespace

Result<FoundConfig> find_profile(const std::string& name, const ConfigRequest& request, const path& beside) {
  if (!is_profile_name(name)) {
    return Error{"a profile's name is one word without `/`, as in `tdd`",
                 "to read a file by its path, use --config, or a path with `/`"};
  }
  std::vector<path> folders = profile_folders(request);
  if (!beside.empty() && beside != folders.front()) folders.insert(folders.begin(), beside);
  for (const path& folder : folders) {
    auto found = try_read_config(folder / (name + ".toml"));
    if (!found) return found.error();
    if (found->has_value()) return std::move(**found);
  }
  std::vector<std::string> known;
  for (const auto& each : profiles_in(folders)) known.push_back(each.first);
  return Error{"no profile `" + name + "` in " + list_of(folders) + suggestion(name, known), ""};
}

std::vector<Profile> list_profiles(const ConfigRequest& request) {
  std::vector<Profile> profiles;
  for (const auto& [name, file] : profiles_in(profile_folders(request))) {
    const auto found = try_read_config(file);
    if (is_profile_name(name) && found && found->has_value()) profiles.push_back({name, first_sentence((*found)->text), file});
  }
  return profiles;
}

}  // namespace hark
