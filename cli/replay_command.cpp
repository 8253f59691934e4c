// `hark replay`: stored events through today's configuration, one after the other, no faster than asked.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/dry_run.h"
#include "cli/exit_codes.h"
#include "cli/journal_access.h"
#include "cli/output.h"
#include "core/filter.h"
#include "core/limits.h"
#include "core/nearest.h"
#include "core/percent.h"
#include "core/printable.h"
#include "core/rate.h"
#include "daemon/replay.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/signals.h"

namespace hark {

using nlohmann::json;

namespace {

constexpr std::initializer_list<int> kSignals = {SIGINT, SIGTERM};

int wrong(const Error& error) {
  output::complain(error);
  return exit_code::kUsage;
}

// Who runs for it; where nobody does, why.
std::string would_be(const json& decisions) {
  std::string handlers, reason = "no handler wants it";
  for (const auto& decision : decisions) {
    const bool passed = decision["verdict"] == "passed";
    if (passed && decision["stage"] == "match") handlers += (handlers.empty() ? "" : ", ") + decision.value("handler", std::string{});
    if (!passed) reason = decision["reason"].get<std::string>();
  }
  return handlers.empty() ? reason : handlers;
}

// Which events: of the journal's, those that came from outside and that match.
struct Wanted {
  WallTime since{};
  WallTime until{};
  std::string source;
  Filter filter;

  bool operator()(const Event& event) const {
    const bool from_outside = event.members == 0 && event.causation_id.empty() && event.replay_of.empty();
    return from_outside && event.time >= since && event.time < until && (source.empty() || event.source == source);
  }
};

// Their ids, oldest first. Of the events themselves no more than a page is in memory.
Result<std::vector<std::string>> find(JournalReader& journal, const Wanted& wanted) {
  std::vector<std::string> ids;
  EventQuery query;
  query.limit = kJournalPage;
  query.filter = wanted.filter;
  while (true) {
    const auto events = journal.events(query);
    if (!events) return events.error();
    for (const auto& event : *events) {
      query.before = event.sequence;
      if (wanted(event)) ids.push_back(event.id);
    }
    if (events->size() < query.limit) break;
  }
  std::reverse(ids.begin(), ids.end());
  return ids;
}

std::optional<WallTime> read_time(const std::string& text, WallTime now) {
  if (const auto ago = parse_duration(text)) return now - std::chrono::duration_cast<std::chrono::microseconds>(*ago);
  return from_rfc3339(text);
}

// Prints what is wrong and returns the exit status; nullopt: `wanted` is what the options say.
std::optional<int> read_wanted(const ReplayCommand& command, Wanted& wanted) {
  const auto now = SystemClock().now().wall;
  for (const auto& [option, text, time] : {std::tuple{"--since", command.since, &wanted.since}, std::tuple{"--until", command.until.empty() ? "0s" : command.until, &wanted.until}}) {
    const auto read = read_time(text, now);
    if (!read) return wrong({std::string(option) + ": '" + text + "' is neither a duration nor a time", "write how long ago, such as 2h30m, or when, such as 2026-11-21T07:00:00Z"});
    *time = *read;
  }
  if (wanted.until < wanted.since) return wrong({"--until is before --since: no event can be between", "`--since 2h --until 1h` is what came two hours to one hour ago"});
  auto filter = Filter::parse(command.filter);
  if (const auto checked = filter ? check_event_fields(*filter) : Status(filter.error()); !checked) return wrong({"--filter: " + checked.error().message, checked.error().cure});
  wanted.filter = std::move(*filter);
  wanted.source = command.source;
  return std::nullopt;
}

// Whether --handler, where it is given, names one of these.
bool is_known(const std::string& handler, const std::vector<std::string>& known, const std::string& lists_them) {
  if (handler.empty() || std::find(known.begin(), known.end(), handler) != known.end()) return true;
  output::complain(Error{"no handler is named '" + handler + "'" + did_you_mean(handler, known), "`" + lists_them + "` lists the handlers"});
  return false;
}

// Is there a daemon, and does it have the handler?
std::optional<int> check_daemon(const ReplayCommand& command) {
  json status;
  if (const auto ended = ask_daemon_json(command.common, "GET", "/api/status", {}, kPatience, status)) return ended;
  std::vector<std::string> known;
  for (const auto& handler : status["handlers"]) known.push_back(handler["name"].get<std::string>());
  return is_known(command.handler, known, "hark daemon status") ? std::nullopt : std::optional(exit_code::kFailed);
}

int dry_run(const ReplayCommand& command, const std::vector<std::string>& ids, JournalReader* journal) {
  const auto loaded = load_or_complain(command.common);
  if (!loaded) return exit_code::kConfig;
  std::vector<std::string> known;
  for (const auto& handler : loaded->settings.handlers) known.push_back(handler.name);
  if (!is_known(command.handler, known, "hark config show")) return exit_code::kFailed;
  int status = exit_code::kOk;
  std::vector<std::vector<output::Cell>> rows;
  for (const auto& id : ids) {
    const auto event = journal != nullptr ? find_event(*journal, id) : Result<std::optional<Event>>(std::optional<Event>());
    const auto decisions = event && *event ? journal->decisions((*event)->sequence) : Result<std::vector<Decision>>(std::vector<Decision>());
    const auto result = !event       ? Result<DryRun>(event.error())
                        : !*event    ? Result<DryRun>(Error{"no such event", {}})
                        : !decisions ? Result<DryRun>(decisions.error())
                                     : dry_run_replay(loaded->settings, **event, replay_target(*decisions, command.handler));
    if (!result) {
      output::complain(Error{id + ": " + result.error().message, result.error().cure});
      status = exit_code::kFailed;
      continue;
    }
    const auto shown = to_json(*result);
    if (command.common.json) {
      output::print_json(shown);
    } else {
      rows.push_back({{result->event.replay_of}, {to_rfc3339((*event)->time)}, {(*event)->source}, {(*event)->subject}, {would_be(shown["decisions"])}});
    }
  }
  if (!rows.empty()) output::print_table({{"EVENT", true}, {"TIME", true, 1}, {"SOURCE", false, 2}, {"SUBJECT", false, 3}, {"WOULD RUN", false, 0, output::Overflow::wrap}}, rows);
  return status;
}

// Asks the daemon for each in turn. A refusal for now (the queue or the disk is full) is waited out; a signal ends it between two.
class Replay {
 public:
  Replay(const ReplayCommand& command, const std::vector<std::string>& ids, Duration pause) : command_(command), ids_(ids), pause_(pause) {}

