#include "daemon/config.h"

#include <cstdlib>

#include "core/limits.h"
#include "daemon/config_expand.h"
#include "daemon/config_layers.h"
#include "daemon/config_mapping.h"

namespace hark {

namespace {

// As installed, with the program in bin, or as unpacked or built: beside the program.
std::filesystem::path profiles_of(const std::filesystem::path& bin) {
  std::error_code failure;
  const auto beside = bin / "profiles";
  return std::filesystem::is_directory(beside, failure) ? beside : (bin / "../share/hark/profiles").lexically_normal();
}

}  // namespace

ConfigRequest config_request_from_process() {
  ConfigRequest request;
  std::error_code failure;
  request.working_directory = std::filesystem::current_path(failure);
  if (failure) request.working_directory = "/";  // the folder is gone: nothing relative can be meant
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (!failure) request.installed_profiles = profiles_of(program.parent_path());
  request.environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
  return request;
}

ConfigOutcome load_config(const ConfigRequest& request) {
  ConfigReport report;
  ConfigOutcome outcome;
  std::optional<LayeredConfig> layered = load_layers(request, report, outcome.files);
  if (layered) {
    ConfigReport unheard;  // what a part lacks is not worth a word beside why it is only a part
    auto& heard = layered->whole ? report : unheard;
    expand_tree(layered->root, request.environment, heard);
    find_secrets(layered->root, request, heard);
    Settings settings = map_settings(layered->root, *layered->file, request, heard, outcome.files);
    outcome.journal_file = settings.journal_file;
    settings.secrets = heard.take_secrets();
    if (report.ok()) outcome.loaded = LoadedConfig{std::move(settings), report.take_values(), report.take_warnings(), report.take_hints()};
  }
  outcome.errors = report.take_errors();
  if (outcome.errors.size() > limits::kConfigErrorsShown) {
    outcome.more_errors = outcome.errors.size() - limits::kConfigErrorsShown;
    outcome.errors.resize(limits::kConfigErrorsShown);
  }
  return outcome;
}

}  // namespace hark
