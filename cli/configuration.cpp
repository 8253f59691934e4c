#include "cli/configuration.h"

#include <cstdio>
#include <string>

#include "cli/output.h"

namespace hark {

void print_errors(const ConfigOutcome& outcome) {
  for (const auto& error : outcome.errors) std::fprintf(stderr, "%s\n", output::printable(error.text()).c_str());
  if (outcome.more_errors > 0) std::fprintf(stderr, "... and %zu more error%s\n", outcome.more_errors, outcome.more_errors == 1 ? "" : "s");
}

std::optional<LoadedConfig> load_or_complain(const CommonOptions& common) {
  auto request = config_request_from_process();
  request.file = common.config;
  request.profile = common.profile;
  auto outcome = load_config(request);
  if (outcome.loaded) return std::move(outcome.loaded);
  print_errors(outcome);
  const auto count = outcome.errors.size() + outcome.more_errors;
  output::complain(std::to_string(count) + (count == 1 ? " error" : " errors") + " in the configuration");
  return std::nullopt;
}

}  // namespace hark
