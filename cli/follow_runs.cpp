#include "cli/follow_runs.h"

#include <chrono>
#include <cstdint>
#include <thread>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/run_filter.h"

namespace hark {

using nlohmann::json;

namespace {

// A person sees what is a quarter of a second old as live.
constexpr auto kLook = std::chrono::milliseconds(250);
constexpr auto kLookForDaemon = std::chrono::seconds(1);  // that has gone

void print(const json& run, bool as_json) {
  if (as_json) return output::print_line(run.dump(-1, ' ', false, json::error_handler_t::replace));
  const auto state = run["state"].get<std::string>();
  auto line = run.value("finished", std::string("-")) + "  " + run["id"].get<std::string>() + "  " + run["handler"].get<std::string>() + "  " +
              output::painted(state, output::colour_of_state(state));
  if (run.value("attempt", 1) > 1) line += "  attempt " + std::to_string(run["attempt"].get<int>());
  if (run.contains("error")) line += "  " + output::printable(run["error"].get<std::string>());
  output::print_line(line);
}

}  // namespace

int follow_runs(const HistoryCommand& command, const Filter& filter) {
  const std::string target = "/api/runs/ended";
  json page;
  if (const auto ended = ask_daemon_json(command.common, "GET", target, {}, kPatience, page)) return *ended;
  output::complain("runs are shown as they end; Ctrl-C stops it");
  for (bool there = true;;) {
    const auto next = page["cursor"].get<std::string>();
    if (auto answer = daemon_knows(command.common, target + "?after=" + next, kPatience)) {
      if (!there) output::complain("the daemon is there again");
      there = true;
      page = std::move(*answer);
    } else {
      if (there) output::complain("the daemon has gone; waiting for the next one");
      there = false;
      std::this_thread::sleep_for(kLookForDaemon);
      continue;
    }
    if (const auto missed = page["missed"].get<std::uint64_t>(); missed > 0) output::complain(std::to_string(missed) + " runs ended faster than they could be shown");
    for (const auto& run : page["runs"]) {
      const bool wanted = command.handler.empty() || run["handler"] == command.handler;
      if (wanted && matches(filter, run)) print(run, command.common.json);
    }
    if (!output::finish()) return exit_code::kFailed;  // nobody reads any more
    if (page["cursor"] == next) std::this_thread::sleep_for(kLook);
  }
}

}  // namespace hark