  int run() {
    timer_->at(clock_.now().steady, [this] { next(); });
    if (!ids_.empty()) loop_.run();
    say_where({});
    const auto count = std::to_string(done_) + " of " + counted(ids_.size(), "event");
    if (signal_ != 0) {
      output::complain("stopped: replayed " + count);
      return exit_code::kSignal + signal_;
    }
    if (ids_.size() > 1 || done_ < ids_.size()) output::complain("replayed " + count);
    return ended_ ? *ended_ : done_ < ids_.size() ? exit_code::kFailed : exit_code::kOk;
  }

 private:
  void next() {
    const auto& id = ids_[at_];
    auto target = "/api/events/" + id + "/replay";
    if (!command_.handler.empty()) target += "?handler=" + percent_encoded(command_.handler);
    const auto begun = clock_.now().steady;
    Answer answer;
    if ((ended_ = ask_daemon(command_.common, "POST", target, {}, kPatience, answer))) return loop_.stop();
    if (answer.status == 503) {
      if (!std::exchange(told_to_wait_, true)) output::complain(id + ": " + problem_text(answer) + "; trying again");
      return timer_->at(begun + limits::kOfferRetryFirst, [this] { next(); });
    }
    told_to_wait_ = false;
    take(id, answer);
    if (++at_ == ids_.size()) return loop_.stop();
    say_where(std::to_string(at_) + " of " + std::to_string(ids_.size()));
    timer_->at(begun + pause_, [this] { next(); });
  }

  void take(const std::string& id, const Answer& answer) {
    json accepted;
    if (answer.status >= 300) return output::complain(id + ": " + problem_text(answer));
    if ((ended_ = read_answer(answer, accepted))) return loop_.stop();
    ++done_;
    if (command_.common.json) {
      accepted["replay_of"] = id;
      return output::print_json(accepted);
    }
    output::print_line(id + "  " + accepted["event_id"].get<std::string>() + "  " + output::printable(would_be(accepted["decisions"])));
  }

  // One line that is written over, where a person would see nothing else move.
  void say_where(const std::string& text) const {
    if (isatty(STDERR_FILENO) != 0 && !output::is_terminal()) std::fprintf(stderr, "\r\033[K%s", text.c_str());
  }

  const ReplayCommand& command_;
  const std::vector<std::string>& ids_;
  const Duration pause_;
  SystemClock clock_;
  Loop loop_;
  std::unique_ptr<Timer> timer_ = loop_.timer();
  Signals signals_{loop_, kSignals, [this](int signal) {
                     signal_ = signal;
                     loop_.stop();
                   }};
  std::size_t at_ = 0;
  std::size_t done_ = 0;
  bool told_to_wait_ = false;
  std::optional<int> ended_;
  int signal_ = 0;
};

}  // namespace

int replay_command(const ReplayCommand& command) {
  const auto rate = Rate::parse(command.rate);
  if (!rate) return wrong({"--rate: " + rate.error().message, rate.error().cure});
  for (const auto& id : command.ids) {
    if (!may_be_id(id)) return wrong({"'" + id + "' is no event's id", "`hark history --events` lists events"});
  }
  Wanted wanted;
  const bool some = command.ids.empty();
  if (some) {
    if (const auto ended = read_wanted(command, wanted)) return *ended;
  }
  if (!command.dry_run) {
    if (const auto ended = check_daemon(command)) return *ended;
  }
  std::unique_ptr<JournalReader> journal;
  auto ids = command.ids;
  if (some || command.dry_run) {
    if (const auto ended = open_for_reading(command.common, journal)) return *ended;
  }
  if (some && journal) {
    auto found = find(*journal, wanted);
    if (!found) {
      output::complain(found.error());
      return exit_code::kFailed;
    }
    ids = std::move(*found);
  }
  if (ids.empty()) {
    output::complain("no event matches");
    return exit_code::kOk;
  }
  if (command.dry_run) return dry_run(command, ids, journal.get());
  journal.reset();
  block_signals(kSignals);
  return Replay(command, ids, rate->unit / rate->count).run();
}

}  // namespace hark
