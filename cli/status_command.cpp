// `hark daemon status`: once, or again and again.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "core/printable.h"
#include "platform/clock.h"

namespace hark {

using nlohmann::json;

namespace {

std::string since(const json& object, const char* name, WallTime now) {
  const auto time = from_rfc3339(object.value(name, std::string{}));
  return time ? output::elapsed(now - *time) : "-";
}

void print_running(const json& runs, WallTime now) {
  if (runs.empty()) return;
  std::vector<std::vector<output::Cell>> rows;
  for (const auto& run : runs) {
    const auto doing = run.value("doing", json::object());
    auto step = doing.value("step", std::string("-"));
    if (const int iteration = doing.value("iteration", 1); iteration > 1) step += ", iteration " + std::to_string(iteration);
    rows.push_back({{run["handler"].get<std::string>()},
                    {since(run, "started", now)},
                    {step},
                    {doing.contains("since") ? since(doing, "since", now) : "-"},
                    {run["event"]["type"].get<std::string>() + " from " + run["event"]["source"].get<std::string>()},
                    {run["id"].get<std::string>()}});
  }
  output::print_line("");
  output::print_table({{"RUNNING"}, {"FOR", true}, {"STEP"}, {"FOR", true, 2}, {"EVENT", false, 1}, {"RUN", true, 3}}, rows);
}

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

  print_running(status["running"], now);
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

// How many events a second the sources took since the status before.
std::optional<double> rate(const json& before, const json& now, Duration between) {
  if (before.is_null() || before["started"] != now["started"]) return std::nullopt;
  const auto accepted = [](const json& status) {
    std::uint64_t count = 0;
    for (const auto& source : status["sources"]) count += source["accepted"].get<std::uint64_t>();
    return count;
  };
  const auto first = accepted(before), last = accepted(now);
  return last < first ? std::nullopt : std::optional(double(last - first) / std::chrono::duration<double>(between).count());
}

std::size_t terminal_height() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) return size.ws_row;
  const char* lines = std::getenv("LINES");
  const auto given = lines == nullptr ? 0 : std::strtoul(lines, nullptr, 10);
  return given > 0 ? given : 24;
}

// In place of what stood there: line by line, so that nothing flickers.
void redraw(std::vector<std::string> lines) {
  const auto room = terminal_height() - 1;
  if (lines.size() > room) {
    const auto more = lines.size() - room + 1;
    lines.resize(room - 1);
    lines.push_back(output::painted("… " + counted(more, "more line"), output::Colour::grey));
  }
  std::string text = "\x1b[H";
  for (const auto& line : lines) text += line + "\x1b[K\n";
  output::write(text + "\x1b[J");
}

// Until it is interrupted, or nobody reads any more. A daemon that goes is waited for.
int watch_status(const StatusCommand& command, json status) {
  if (output::is_terminal()) output::write("\x1b[2J");
  json before;
  SteadyTime then{};
  const SystemClock clock;
  while (true) {
    const auto now = clock.now();
    if (command.common.json) {
      if (!status.is_null()) output::print_json(status);
    } else {
      auto lines = output::captured([&] {
        if (status.is_null()) return output::print_line(output::painted("no daemon answers; waiting for it", output::Colour::red));
        if (const auto events = rate(before, status, now.steady - then)) {
          output::print_line(output::painted(to_rfc3339(now.wall).substr(11, 8) + "Z, " + counted(std::size_t(*events + 0.5), "event") + " a second", output::Colour::grey));
        } else {
          output::print_line(output::painted(to_rfc3339(now.wall).substr(11, 8) + "Z", output::Colour::grey));
        }
        print_status(status, now.wall);
      });
      if (output::is_terminal()) {
        redraw(std::move(lines));
      } else {
        for (const auto& line : lines) output::print_line(line);
        output::print_line("");
      }
    }
    if (!output::finish()) return exit_code::kFailed;
    before = std::move(status);
    then = now.steady;
    std::this_thread::sleep_for(command.interval);
    status = daemon_knows(command.common, "/api/status", kPatience).value_or(json());
  }
}

}  // namespace

int status_command(const StatusCommand& command) {
  json status;
  if (const auto ended = ask_daemon_json(command.common, "GET", "/api/status", {}, kPatience, status)) return *ended;
  if (command.watch) return watch_status(command, std::move(status));
  if (command.common.json) {
    output::print_json(status);
  } else {
    print_status(status, SystemClock().now().wall);
  }
  return exit_code::kOk;
}

}  // namespace hark
