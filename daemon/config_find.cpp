#include "core/limits.h"
#include "daemon/config_layers.h"
#include "platform/file_system.h"

namespace hark {
namespace {

using std::filesystem::path;

path absolute_in(const path& folder, const path& file) { return (file.is_absolute() ? file : folder / file).lexically_normal(); }

}  // namespace

std::optional<path> xdg_config_home(const ConfigRequest& request) {
  if (!request.environment) return std::nullopt;
  if (const auto set = request.environment("XDG_CONFIG_HOME"); set && path(*set).is_absolute()) return path(*set);
  if (const auto home = request.environment("HOME"); home && path(*home).is_absolute()) return path(*home) / ".config";
  return std::nullopt;
}

std::string list_of(const std::vector<path>& paths) {
  std::string list;
  for (const path& each : paths) list += (list.empty() ? "" : ", ") + each.string();
  return list;
}

Result<std::optional<FoundConfig>> try_read_config(const path& file) {
  RealFileSystem files;
  auto text = files.read(file, limits::kConfigFile);
  if (!text) return text.error();
  if (!text->has_value()) return std::optional<FoundConfig>();
  return std::optional<FoundConfig>(FoundConfig{file, std::move(**text)});
}

Result<FoundConfig> read_config(const path& file, const std::string& shown_as) {
  auto found = try_read_config(file);
  if (!found) return found.error();
  if (!found->has_value()) return Error{"no such file: " + shown_as, ""};
  return std::move(**found);
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
    auto found = try_read_config(place);
    if (!found) return found.error();
    if (found->has_value()) return std::move(**found);
  }
  return Error{"no configuration found; looked for " + list_of(places) +
                   "\nName one with --config FILE or --profile NAME, or begin with a hark.toml like this (`hark init` writes one):\n"
                   "  sources = [{ type = \"file_change\", path = \"src\", handler = \"test\" }]\n"
                   "  [handlers.test]\n"
                   "  run = \"make test\"",
               ""};
}

}  // namespace hark
