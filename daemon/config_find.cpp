#include <algorithm>

#include "core/limits.h"
#include "core/nearest.h"
#include "daemon/config_layers.h"
#include "platform/file_system.h"

namespace hark {
namespace {

using std::filesystem::path;

path absolute_in(const path& folder, const path& file) { return (file.is_absolute() ? file : folder / file).lexically_normal(); }

// XDG Base Directory Specification 0.8: a relative value is ignored.
std::optional<path> xdg_config_home(const ConfigRequest& request) {
  if (!request.environment) return std::nullopt;
  if (const auto set = request.environment("XDG_CONFIG_HOME"); set && path(*set).is_absolute()) return path(*set);
  if (const auto home = request.environment("HOME"); home && path(*home).is_absolute()) return path(*home) / ".config";
  return std::nullopt;
}

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

std::vector<std::string> profiles_in(const std::vector<path>& folders) {
  std::vector<std::string> names;
  for (const path& folder : folders) {
    std::error_code failure;
    for (std::filesystem::directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure)) {
      if (at->path().extension() == ".toml") names.push_back(at->path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

// nullopt: no such file, look on. A file that is there and cannot be read is an error: the next one is not what was meant.
Result<std::optional<FoundConfig>> try_read(const path& file) {
  RealFileSystem files;
  auto text = files.read(file, limits::kConfigFile);
  if (!text) return text.error();
  if (!text->has_value()) return std::optional<FoundConfig>();
  return std::optional<FoundConfig>(FoundConfig{file, std::move(**text)});
}

std::string list_of(const std::vector<path>& paths) {
  std::string list;
  for (const path& each : paths) list += (list.empty() ? "" : ", ") + each.string();
  return list;
}

bool is_profile_name(const std::string& name) {
  return !name.empty() && name.size() <= limits::kNameLength && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f && c != '/'; });
}

}  // namespace

Result<FoundConfig> read_config(const path& file, const std::string& shown_as) {
  auto found = try_read(file);
  if (!found) return found.error();
  if (!found->has_value()) return Error{"no such file: " + shown_as, ""};
  return std::move(**found);
}

Result<FoundConfig> find_profile(const std::string& name, const ConfigRequest& request, const path& beside) {
  if (!is_profile_name(name)) {
    return Error{"a profile's name is one word without `/`, as in `tdd`",
                 "to read a file by its path, use --config, or a path with `/`"};
  }
  std::vector<path> folders = profile_folders(request);
  if (!beside.empty() && beside != folders.front()) folders.insert(folders.begin(), beside);
  for (const path& folder : folders) {
    auto found = try_read(folder / (name + ".toml"));
    if (!found) return found.error();
    if (found->has_value()) return std::move(**found);
  }
  const std::vector<std::string> known = profiles_in(folders);
  return Error{"no profile `" + name + "`" + suggestion(name, known) + "; looked in " + list_of(folders), ""};
}

Result<FoundConfig> find_config(const ConfigRequest& request) {
  if (request.file && request.profile)
    return Error{"a configuration file and a profile were both asked for; expected one of them", ""};
  if (request.file) return read_config(absolute_in(request.working_directory, *request.file), *request.file);
  if (request.profile) return find_profile(*request.profile, request, {});
  std::vector<path> places = {request.working_directory / "hark.toml"};
  if (const auto home = xdg_config_home(request)) places.push_back(*home / "hark" / "hark.toml");
  places.emplace_back("/etc/hark/hark.toml");
  for (const path& place : places) {
    auto found = try_read(place);
    if (!found) return found.error();
    if (found->has_value()) return std::move(**found);
  }
  return Error{"no configuration found; looked for " + list_of(places) +
                   "\nName one with --config FILE or --profile NAME, or begin with a hark.toml like this:\n"
                   "  sources = [{ type = \"file_change\", path = \"src\", handler = \"test\" }]\n"
                   "  [handlers.test]\n"
                   "  run = \"make test\"",
               ""};
}

}  // namespace hark
