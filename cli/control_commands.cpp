// Commands that ask the running daemon: status, stop, cancel, pause, resume, trigger.
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

// " until 04:31:07Z" of a breaker that is open.
std::string until(const json& breaker) {
  const auto time = breaker.value("until", std::string{});
  return time.size() > 19 ? " until " + time.substr(11, 8) + "Z" : std::string{};
}

void print_status(const json& status, WallTime now) {
  const auto state = status["state"].get<std::string>();
  const auto started = from_rfc3339(status["started"].get<std::string>());
  output::print_line("hark " + status["version"].get<std::string>() + "  " + output::painted(state, output::colour_of_state(state)) + "  process " +
                     std::to_string(status["pid"].get<int>()) + ", started " + (started ? output::ago(*started, now) : "-"));
  if (status.contains("listener")) {
    const auto& listener = status["listener"];
    if (listener.value("state", std::string("listening")) == "listening") {
      output::print_line(std::string("listening on ") + (listener.value("tls", false) ? "https://" : "http://") + listener["host"].get<std::string>() + ":" + std::to_string(listener["port"].get<int>()));
    } else {
      auto text = "no HTTP over TCP: " + listener.value("reason", std::string{});
      if (listener.contains("cure")) text += " (" + listener["cure"].get<std::string>() + ")";
      output::print_line(output::painted(text, output::Colour::red));
    }
  }
  if (status.contains("journal_fault")) output::print_line(output::painted("the journal cannot be written: " + status["journal_fault"].get<std::string>(), output::Colour::red));
  if (status.contains("containment")) {
    for (const auto& line : status["containment"]) output::print_line(output::painted("contained less than wanted: " + line.get<std::string>(), output::Colour::yellow));
  }
  if (status.contains("starved")) output::print_line(output::painted("no process can be started: " + status["starved"].get<std::string>(), output::Colour::red));
  if (const auto& configuration = status["configuration"]; configuration.contains("refused")) {
    const auto since = from_rfc3339(configuration["loaded"].get<std::string>());
    const auto& errors = configuration["refused"]["errors"];
    output::print_line(output::painted("the configuration was changed, and what it says now is refused. In force is the one taken over " + (since ? output::ago(*since, now) : "before") + ":", output::Colour::red));
    for (const auto& error : errors) output::print_line("  " + output::printable(error.get<std::string>()));
  }
  const auto& queue = status["queue"];
  output::print_line(std::to_string(queue["running"].get<int>()) + " running, " + std::to_string(queue["waiting"].get<std::int64_t>()) + " waiting, " +
                     std::to_string(queue["held"].get<std::int64_t>()) + " held by a debounce" +
                     (queue["for_events"] > 0 ? ", " + std::to_string(queue["for_events"].get<std::int64_t>()) + " waiting for an event" : ""));
  if (const auto dead = status.value("dead_letters", std::size_t{0}); dead > 0) {
    output::print_line(output::painted(counted(dead, "dead letter") + " (`hark dead-letters list`)", output::Colour::yellow));
  }

  std::vector<std::vector<output::Cell>> rows;
  for (const auto& source : status["sources"]) {
    const auto source_state = source["state"].get<std::string>();
    auto note = source.value("reason", source.value("note", std::string{}));
    if (source.contains("cure")) note += " (" + source["cure"].get<std::string>() + ")";
    rows.push_back({{source["name"].get<std::string>()}, {source["type"].get<std::string>()}, {source_state, output::colour_of_state(source_state)},
                    {std::to_string(source["accepted"].get<std::uint64_t>())}, {note}});
  }
  if (!rows.empty()) {
    output::print_line("");
    output::print_table({{"SOURCE"}, {"TYPE"}, {"STATE", true}, {"EVENTS", true}, {"NOTE", false, 0, output::Overflow::wrap}}, rows);
  }
  rows.clear();
  for (const auto& handler : status["handlers"]) {
    const auto last = from_rfc3339(handler.value("last_run", std::string{}));
    const bool first_comes = handler["running"].get<int>() + handler["waiting"].get<int>() > 0;
    const auto last_state = handler.value("last_state", std::string{"-"});
    rows.push_back({{handler["name"].get<std::string>()}, {std::to_string(handler["running"].get<int>())}, {std::to_string(handler["waiting"].get<int>())},
                    {last ? output::ago(*last, now) : first_comes ? "none yet" : "never"}, {last_state, last ? output::colour_of_state(last_state) : output::Colour::none},
                    {handler["paused"].get<bool>() ? "paused" : handler.contains("overdue_since") ? "overdue since " + output::ago(*from_rfc3339(handler["overdue_since"].get<std::string>()), now) : handler.contains("breaker") ? "breaker " + handler["breaker"]["state"].get<std::string>() + until(handler["breaker"]) : "", output::Colour::yellow}});
  }
  if (!rows.empty()) {
    output::print_line("");
    output::print_table({{"HANDLER"}, {"RUNNING", true}, {"WAITING", true}, {"LAST RUN", true}, {"RESULT", true}, {"", false, 0, output::Overflow::wrap}}, rows);
  }
  if (status["queue"]["waiting"].get<std::int64_t>() > 0) output::print_line("\nwhat waits: `hark history --filter state:queued`; why: `hark explain RUN`");
}

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

int status_command(const CommonOptions& common) {
  json status;
  if (const auto ended = ask_daemon_json(common, "GET", "/api/status", {}, kPatience, status)) return *ended;
  if (common.json) {
    output::print_json(status);
  } else {
    print_status(status, SystemClock().now().wall);
  }
  return exit_code::kOk;
}

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
