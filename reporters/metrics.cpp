#include "reporters/metrics.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <type_traits>
#include <variant>

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "core/limits.h"

namespace hark {

namespace {

// A series per values of the labels, found once: the registry's own look-up hashes all labels each time.
template <typename Series>
class Family {
 public:
  Family(prometheus::Family<Series>& family, std::vector<std::string> labels) : family_(family), labels_(std::move(labels)) {}

  template <typename... Arguments>
  Series& of(const std::vector<std::string>& values, const Arguments&... arguments) {
    auto& series = series_[values];
    if (series == nullptr) {
      std::map<std::string, std::string> labels;
      for (std::size_t i = 0; i < labels_.size(); ++i) labels[labels_[i]] = values[i];
      series = &family_.Add(labels, arguments...);
    }
    return *series;
  }

 private:
  prometheus::Family<Series>& family_;
  std::vector<std::string> labels_;
  std::map<std::vector<std::string>, Series*> series_;
};

class Counters {
 public:
  Counters(prometheus::Registry& registry, const char* name, const char* help, std::vector<std::string> labels)
      : family_(prometheus::BuildCounter().Name(name).Help(help).Register(registry), std::move(labels)) {}
  void increment(const std::vector<std::string>& values, double by = 1) { family_.of(values).Increment(by); }

 private:
  Family<prometheus::Counter> family_;
};

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

using Bounds = prometheus::Histogram::BucketBoundaries;
// From a shell's no-op to a build of half an hour.
const Bounds kWork = {0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800};
// From a free slot to a queue that nobody looks after.
const Bounds kQueue = {0.001, 0.01, 0.1, 1, 10, 60, 600, 3600};
// From the page cache to a disk that is about to fail.
const Bounds kDisk = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1};
const Bounds kGroup = {1, 2, 4, 8, 16, 32, 64, 128, 256};

class Histograms {
 public:
  Histograms(prometheus::Registry& registry, const char* name, const char* help, std::vector<std::string> labels, const Bounds& bounds)
      : family_(prometheus::BuildHistogram().Name(name).Help(help).Register(registry), std::move(labels)), bounds_(bounds) {}
  void observe(const std::vector<std::string>& values, Duration took) { family_.of(values, bounds_).Observe(seconds(took)); }

 private:
  Family<prometheus::Histogram> family_;
  const Bounds& bounds_;
};

prometheus::Histogram& histogram(prometheus::Registry& registry, const char* name, const char* help, const Bounds& bounds) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, bounds);
}

// The first values that come, as they are.
class Bounded {
 public:
  const std::string& of(const std::string& value) {
    if (known_.size() < limits::kMetricValues) return *known_.insert(value).first;
    const auto known = known_.find(value);
    return known == known_.end() ? kOther : *known;
  }

 private:
  static inline const std::string kOther = "(other)";
  std::set<std::string> known_;
};

// Who publishes calls himself as he likes: "publishers/ci".
std::string source_of(const Event& event) { return event.source.starts_with("publishers/") ? "publishers" : event.source; }

// The elements of a list are one step: "build.17.test" is "build.*.test".
std::string step_of(std::string_view name) {
  std::string step;
  for (std::size_t at = 0; at <= name.size();) {
    const auto end = std::min(name.find('.', at), name.size());
    const auto word = name.substr(at, end - at);
    const bool number = at > 0 && !word.empty() && word.find_first_not_of("0123456789") == word.npos;
    step += number ? std::string_view("*") : word;
    if (end < name.size()) step += '.';
    at = end + 1;
  }
  return step;
}

