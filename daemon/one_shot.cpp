#include "daemon/one_shot.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>
#include <random>
#include <utility>

#include "core/limits.h"
#include "core/nearest.h"
#include "core/printable.h"
#include "daemon/containment.h"
#include "daemon/engine.h"
#include "daemon/engine_settings.h"
#include "daemon/owners.h"
#include "daemon/places.h"
#include "daemon/replay.h"
#include "executor/pool_runner.h"
#include "platform/clock.h"
#include "platform/file_system.h"
#include "platform/http_client.h"
#include "platform/loop.h"
#include "platform/process.h"
#include "platform/secrets.h"
#include "platform/signals.h"
#include "platform/workers.h"
#include "reporters/hook_desk.h"
#include "reporters/hooks.h"
#include "reporters/pings.h"
#include "state/journal.h"
#include "state/last_run.h"
#include "state/run_outputs.h"

namespace hark {

namespace {

constexpr std::initializer_list<int> kEndingSignals = {SIGTERM, SIGINT, SIGCHLD};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return text;
}

// Finds the source the event is to come from: the one named, or the only one of its type.
Status settle_source(const Settings& settings, OneShotRequest& request) {
  std::vector<std::string> names, of_type;
  for (const auto& source : settings.sources) {
    names.push_back(source.name);
    if (source.type == request.event.type) of_type.push_back(source.name);
  }
  auto& name = request.event.source;
  if (!request.handler.empty()) {
    std::vector<std::string> handlers;
    for (const auto& handler : settings.handlers) handlers.push_back(handler.name);
    if (std::find(handlers.begin(), handlers.end(), request.handler) == handlers.end()) {
      const auto close = nearest(request.handler, handlers);
      return Error{"no handler is named '" + request.handler + "'" + (close.empty() ? "" : "; did you mean '" + close + "'?"), "the configuration has " + joined(handlers)};
    }
    if (name.empty()) name = "manual";
    return {};
  }
  if (!name.empty()) {
    if (std::find(names.begin(), names.end(), name) != names.end()) return {};
    const auto close = nearest(name, names);
    return Error{"no source is named '" + name + "'" + (close.empty() ? "" : "; did you mean '" + close + "'?"), "the configuration has " + joined(names)};
  }
  if (of_type.size() == 1) {
    name = of_type.front();
    return {};
  }
  if (of_type.empty()) return Error{"no source of the configuration is of type '" + request.event.type + "'", "name a source with --source, or a handler with --handler"};
  return Error{"several sources are of type '" + request.event.type + "': " + joined(of_type), "name one with --source"};
}

// One event has nothing to wait for: rules without their debounce. What gathers changes of files makes of one what it is.
Settings without_debounce(Settings settings) {
  for (auto& source : settings.sources) {
    source.rule.debounce = {};
    if (source.type == "file_change") source.rule.batch.reset();
  }
  return settings;
}

// The handlers that the event comes to, and those that run when these fail.
std::vector<std::string> concerned(const Settings& settings, const OneShotRequest& request) {
  std::vector<std::string> names;
  if (!request.handler.empty()) names.push_back(request.handler);
  for (const auto& source : settings.sources) {
    if (names.empty() && source.name == request.event.source) names = source.rule.handlers;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto handler = std::find_if(settings.handlers.begin(), settings.handlers.end(), [&](const Handler& each) { return each.name == names[i]; });
    const bool more = handler != settings.handlers.end() && !handler->on_failure.empty() && std::find(names.begin(), names.end(), handler->on_failure) == names.end();
    if (more) names.push_back(handler->on_failure);
  }
  return names;
}

// One event alone would wait for the others of its batch, for which nobody is there.
Status check_not_gathered(const Settings& settings, const OneShotRequest& request) {
  for (const auto& source : settings.sources) {
    if (!request.handler.empty() || source.name != request.event.source || !source.rule.batch) continue;
    return Error{"source '" + source.name + "' gathers its events into a batch, and one alone is none",
                 "give the whole batch to a handler: --handler NAME --payload '{\"events\": [...]}'"};
  }
  return {};
}

// What it has to say beside its outcome, which is printed when all is over.
void say(const Secrets& secrets, const std::string& text) { std::fprintf(stderr, "hark: %s\n", printable(secrets.mask().text(text), limits::kLogText).c_str()); }

// A dry run looks and touches nothing: not even a broken state.json is put aside.
class ReadOnlyFiles final : public FileSystem {
 public:
  Result<std::optional<std::string>> read(const std::filesystem::path& path, std::uint64_t max_bytes) override { return files_.read(path, max_bytes); }
  Status replace(const std::filesystem::path&, std::string_view) override { return {}; }
  Status rename(const std::filesystem::path&, const std::filesystem::path&) override { return {}; }

 private:
  RealFileSystem files_;
};

}  // namespace

