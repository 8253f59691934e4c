// Finds a configuration's files, reads them, and lays what `extends` names under the one that names it.
#pragma once

#include <optional>
#include <string>

#include "daemon/config.h"
#include "daemon/config_report.h"
#include "daemon/config_tree.h"
#include "daemon/profiles.h"

namespace hark {

// The file the request asks for. Where none is found the error says where was looked.
Result<FoundConfig> find_config(const ConfigRequest& request);
Result<FoundConfig> read_config(const std::filesystem::path& path, const std::string& shown_as);

// nullopt: no such file, look on. A file that is there and cannot be read is an error: the next one is not what was meant.
Result<std::optional<FoundConfig>> try_read_config(const std::filesystem::path& file);
// XDG Base Directory Specification 0.8: a relative value is ignored. nullopt: there is no home.
std::optional<std::filesystem::path> xdg_config_home(const ConfigRequest& request);
std::string list_of(const std::vector<std::filesystem::path>& paths);

struct LayeredConfig {
  ConfigNode root;
  std::shared_ptr<const ConfigFile> file;  // the one that was asked for
  bool whole = true;                       // else errors were reported, and this is as much as can be read
};
// nullopt: errors were reported. `files` gets those that were read, in either case.
std::optional<LayeredConfig> load_layers(const ConfigRequest& request, ConfigReport& report, std::vector<std::filesystem::path>& files);

// `over` laid on `base`: tables merge key by key; arrays whose tables all have a `name` merge by name; other values are replaced.
ConfigNode merge_config(ConfigNode base, ConfigNode over, ConfigReport& report);

// Gives each source without a name the one derived from its type and place: "webhook-hooks-deploy".
void name_sources(ConfigNode& root);

}  // namespace hark
