// Profiles: configurations found by a name. Looked for in ./profiles, $XDG_CONFIG_HOME/hark/profiles, /etc/hark/profiles, and those that
// came with the program; the first that has the name wins. Reads files; safe from any thread.
#pragma once

#include <string>
#include <vector>

#include "daemon/config.h"

namespace hark {

struct FoundConfig {
  std::filesystem::path path;  // absolute
  std::string text;
};

// `beside`: a folder to look into before those, where not empty.
Result<FoundConfig> find_profile(const std::string& name, const ConfigRequest& request, const std::filesystem::path& beside = {});

struct Profile {
  std::string name;
  std::string about;  // the first sentence of the comment that it begins with; empty: there is none
  std::filesystem::path path;
};
// Sorted by name. One that cannot be read is left out: who asks for it by name is told why.
std::vector<Profile> list_profiles(const ConfigRequest& request);

}  // namespace hark