prometheus::MetricFamily family_of(const Reading& reading) {
  prometheus::MetricFamily family{reading.name, reading.help, reading.counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge, {}};
  for (const auto& [labels, value] : reading.values) {
    prometheus::ClientMetric metric;
    for (const auto& [name, word] : labels) metric.label.push_back({name, word});
    (reading.counter ? metric.counter.value : metric.gauge.value) = value;
    family.metric.push_back(std::move(metric));
  }
  return family;
}

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
  std::set<std::string> plain;
  Bounded types, sources;
  Counters events{registry, "hark_events_received_total", "Events accepted, by source and type.", {"source", "type"}};
  Counters decisions{registry, "hark_event_decisions_total", "What became of events: a handler is to run (queued), or the stage that ended their way.", {"source", "type", "decision"}};
  Counters refused{registry, "hark_refused_total", "Requests that a source refused before they were events, by source and reason.", {"source", "reason"}};
  Counters runs{registry, "hark_runs_total", "Runs that have ended, by handler and state.", {"handler", "state"}};
  Counters retries{registry, "hark_run_retries_total", "Attempts of runs that another one followed, by handler.", {"handler"}};
  Counters dead_letters{registry, "hark_dead_letters_total", "Runs that failed for good and went to the dead letters, by handler.", {"handler"}};
  Counters overdue{registry, "hark_overdue_total", "Windows of expect_every that passed without a success.", {"handler"}};
  Counters steps{registry, "hark_steps_total", "Steps that have ended, of handlers with more than one, by state.", {"handler", "step", "state"}};
  Counters gates{registry, "hark_gate_checks_total", "Gates that were checked, by result.", {"handler", "gate", "result"}};
  Counters iterations{registry, "hark_iterations_total", "Iterations that have ended, of handlers with more than one step, by result.", {"handler", "result"}};
  Counters asked{registry, "hark_provider_calls_total", "Questions to providers, by outcome.", {"provider", "outcome"}};
  Counters tokens{registry, "hark_tokens_total", "Tokens that prompts took, by handler, provider and direction; what a cache answered or took is no input beside it.", {"handler", "provider", "direction"}};
  Counters cost{registry, "hark_cost_usd_total", "What prompts cost where their provider has a price, by handler and provider.", {"handler", "provider"}};
  Counters source_errors{registry, "hark_source_errors_total", "Times a source became degraded.", {"source"}};
  prometheus::Family<prometheus::Counter>& lost =
      prometheus::BuildCounter().Name("hark_reports_lost_total").Help("What a reporter left out because it did not keep up, or nobody took it.").Register(registry);
  Histograms run_seconds{registry, "hark_run_duration_seconds", "From a run's start to its end.", {"handler"}, kWork};
  Histograms step_seconds{registry, "hark_step_duration_seconds", "From a step's start to its end, of handlers with more than one.", {"handler", "step"}, kWork};
  Histograms gate_seconds{registry, "hark_gate_duration_seconds", "From a gate's start to its end.", {"handler", "gate"}, kWork};
  Histograms iteration_seconds{registry, "hark_iteration_duration_seconds", "From an iteration's start to its end, gates included, of handlers with more than one step.", {"handler"}, kWork};
  Histograms asked_seconds{registry, "hark_provider_call_duration_seconds", "From a question to a provider to its answer.", {"provider"}, kWork};
  // Of all handlers together: a series of each is half of the text, and who waits is told by hark_handler_runs.
  prometheus::Histogram& waiting_seconds = histogram(registry, "hark_run_waiting_seconds", "From a run's queueing to its start.", kQueue);
  prometheus::Histogram& commit_seconds = histogram(registry, "hark_journal_commit_duration_seconds", "What a commit to the journal's write-ahead log takes.", kDisk);
  prometheus::Histogram& sync_seconds = histogram(registry, "hark_journal_sync_duration_seconds", "What it takes to make commits survive a power loss (fdatasync).", kDisk);
  prometheus::Histogram& sync_group = histogram(registry, "hark_journal_sync_group_size", "Turns of the loop whose commits shared one sync.", kGroup);

  void count(const lifecycle::EventReceived& e) { events.increment({sources.of(source_of(*e.event)), types.of(e.event->type)}); }
  void count(const lifecycle::EventQueued& e) { decisions.increment({sources.of(source_of(*e.event)), types.of(e.event->type), "queued"}); }
  void count(const lifecycle::EventDropped& e) {
    decisions.increment({sources.of(source_of(*e.event)), types.of(e.event->type), std::string(to_string(e.decision.stage))});
  }
  void count(const lifecycle::EventRefused& e) { refused.increment({e.refusal.source, std::string(to_string(e.refusal.cause))}); }
  void count(const lifecycle::RunStarted& e) {
    if (e.run->started) waiting_seconds.Observe(seconds(*e.run->started - e.run->queued));
  }
  void count(const lifecycle::RunComplete& e) { ended(*e.run); }
  void count(const lifecycle::RunFailed& e) {
    ended(*e.run);
    if (e.run->dead_since) dead_letters.increment({e.run->handler});
  }
  void count(const lifecycle::RunRetry& e) { retries.increment({e.run->handler}); }
  void count(const lifecycle::HandlerOverdue& e) { overdue.increment({e.handler}); }
  void count(const lifecycle::SourceError& e) { source_errors.increment({e.source}); }
  void count(const lifecycle::GateChecked& e) {
    const auto gate = step_of(e.gate);
    gates.increment({e.handler, gate, e.passed ? "passed" : "refused"});
    gate_seconds.observe({e.handler, gate}, e.duration);
  }
  void count(const lifecycle::IterationComplete& e) {
    if (plain.contains(e.handler)) return;
    iterations.increment({e.handler, e.passed ? "passed" : "not passed"});
    iteration_seconds.observe({e.handler}, e.duration);
  }
  void count(const lifecycle::AgentComplete& e) {
    asked.increment({e.provider, std::string(to_string(e.outcome))});
    asked_seconds.observe({e.provider}, e.duration);
  }
  void count(const lifecycle::PhaseComplete& e) {
    if (!plain.contains(e.handler) && e.step.part != StepPart::gate) {
      const auto step = step_of(e.step.name);
      steps.increment({e.handler, step, std::string(to_string(e.step.state))});
      if (e.step.state != StepState::skipped) step_seconds.observe({e.handler, step}, e.step.duration);
    }
    if (!e.step.usage) return;
    const auto& usage = *e.step.usage;
    const auto take = [&](const char* direction, std::uint64_t count) { tokens.increment({e.handler, e.step.provider, direction}, double(count)); };
    take("input", usage.fresh_tokens());
    if (usage.cache_read_tokens > 0) take("cache_read", usage.cache_read_tokens);
    if (usage.cache_write_tokens > 0) take("cache_write", usage.cache_write_tokens);
    take("output", usage.output_tokens);
    if (usage.cost) cost.increment({e.handler, e.step.provider}, *usage.cost);
  }
  template <typename Other>
  void count(const Other&) {}

  void ended(const Run& run) {
    runs.increment({run.handler, std::string(to_string(run.state))});
    if (run.started && run.finished) run_seconds.observe({run.handler}, *run.finished - *run.started);
  }
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::use(std::set<std::string> plain_handlers) { state_->plain = std::move(plain_handlers); }

void Metrics::report(const lifecycle::Any& any) {
  std::visit([this](const auto& event) { state_->count(event); }, any);
}

void Metrics::committed(Duration took) { state_->commit_seconds.Observe(seconds(took)); }

void Metrics::synced(Duration took, std::size_t group) {
  state_->sync_seconds.Observe(seconds(took));
  state_->sync_group.Observe(double(group));
}

void Metrics::lost(const std::string& reporter, std::uint64_t count) { state_->lost.Add({{"reporter", reporter}}).Increment(double(count)); }

std::string Metrics::text(const std::vector<Reading>& readings) const {
  auto families = state_->registry.Collect();
  std::transform(readings.begin(), readings.end(), std::back_inserter(families), family_of);
  std::erase_if(families, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace hark
