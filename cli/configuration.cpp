#include "cli/configuration.h"

#include <cstdio>
#include <string>

#include "cli/output.h"
#include "core/printable.h"

namespace hark {

ConfigRequest request_of(const CommonOptions& common) {
  auto request = config_request_from_process();
  request.file = common.config;
  request.profile = common.profile;
  return request;
}

namespace {

ConfigOutcome load(const CommonOptions& common) { return load_config(request_of(common)); }

}  // namespace

void print_errors(const ConfigOutcome& outcome) {
  for (const auto& error : outcome.errors) std::fprintf(stderr, "%s\n", output::printable(error.text()).c_str());
  if (outcome.more_errors > 0) std::fprintf(stderr, "... and %s\n", counted(outcome.more_errors, "more error").c_str());
}

std::optional<LoadedConfig> load_or_complain(const CommonOptions& common) { return loaded_or_complain(load(common)); }

std::optional<LoadedConfig> loaded_or_complain(ConfigOutcome outcome) {
  if (outcome.loaded) return std::move(outcome.loaded);
  print_errors(outcome);
  const auto count = outcome.errors.size() + outcome.more_errors;
  if (count > 1) output::complain(counted(count, "error") + " in the configuration");
  return std::nullopt;
}

std::optional<std::filesystem::path> find_journal(const CommonOptions& common, std::string_view way_out) {
  if (!common.journal.empty()) return std::filesystem::absolute(common.journal);
  const auto outcome = load(common);
  if (outcome.journal_file.empty()) {
    print_errors(outcome);
    output::complain(Error{"so it is not known where the journal is", std::string(way_out)});
    return std::nullopt;
  }
  if (!outcome.errors.empty()) {
    output::complain("the configuration has " + counted(outcome.errors.size() + outcome.more_errors, "error") + " (`hark config check` shows where)");
  }
  return outcome.journal_file;
}

std::vector<std::string> configured_handlers(const CommonOptions& common) {
  std::vector<std::string> names;
  const auto outcome = load(common);
  if (!outcome.loaded) return names;
  for (const auto& handler : outcome.loaded->settings.handlers) names.push_back(handler.name);
  return names;
}

}  // namespace hark
