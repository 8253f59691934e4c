#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "daemon/profiles.h"
#include "platform/errno_text.h"

namespace hark {
namespace {

int list(const ConfigRequest& request, bool as_json) {
  const auto profiles = list_profiles(request);
  if (as_json) {
    auto shown = nlohmann::json::array();
    for (const auto& profile : profiles) shown.push_back({{"name", profile.name}, {"about", profile.about}, {"path", profile.path.string()}});
    output::print_json(shown);
    return exit_code::kOk;
  }
  std::vector<std::vector<output::Cell>> rows;
  for (const auto& profile : profiles) rows.push_back({{output::printable(profile.name)}, {output::printable(profile.about)}});
  output::print_table({{"profile", true}, {"what it does", false, 0, output::Overflow::wrap}}, rows);
  return exit_code::kOk;
}

// Only where there is nothing yet: somebody's configuration is not to be written over.
Status write_new(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "wxe");
  if (file == nullptr && errno == EEXIST) return Error{path + " is there already", "name another file with --output, or print it with `--output -`"};
  if (file == nullptr) return Error{"cannot write " + path + ": " + errno_text(errno), ""};
  const bool all = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const int failure = errno;
  if (std::fclose(file) == 0 && all) return {};
  const auto why = errno_text(all ? errno : failure);
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  return Error{"cannot write " + path + ": " + why, ""};
}

// What the configuration lacks before it can run, a variable as a rule.
void tell_what_lacks(const std::string& path) {
  CommonOptions written;
  written.config = path;
  const auto outcome = load_config(request_of(written));
  if (outcome.loaded) {
    std::fprintf(stderr, "`hark config check` looks at it again when you have edited it; `hark daemon` runs it\n");
    return;
  }
  std::fprintf(stderr, "before it runs it wants:\n");
  print_errors(outcome);
}

}  // namespace

int init_command(const InitCommand& command) {
  const auto request = config_request_from_process();
  if (command.list) return list(request, command.json);
  const auto profile = find_profile(command.profile, request);
  if (!profile) {
    output::complain(Error{profile.error().message, "`hark init --list` shows those that there are"});
    return exit_code::kFailed;
  }
  if (command.output == "-") {
    output::print_line(profile->text.substr(0, profile->text.find_last_not_of('\n') + 1));
    return exit_code::kOk;
  }
  if (auto written = write_new(command.output, profile->text); !written) {
    output::complain(written.error());
    return exit_code::kFailed;
  }
  std::fprintf(stderr, "wrote %s, from the profile `%s`\n", output::printable(command.output).c_str(), output::printable(command.profile).c_str());
  tell_what_lacks(command.output);
  return exit_code::kOk;
}

}  // namespace hark
