// A configuration is loaded, or refused with places; what is loaded can be shown. Commands and files of the machine are out of its reach.
#include "daemon/config.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <unistd.h>

#include "daemon/config_show.h"
#include "fuzz/fuzz.h"

using namespace hark;

namespace {

// A folder of this process's own, in memory where there is such a place.
const std::filesystem::path& folder() {
  static const auto made = [] {
    const auto base = std::filesystem::exists("/dev/shm") ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
    auto path = base / ("hark-fuzz-" + std::to_string(::getpid()));
    std::filesystem::create_directories(path);
    return path;
  }();
  return made;
}

}  // namespace

void fuzz(std::string_view input) {
  const auto file = folder() / "hark.toml";
  std::ofstream(file, std::ios::binary | std::ios::trunc) << input;
  ConfigRequest request;
  request.file = file.string();
  request.working_directory = folder();
  request.environment = [](const std::string& name) { return name == "NAME" ? std::optional<std::string>("v\"{al}ue") : std::nullopt; };
  const auto outcome = load_config(request);
  HOLDS(outcome.loaded.has_value() == outcome.errors.empty());
  for (const auto& error : outcome.errors) HOLDS(!error.message.empty());
  if (outcome.loaded) HOLDS(!config_show_text(*outcome.loaded).empty());
}
