#include "reporters/metrics.h"

#include <map>
#include <type_traits>
#include <variant>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "core/version.h"

namespace hark {

namespace {

// A counter per set of labels, found once: the registry's own look-up hashes all labels each time.
class Counters {
 public:
  Counters(prometheus::Registry& registry, const char* name, const char* help, std::vector<std::string> labels)
      : family_(prometheus::BuildCounter().Name(name).Help(help).Register(registry)), labels_(std::move(labels)) {}

  void increment(const std::vector<std::string>& values, double by = 1) {
    auto& counter = counters_[values];
    if (counter == nullptr) {
      std::map<std::string, std::string> labels;
      for (std::size_t i = 0; i < labels_.size(); ++i) labels[labels_[i]] = values[i];
      counter = &family_.Add(labels);
    }
    counter->Increment(by);
  }

 private:
  prometheus::Family<prometheus::Counter>& family_;
  std::vector<std::string> labels_;
  std::map<std::vector<std::string>, prometheus::Counter*> counters_;
};

class Histograms {
 public:
  Histograms(prometheus::Registry& registry, const char* name, const char* help, const char* label)
      : family_(prometheus::BuildHistogram().Name(name).Help(help).Register(registry)), label_(label) {}

  void observe(const std::string& value, double seconds) {
    auto& histogram = histograms_[value];
    if (histogram == nullptr) {
      // From a shell's no-op to a build of half an hour.
      const prometheus::Histogram::BucketBoundaries bounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800};
      histogram = &family_.Add({{label_, value}}, bounds);
    }
    histogram->Observe(seconds);
  }

 private:
  prometheus::Family<prometheus::Histogram>& family_;
  std::string label_;
  std::map<std::string, prometheus::Histogram*> histograms_;
};

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
  Counters events{registry, "hark_events_received_total", "Events accepted, by source.", {"source"}};
  Counters dropped{registry, "hark_events_dropped_total", "Decisions that ended an event's way, by source and stage.", {"source", "stage"}};
  Counters refused{registry, "hark_refused_total", "Requests that a source refused before they were events, by source and reason.", {"source", "reason"}};
  Counters runs{registry, "hark_runs_total", "Runs that have ended, by handler and state.", {"handler", "state"}};
  Counters retries{registry, "hark_run_retries_total", "Attempts of runs that another one followed, by handler.", {"handler"}};
  Counters overdue{registry, "hark_overdue_total", "Windows of expect_every that passed without a success.", {"handler"}};
  Counters tokens{registry, "hark_tokens_total", "Tokens that prompts took, by handler, provider and direction; what a cache answered or took is no input beside it.", {"handler", "provider", "direction"}};
  Counters cost{registry, "hark_cost_usd_total", "What prompts cost where their provider has a price, by handler and provider.", {"handler", "provider"}};
  Counters source_errors{registry, "hark_source_errors_total", "Times a source became degraded.", {"source"}};
  Histograms run_seconds{registry, "hark_run_duration_seconds", "From a run's start to its end.", "handler"};
  Histograms waiting_seconds{registry, "hark_run_waiting_seconds", "From a run's queueing to its start.", "handler"};
  prometheus::Family<prometheus::Gauge>& gauges_runs =
      prometheus::BuildGauge().Name("hark_runs").Help("Runs that wait for a slot, run, or wait for an event.").Register(registry);
  prometheus::Gauge& waiting = gauges_runs.Add({{"state", "waiting"}});
  prometheus::Gauge& running = gauges_runs.Add({{"state", "running"}});
  prometheus::Gauge& for_events = gauges_runs.Add({{"state", "for_event"}});
  prometheus::Gauge& held =
      prometheus::BuildGauge().Name("hark_events_held").Help("Events that wait in a debounce or for the answer of a hook.").Register(registry).Add({});
  prometheus::Gauge& dead_letters =
      prometheus::BuildGauge().Name("hark_dead_letters").Help("Runs that failed for good and wait for somebody to decide.").Register(registry).Add({});
  prometheus::Gauge& connections =
      prometheus::BuildGauge().Name("hark_http_connections").Help("Open connections of the listener.").Register(registry).Add({});
  prometheus::Family<prometheus::Gauge>& source_up =
      prometheus::BuildGauge().Name("hark_source_up").Help("1: the source works as promised.").Register(registry);
  prometheus::Gauge& build = prometheus::BuildGauge()
                                 .Name("hark_build_info")
                                 .Help("Always 1; the labels tell which hark this is.")
                                 .Register(registry)
                                 .Add({{"version", version()}});
};

Metrics::Metrics() : state_(std::make_unique<State>()) { state_->build.Set(1); }
Metrics::~Metrics() = default;

void Metrics::report(const lifecycle::Any& any) {
  auto& s = *state_;
  std::visit(
      [&s](const auto& event) {
        using T = std::decay_t<decltype(event)>;
        if constexpr (std::is_same_v<T, lifecycle::EventReceived>) {
          s.events.increment({event.event->source});
        } else if constexpr (std::is_same_v<T, lifecycle::EventDropped>) {
          s.dropped.increment({event.event->source, std::string(to_string(event.decision.stage))});
        } else if constexpr (std::is_same_v<T, lifecycle::EventRefused>) {
          s.refused.increment({event.refusal.source, std::string(to_string(event.refusal.cause))});
        } else if constexpr (std::is_same_v<T, lifecycle::RunStarted>) {
          if (event.run->started) s.waiting_seconds.observe(event.run->handler, seconds(*event.run->started - event.run->queued));
        } else if constexpr (std::is_same_v<T, lifecycle::RunComplete> || std::is_same_v<T, lifecycle::RunFailed>) {
          s.runs.increment({event.run->handler, std::string(to_string(event.run->state))});
          if (event.run->started && event.run->finished) s.run_seconds.observe(event.run->handler, seconds(*event.run->finished - *event.run->started));
        } else if constexpr (std::is_same_v<T, lifecycle::PhaseComplete>) {
          if (!event.step.usage) return;
          const auto& usage = *event.step.usage;
          const auto count = [&](const char* direction, std::uint64_t tokens) { s.tokens.increment({event.handler, event.step.provider, direction}, double(tokens)); };
          count("input", usage.fresh_tokens());
          if (usage.cache_read_tokens > 0) count("cache_read", usage.cache_read_tokens);
          if (usage.cache_write_tokens > 0) count("cache_write", usage.cache_write_tokens);
          count("output", usage.output_tokens);
          if (usage.cost) s.cost.increment({event.handler, event.step.provider}, *usage.cost);
        } else if constexpr (std::is_same_v<T, lifecycle::RunRetry>) {
          s.retries.increment({event.run->handler});
        } else if constexpr (std::is_same_v<T, lifecycle::HandlerOverdue>) {
          s.overdue.increment({event.handler});
        } else if constexpr (std::is_same_v<T, lifecycle::SourceError>) {
          s.source_errors.increment({event.source});
        }
      },
      any);
}

std::string Metrics::text(const Gauges& gauges) {
  auto& s = *state_;
  s.waiting.Set(gauges.waiting);
  s.running.Set(gauges.running);
  s.for_events.Set(gauges.for_events);
  s.held.Set(gauges.held);
  s.connections.Set(gauges.connections);
  s.dead_letters.Set(gauges.dead_letters);
  for (const auto& [name, up] : gauges.sources) s.source_up.Add({{"source", name}}).Set(up ? 1 : 0);
  return prometheus::TextSerializer().Serialize(s.registry.Collect());
}

}  // namespace hark