Result<OneShotOutcome> run_event(const Settings& configured, OneShotRequest request) {
  const auto settings = without_debounce(configured);
  if (auto settled = settle_source(settings, request); !settled) return settled.error();
  if (auto alone = check_not_gathered(settings, request); !alone) return alone.error();
  block_signals(kEndingSignals);

  SystemClock clock;
  RealFileSystem files;
  Secrets secrets;
  secrets.add(settings.secrets);
  if (auto prepared = prepare_state_folder(settings); !prepared) return prepared.error();
  auto journal = open_journal(settings.journal_file);
  if (!journal) return journal.error();
  LastRun last_run;
  std::string warning;
  if (settings.persist_last_run) {
    auto loaded = LastRun::load(files, settings.state_file, clock.now().wall);
    if (!loaded) return loaded.error();
    warning = loaded->warning;
    last_run = std::move(loaded->state);
  }
  if (!warning.empty()) say(secrets, warning);

  Loop loop;
  lifecycle::Emitter emitter;
  emitter.subscribe("standard error", [&secrets](const lifecycle::Any& event) {
    if (const auto* note = std::get_if<lifecycle::Note>(&event)) say(secrets, note->message);
    if (const auto* retry = std::get_if<lifecycle::RunRetry>(&event)) {
      const auto& run = *retry->run;
      const auto when = run.not_before ? " at " + to_rfc3339(*run.not_before) : std::string();
      say(secrets, "'" + run.handler + "': attempt " + std::to_string(run.attempt - 1) + " failed, another follows" + when + ": " + run.error);
    }
  });
  Workers background("hark-background", 1);
  RealProcessSpawner processes;
  const auto names = concerned(settings, request);
  for (const auto& line : prepare_containment(settings, socket_path(settings.journal_file), {}, processes)) {
    if (std::any_of(names.begin(), names.end(), [&](const std::string& name) { return line.starts_with("'" + name + "': "); })) say(secrets, line);
  }
  RealHttpClient http;
  std::random_device device;
  Pings pings(http, [&secrets](const std::string& handler, const Error& error) { say(secrets, "'" + handler + "': " + error.text()); }, limits::kPingPause);
  pings.use(pings_of(settings));
  emitter.subscribe("pings", [&pings](const lifecycle::Any& event) { pings(event); });
  const auto asker = asker_name(this_process());
  RealHookDesk hook_desk(loop, {processes, http, clock, &secrets}, asker);
  Engine* publisher = nullptr;
  Hooks hooks({processes, http, clock, &secrets}, asker, [&publisher](const HookPtr& hook, const lifecycle::Any& event) { publisher->publish(*hook, event); },
              [&secrets](const std::string& hook, const Error& error) { say(secrets, "hook '" + hook + "' failed: " + error.text()); });
  hooks.use(hooks_of(settings));
  emitter.subscribe("hooks", [&hooks](const lifecycle::Any& event) { hooks(event); });
  Engine engine(settings,
                {.loop = loop, .clock = clock, .journal = **journal, .files = files, .background = background, .emitter = emitter, .hooks = &hook_desk},
                std::move(last_run), (std::uint64_t(device()) << 32) | device());
  PoolRunner runner(loop, std::size_t(settings.max_concurrent_handlers), {processes, http, clock, output_folder(settings), workspaces_folder(settings), &secrets}, engine.reports());
  engine.set_runner(runner);
  publisher = &engine;
  if (auto learned = engine.learn_last_runs(); !learned) return learned.error();

  OneShotOutcome outcome;
  outcome.event = request.event;
  std::string refused;
  // Also those of it that wait, for another attempt or for an event.
  const auto cancel_all = [&] {
    for (const auto& run : engine.executor().running()) engine.cancel(run.id, {});
    if (outcome.event.id.empty()) return;  // asked again when it is known
    RunQuery query;
    query.event_id = outcome.event.id;
    query.limit = limits::kHandlers;
    const auto runs = (*journal)->runs(query);
    for (const auto& run : runs ? *runs : std::vector<Run>{}) {
      if (run.state == RunState::queued || run.state == RunState::waiting) engine.cancel(run.id, {});
    }
  };
  const Signals signals(loop, kEndingSignals, [&](int signal) {
    if (signal == SIGCHLD) return processes.reap_orphans();
    outcome.ended_by = signal;
    if (engine.held_by_hooks() > 0) {
      std::fputs("hark: a hook holds the event, which goes on when a daemon starts\n", stderr);
      return engine.drain({}, [&] { loop.stop(); });
    }
    cancel_all();
  });
  bool ending = false;
  const auto end = [&](std::vector<Run> runs) {
    if (std::exchange(ending, true)) return;
    outcome.runs = std::move(runs);
    // After what hooks have published: it is offered by now, and to be taken first.
    loop.post([&] { engine.drain(settings.drain_timeout, [&] { loop.stop(); }); });
  };
  // Where all that is left to do waits for events, none will come: they go to daemons.
  const auto end_if_all_waits = [&] {
    if (outcome.event.id.empty() || engine.waiting() == 0 || engine.busy()) return;
    RunQuery query;
    query.event_id = outcome.event.id;
    query.limit = limits::kHandlers;
    auto runs = (*journal)->runs(query);
    end(runs ? std::move(*runs) : std::vector<Run>{});
  };
  emitter.subscribe("waits", [&](const lifecycle::Any& event) {
    if (std::holds_alternative<lifecycle::RunWaiting>(event) || std::holds_alternative<lifecycle::HandlerEnd>(event)) loop.post(end_if_all_waits);
  });
  engine.offer_to({request.handler, !request.handler.empty()}, std::move(request.event), [&](const Acceptance& acceptance) {
    if (!acceptance.taken()) {
      refused = acceptance.reason;
      return loop.stop();
    }
    outcome.event.id = acceptance.event_id;
    engine.when_ended(acceptance.event_id, end);
    if (outcome.ended_by != 0) cancel_all();
    loop.post(end_if_all_waits);
  });
  loop.run();
  if (!refused.empty()) return Error{"the event was not accepted: " + refused, {}};
  // Where no daemon ever runs, nobody else would.
  const auto pruned = engine.prune();
  auto done = pruned ? Status() : Status(pruned.error());
  if (pruned && pruned->events > 0) {
    if (const auto removed = remove_stray_outputs(output_folder(settings), **journal); !removed) done = removed.error();
  }
  if (!done) say(secrets, "what is beyond the retention was not deleted: " + done.error().text());

  auto stored = (*journal)->event(outcome.event.id);
  if (!stored) return stored.error();
  if (*stored) outcome.event = std::move(**stored);  // with its time, and what it is a part of
  if (auto decisions = (*journal)->decisions(outcome.event.sequence)) outcome.decisions = std::move(*decisions);
  for (auto& run : outcome.runs) {
    if (auto whole = (*journal)->run(run.id); whole && *whole) run = std::move(**whole);
  }
  return outcome;
}

