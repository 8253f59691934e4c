#include <cstdio>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "core/printable.h"
#include "daemon/config.h"
#include "daemon/config_show.h"

namespace hark {

using nlohmann::json;

int config_check_command(const CommonOptions& common) {
  auto request = config_request_from_process();
  request.file = common.config;
  request.profile = common.profile;
  const auto outcome = load_config(request);
  if (common.json) {
    json shown = {{"ok", outcome.loaded.has_value()}, {"errors", json::array()}, {"warnings", json::array()}, {"hints", json::array()}};
    for (const auto& error : outcome.errors) {
      shown["errors"].push_back({{"file", error.file}, {"line", error.line}, {"column", error.column}, {"message", error.message}});
    }
    if (outcome.more_errors > 0) shown["more_errors"] = outcome.more_errors;
    if (outcome.loaded) {
      shown["warnings"] = outcome.loaded->warnings;
      shown["hints"] = outcome.loaded->hints;
    }
    output::print_json(shown);
    return outcome.loaded ? exit_code::kOk : exit_code::kConfig;
  }
  if (!outcome.loaded) {
    print_errors(outcome);
    return exit_code::kConfig;
  }
  for (const auto* list : {&outcome.loaded->warnings, &outcome.loaded->hints}) {
    for (const auto& each : *list) std::fprintf(stderr, "%s\n", output::printable(each).c_str());
  }
  const auto& settings = outcome.loaded->settings;
  output::print_line(settings.file.string() + ": good: " + counted(settings.sources.size(), "source") + ", " +
                     counted(settings.handlers.size(), "handler"));
  return exit_code::kOk;
}

int config_show_command(const CommonOptions& common) {
  const auto loaded = load_or_complain(common);
  if (!loaded) return exit_code::kConfig;
  if (common.json) {
    output::print_json(config_show_json(*loaded));
  } else {
    std::fputs(config_show_text(*loaded).c_str(), stdout);
  }
  return exit_code::kOk;
}

}  // namespace hark
