// Commands that ask the running daemon: stop, cancel, pause, resume, trigger.
#include <signal.h>
#include <unistd.h>

#include <string_view>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/payload_argument.h"
#include "cli/run_table.h"
#include "core/printable.h"
#include "daemon/config_reader.h"
#include "platform/clock.h"
#include "platform/wait_for_exit.h"

namespace hark {

using nlohmann::json;

namespace {

constexpr auto kUntilItEnds = std::chrono::hours(24 * 30);

// Ctrl-C ends only the waiting.
void say_that_it_goes_on(int signal) {
  constexpr std::string_view kText = "\nhark: no longer waited for; the run goes on (`hark daemon history` shows it, `hark daemon cancel` ends it)\n";
  (void)!::write(STDERR_FILENO, kText.data(), kText.size());
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

// What is no name at all cannot be a part of a path, however it is written there.
Status check_handler_name(const std::string& name) {
  const auto expected = check_config_name(name);
  if (expected.empty()) return {};
  return Error{"--handler: '" + name + "' is no handler's name: " + expected, "`hark daemon status` lists the handlers"};
}

bool all_succeeded(const json& runs) {
  for (const auto& run : runs) {
    if (run["state"] != "succeeded") return false;
  }
  return true;
}

}  // namespace

int stop_command(const CommonOptions& common) {
  json status, answer;
  if (const auto ended = ask_daemon_json(common, "GET", "/api/status", {}, kPatience, status)) return *ended;
  if (const auto ended = ask_daemon_json(common, "POST", "/api/control/drain", {}, kPatience, answer)) return *ended;
  const int pid = status["pid"].get<int>();
  if (auto gone = wait_for_exit(pid); !gone) {
    output::complain(gone.error());
    return exit_code::kFailed;
  }
  if (common.json) output::print_json({{"stopped", true}, {"pid", pid}});
  return exit_code::kOk;
}

int emergency_stop_command(const CommonOptions& common) {
  json answer;
  if (const auto ended = ask_daemon_json(common, "POST", "/api/control/emergency-stop", {}, kPatience, answer)) return *ended;
  if (common.json) {
    output::print_json(answer);
  } else {
    output::complain("stopped: what ran is ended, and nothing is taken in or begins until `hark daemon resume`");
  }
  return exit_code::kOk;
}

int cancel_command(const CommonOptions& common, const std::string& run) {
  if (!may_be_id(run)) {
    output::complain(Error{"'" + run + "' is no run's id", "`hark daemon status --json` has those of the runs under way, `hark history --filter state:queued` those that wait"});
    return exit_code::kUsage;
  }
  json answer;
  if (const auto ended = ask_daemon_json(common, "POST", "/api/runs/" + run + "/cancel", {}, kPatience, answer)) return *ended;
  if (common.json) {
    output::print_json(answer);
  } else {
    output::complain("cancelled run " + run);
  }
  return exit_code::kOk;
}

int pause_command(const PauseCommand& command) {
  auto target = std::string(command.pause ? "/api/control/pause" : "/api/control/resume");
  if (!command.handler.empty()) {
    if (auto named = check_handler_name(command.handler); !named) {
      output::complain(named.error());
      return exit_code::kUsage;
    }
    target += "?handler=" + command.handler;
  }
  json answer;
  if (const auto ended = ask_daemon_json(command.common, "POST", target, {}, kPatience, answer)) return *ended;
  if (command.common.json) {
    output::print_json(answer);
  } else {
    const auto what = command.handler.empty() ? "all handlers" : "'" + command.handler + "'";
    output::complain(command.pause ? "paused " + what + ": events are still accepted and wait for `hark daemon resume`"
                                   : "resumed " + what);
  }
  return exit_code::kOk;
}

int trigger_command(const TriggerCommand& command) {
  auto payload = read_payload_argument(command.payload);
  if (!payload) {
    output::complain(payload.error());
    return exit_code::kUsage;
  }
  if (auto named = check_handler_name(command.handler); !named) {
    output::complain(named.error());
    return exit_code::kUsage;
  }
  if (command.wait) ::signal(SIGINT, say_that_it_goes_on);
  json answer;
  const auto target = "/api/handlers/" + command.handler + "/trigger" + (command.wait ? "?wait=true" : "");
  if (const auto ended = ask_daemon_json(command.common, "POST", target, *payload, command.wait ? Duration(kUntilItEnds) : Duration(kPatience), answer)) {
    if (command.wait && *ended == exit_code::kUnreachable) output::complain("where it ended meanwhile the event may be taken all the same: `hark history --events` says");
    return *ended;
  }
  if (command.common.json) {
    output::print_json(answer);
  } else if (command.wait) {
    for (const auto& run : answer["runs"]) print_run(run);
  } else {
    output::print_line(answer["event_id"].get<std::string>());
  }
  if (!command.wait) return exit_code::kOk;
  if (answer["runs"].empty()) {
    const auto event = answer["event_id"].get<std::string>();
    output::complain(Error{"no run came of event " + event, "`hark explain " + event + "` says why"});
    return exit_code::kFailed;
  }
  return all_succeeded(answer["runs"]) ? exit_code::kOk : exit_code::kFailed;
}

}  // namespace hark