namespace {

// What hooks would make of it, as far as it is known without asking them: one that skips ends its way.
bool would_skip(const std::vector<HookPtr>& hooks, const lifecycle::Any& about, const std::string& handler, WallTime now, std::vector<Decision>& decisions) {
  if (const auto hook = skipped_by(hooks, about)) {
    decisions.push_back({0, now, Stage::hook, Verdict::dropped, handler, "hook '" + hook->name + "' skips it" + (hook->where.empty() ? "" : ": where: " + hook->where.text())});
    return true;
  }
  for (const auto& hook : asked_about(hooks, about)) {
    decisions.push_back({0, now, Stage::hook, Verdict::held, handler, "hook '" + hook->name + "' would be asked"});
  }
  return false;
}

void hide(RenderedStep& step, const Mask& mask) {
  step.text = mask.text(std::move(step.text));
  step.error = mask.text(std::move(step.error));
  step.skipped = mask.text(std::move(step.skipped));
  for (auto& value : step.values) value.second = mask.text(std::move(value.second));
}

DryRun dry_run(const Settings& settings, Event wanted, const Router::Target& target) {
  const auto now = SystemClock().now();
  DryRun result;
  result.event = std::move(wanted);
  if (result.event.time == WallTime{}) result.event.time = now.wall;
  result.event.id = "dry-run";
  result.event.correlation_id = result.event.id;

  std::vector<Rule> rules;
  for (const auto& source : settings.sources) rules.push_back(source.rule);
  const auto event = std::make_shared<const Event>(result.event);
  const auto hooks = hooks_of(settings);
  if (would_skip(hooks, lifecycle::EventReceived{event}, {}, now.wall, result.decisions)) return result;
  auto routed = Router(std::move(rules)).route(event, target, now);
  result.decisions.insert(result.decisions.end(), routed.decisions.begin(), routed.decisions.end());
  const Mask mask(settings.secrets);
  ReadOnlyFiles files;
  auto known = LastRun::load(files, settings.state_file, now.wall);
  for (const auto& start : routed.starts) {
    const auto handler = std::find_if(settings.handlers.begin(), settings.handlers.end(), [&](const Handler& h) { return h.name == start.handler; });
    if (handler == settings.handlers.end()) continue;
    if (would_skip(hooks, lifecycle::EventQueued{event, start.handler}, start.handler, now.wall, result.decisions)) continue;
    RunContext context;
    context.run.id = "dry-run";
    context.run.handler = start.handler;
    context.run.event_id = event->id;
    context.run.correlation_id = event->correlation_id;
    context.event = event;
    if (known && known->state.handlers.contains(start.handler)) context.last_run = known->state.handlers.at(start.handler).last_success;
    auto steps = render_pipeline(*handler, context);
    for (auto& step : steps) hide(step, mask);
    result.handlers.push_back({start.handler, handler->timeout, handler->retry, std::move(steps)});
  }
  return result;
}

}  // namespace

Result<DryRun> dry_run_event(const Settings& configured, OneShotRequest request) {
  const auto settings = without_debounce(configured);
  if (auto settled = settle_source(settings, request); !settled) return settled.error();
  return dry_run(settings, std::move(request.event), {request.handler, !request.handler.empty()});
}

Result<DryRun> dry_run_replay(const Settings& configured, const Event& original, const Router::Target& target) {
  auto event = replay_of(original);
  if (!event) return event.error();
  return dry_run(without_debounce(configured), std::move(*event), target);
}

}  // namespace hark
