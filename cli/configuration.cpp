#include "cli/configuration.h"

#include <cstdio>
#include <string>

#include "cli/output.h"

namespace hark {

std::optional<LoadedConfig> load_or_complain(const CommonOptions& common) {
  auto request = config_request_from_process();
  request.file = common.config;
  request.profile = common.profile;
  auto outcome = load_config(request);
  if (outcome.loaded) return std::move(outcome.loaded);
  for (const auto& error : outcome.errors) std::fprintf(stderr, "%s\n", output::printable(error.text()).c_str());
  const auto count = outcome.errors.size();
  output::complain(std::to_string(count) + (count == 1 ? " error" : " errors") + " in the configuration");
  return std::nullopt;
}

}  // namespace hark
