#include "daemon/api_metrics.h"

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "core/version.h"
#include "daemon/api.h"
#include "daemon/api_routes.h"
#include "daemon/bus.h"
#include "daemon/engine.h"
#include "daemon/overdue.h"
#include "daemon/reload.h"
#include "daemon/source_supervisor.h"
#include "platform/clock.h"
#include "platform/http_server.h"
#include "platform/loop.h"
#include "platform/process_usage.h"
#include "platform/workers.h"
#include "reporters/metrics.h"

namespace hark {

std::string_view daemon_state(const Engine& engine) {
  return engine.draining() ? "draining" : engine.halted() ? "halted" : engine.queue().paused("") ? "paused" : "running";
}

std::uint64_t dead_letters(const ApiParts& parts) {
  const auto count = parts.journal.dead_letters();
  return count ? *count : 0;  // a journal that cannot be read is told of by itself
}

namespace {

double seconds(WallTime time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

class Readings {
 public:
  explicit Readings(const ApiParts& parts) : parts_(parts) {}

  std::vector<Reading> take() {
    of_daemon();
    of_runs();
    of_handlers();
    of_sources();
    of_bus();
    of_journal();
    of_process();
    return std::move(readings_);
  }

 private:
  Reading& add(const char* name, const char* help) { return readings_.emplace_back(Reading{name, help, {}}); }
  void gauge(const char* name, const char* help, double value) { add(name, help).values.push_back({{}, value}); }
  void counter(const char* name, const char* help, double value) {
    auto& reading = add(name, help);
    reading.counter = true;
    reading.values.push_back({{}, value});
  }

  void of_daemon() {
    add("hark_build_info", "Always 1; the labels tell which hark this is.").values.push_back({{{"version", version()}}, 1});
    auto& state = add("hark_state", "1 for the state that the daemon is in, 0 for the others.");
    for (const char* each : {"running", "paused", "halted", "draining"}) state.values.push_back({{{"state", each}}, daemon_state(parts_.engine) == each ? 1.0 : 0.0});
    gauge("hark_config_last_reload_successful", "0: the configuration as it stands in the file is refused, and an older one runs.", parts_.reload.is_refused() ? 0 : 1);
    gauge("hark_config_last_reload_success_timestamp_seconds", "When the configuration that runs was read.", seconds(parts_.reload.loaded()));
    gauge("hark_http_connections", "Open connections of the listener.", double(parts_.server.connections()));
    auto& errors = add("hark_subscriber_errors_total", "Lifecycle events that one of the daemon's own subscribers failed on.");
    errors.counter = true;
    for (const auto& fault : parts_.emitter.faults()) errors.values.push_back({{{"subscriber", fault.subscriber}}, double(fault.count)});
  }

  void of_runs() {
    const auto& queue = parts_.engine.queue();
    add("hark_runs", "Runs that wait for a slot or their time, run, wait for an event, or are kept back by a paused session.").values = {
        {{{"state", "waiting"}}, double(queue.size())},
        {{{"state", "running"}}, double(parts_.engine.executor().active())},
        {{{"state", "for_event"}}, double(parts_.engine.waiting())},
        {{{"state", "set_aside"}}, double(parts_.engine.set_aside())}};
    gauge("hark_runs_most", "How many may run at once (max_concurrent_handlers).", double(parts_.settings.max_concurrent_handlers));
    double age = 0;
    if (const auto oldest = queue.oldest()) {
      if (const auto run = parts_.journal.run_at(*oldest); run && *run) age = std::chrono::duration<double>(parts_.clock.now().wall - (*run)->queued).count();
    }
    gauge("hark_oldest_waiting_seconds", "How long the oldest run has waited that could start if there were a slot, no pause and no open breaker.", age);
    gauge("hark_events_held", "Events that wait in a debounce or for the answer of a hook.", double(parts_.engine.router().held() + parts_.engine.held_by_hooks()));
    gauge("hark_dead_letters", "Runs that failed for good and wait for somebody to decide.", double(dead_letters(parts_)));
  }

  void of_handlers() {
    const auto now = parts_.clock.now().wall;
    const auto& queue = parts_.engine.queue();
    const auto& known = parts_.engine.last_run().handlers;
    Reading runs{"hark_handler_runs", "Runs that wait and run, by handler.", {}};
    Reading success{"hark_handler_last_success_timestamp_seconds", "When the last run that succeeded began, of handlers that have one.", {}};
    Reading overdue{"hark_handler_overdue", "1: it has not succeeded for as long as expect_every says, of handlers that have it.", {}};
    Reading breaker{"hark_handler_breaker_open", "1: its breaker lets none of its runs start, of handlers that have one.", {}};
    for (const auto& [name, handler] : parts_.engine.handlers()) {
      runs.values.push_back({{{"handler", name}, {"state", "waiting"}}, double(queue.size(name))});
      runs.values.push_back({{{"handler", name}, {"state", "running"}}, double(queue.slots().running(name))});
      if (const auto last = known.find(name); last != known.end() && last->second.last_success) success.values.push_back({{{"handler", name}}, seconds(*last->second.last_success)});
      if (handler->expect_every) overdue.values.push_back({{{"handler", name}}, overdue_since(*handler, parts_.engine, now) ? 1.0 : 0.0});
      if (handler->breaker.failures == 0) continue;
      const auto found = parts_.engine.breakers().find(name);
      breaker.values.push_back({{{"handler", name}}, found != parts_.engine.breakers().end() && found->second.state() == Breaker::State::open ? 1.0 : 0.0});
    }
    for (auto* each : {&runs, &success, &overdue, &breaker}) readings_.push_back(std::move(*each));
  }

  void of_sources() {
    Reading up{"hark_source_up", "1: the source works as promised.", {}};
    Reading watches{"hark_source_watches", "Folders that the kernel watches for a source.", {}};
    for (const auto& source : parts_.sources.status()) {
      up.values.push_back({{{"source", source.name}, {"type", source.type}}, source.state == SourceStatus::State::running ? 1.0 : 0.0});
      if (source.watches > 0) watches.values.push_back({{{"source", source.name}}, double(source.watches)});
    }
    readings_.push_back(std::move(up));
    readings_.push_back(std::move(watches));
  }

  void of_bus() {
    gauge("hark_bus_position", "The number of the newest event that readers of the bus are told of.", double(parts_.bus.position()));
    gauge("hark_bus_readers", "Polls, streams and sockets that wait for events.", double(parts_.bus.readers()));
    const auto names = parts_.journal.subscribers();
    if (!names) return;
    std::uint64_t behind = 0;
    for (const auto& each : *names) behind = std::max(behind, parts_.bus.position() - std::min(each.position, parts_.bus.position()));
    gauge("hark_bus_subscribers", "Names under which programs read along.", double(names->size()));
    gauge("hark_bus_subscriber_lag_events", "Events between the newest one and what the subscriber that is furthest behind has acknowledged.", double(behind));
  }

  void of_journal() {
    gauge("hark_journal_up", "0: the journal cannot be written, and events are refused.", parts_.engine.journal_fault() ? 0 : 1);
    double bytes = 0;
    for (const char* end : {"", "-wal"}) {
      std::error_code failure;
      const auto size = std::filesystem::file_size(parts_.settings.journal_file.string() + end, failure);
      if (!failure) bytes += double(size);
    }
    gauge("hark_journal_size_bytes", "What the journal takes of the disk, its write-ahead log included.", bytes);
  }

  void of_process() {
    const auto usage = process_usage();
    counter("process_cpu_seconds_total", "Processor time of the daemon, without what it started.", usage.cpu_seconds);
    gauge("process_resident_memory_bytes", "Resident memory of the daemon.", double(usage.resident_bytes));
    gauge("process_virtual_memory_bytes", "Virtual memory of the daemon.", double(usage.virtual_bytes));
    gauge("process_open_fds", "Open files of the daemon.", double(usage.open_files));
    if (usage.most_files > 0) gauge("process_max_fds", "How many files it may have open.", double(usage.most_files));
    gauge("process_threads", "Threads of the daemon.", double(usage.threads));
    gauge("process_start_time_seconds", "When the daemon started, in seconds since 1970.", seconds(parts_.started.wall));
  }

  const ApiParts& parts_;
  std::vector<Reading> readings_;
};

}  // namespace

void add_metrics_route(const ApiParts& parts) {
  add_api_route(parts, {"GET", "/metrics", Scope::runs_read}, [](const ApiParts& p, const HttpRequest&, HttpResponder respond) {
    p.background.post([&metrics = p.metrics, &loop = p.loop, readings = Readings(p).take(), respond = std::move(respond)]() mutable {
      loop.post([text = metrics.text(readings), respond = std::move(respond)]() mutable {
        HttpResponse response;
        response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        response.body = std::move(text);
        respond(std::move(response));
      });
    });
  });
}

}  // namespace hark
