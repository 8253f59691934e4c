#include "reporters/spans.h"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "core/limits.h"
#include "platform/trace_context.h"

namespace hark {

namespace {

WallTime before(WallTime end, Duration took) { return end - std::chrono::duration_cast<WallTime::duration>(took); }

Span begin(const TraceContext& trace, std::string id, std::string parent, std::string name) {
  Span span;
  span.trace_id = trace.trace_id;
  span.id = std::move(id);
  span.parent = std::move(parent);
  span.name = std::move(name);
  return span;
}

std::optional<Span> of_event(const lifecycle::EventReceived& received, WallTime now) {
  const auto& event = *received.event;
  const auto trace = trace_of(event.traceparent, event.correlation_id);
  if (!trace.sampled) return std::nullopt;
  auto span = begin(trace, span_of_event(event.id), trace.parent, "event " + event.type);
  span.kind = Span::Kind::consumer;
  // Its own time is when the source saw it, where that can be believed.
  span.begin = event.time <= now && now - event.time < limits::kSpanOfEvent ? event.time : now;
  span.end = now;
  span.texts = {{"hark.event.id", event.id}, {"hark.event.type", event.type}, {"hark.event.source", event.source}, {"hark.event.topic", event.topic}, {"hark.event.subject", event.subject}, {"hark.correlation_id", event.correlation_id}};
  return span;
}

std::optional<Span> of_end(const lifecycle::EventDropped& dropped, WallTime now) {
  const auto& event = *dropped.event;
  const auto trace = trace_of(event.traceparent, event.correlation_id);
  if (!trace.sampled) return std::nullopt;
  const auto stage = std::string(to_string(dropped.decision.stage));
  auto span = begin(trace, span_of({"stopped", event.id, stage, dropped.decision.handler}), span_of_event(event.id), "stopped at " + stage);
  span.begin = span.end = now;
  span.texts = {{"hark.event.id", event.id}, {"hark.handler", dropped.decision.handler}, {"hark.reason", dropped.decision.reason}};
  return span;
}

std::optional<Span> within(const lifecycle::OfRun& of, std::string id, std::string parent, std::string name) {
  const auto trace = trace_of(of.traceparent, of.correlation_id);
  if (!trace.sampled) return std::nullopt;
  auto span = begin(trace, std::move(id), std::move(parent), std::move(name));
  span.texts = {{"hark.run.id", of.run_id}, {"hark.handler", of.handler}};
  return span;
}

std::optional<Span> of_iteration(const lifecycle::IterationComplete& done, WallTime now) {
  auto span = within(done, span_of_iteration(done.run_id, done.attempt, done.iteration), span_of_run(done.run_id, done.attempt), "iteration");
  if (!span) return span;
  span->begin = before(now, done.duration);
  span->end = now;
  span->numbers = {{"hark.iteration", done.iteration}};
  span->texts.emplace_back("hark.result", done.passed ? "passed" : "not passed");
  return span;
}

std::optional<Span> of_step(const lifecycle::PhaseComplete& done) {
  const auto& step = done.step;
  const auto parent = step.part == StepPart::delivery ? span_of_run(done.run_id, done.attempt) : span_of_iteration(done.run_id, done.attempt, step.iteration);
  auto span = within(done, span_of_step(done.run_id, done.attempt, step.iteration, step.name), parent, std::string(to_string(step.part)) + " " + step.name);
  if (!span) return span;
  span->begin = step.started;
  span->end = step.started + std::chrono::duration_cast<WallTime::duration>(step.duration);
  span->texts.emplace_back("hark.state", to_string(step.state));
  span->numbers = {{"hark.iteration", step.iteration}, {"hark.step.attempts", step.attempts}};
  if (step.exit_code) span->numbers.emplace_back(step.is_status ? "http.response.status_code" : "process.exit.code", *step.exit_code);
  if (step.usage) {
    span->numbers.emplace_back("gen_ai.usage.input_tokens", std::int64_t(step.usage->input_tokens));
    span->numbers.emplace_back("gen_ai.usage.output_tokens", std::int64_t(step.usage->output_tokens));
  }
  if (step.state == StepState::skipped) {
    span->texts.emplace_back("hark.reason", step.error);
  } else if (step.state != StepState::succeeded) {
    span->error = step.error;
  }
  return span;
}

std::optional<Span> of_question(const lifecycle::AgentComplete& done, WallTime now) {
  const auto step = span_of_step(done.run_id, done.attempt, done.iteration, done.step);
  auto span = within(done, span_of({"question", step, std::to_string(now.time_since_epoch().count())}), step, "ask " + done.provider);
  if (!span) return span;
  span->kind = Span::Kind::client;
  span->begin = before(now, done.duration);
  span->end = now;
  span->texts.emplace_back("gen_ai.provider.name", done.provider);
  if (done.usage) span->numbers = {{"gen_ai.usage.input_tokens", std::int64_t(done.usage->input_tokens)}, {"gen_ai.usage.output_tokens", std::int64_t(done.usage->output_tokens)}};
  if (done.outcome != StepState::succeeded) span->error = done.why;
  return span;
}

}  // namespace

std::optional<Span> Spans::of_run(const Run& run, WallTime now) {
  const auto known = begun_.find(run.id);
  const auto began = known != begun_.end() ? known->second : run.started.value_or(now);
  if (known != begun_.end()) begun_.erase(known);
  auto span = within(lifecycle::of(run), span_of_run(run.id, run.attempt), span_of_event(run.event_id), "run " + run.handler);
  if (!span) return span;
  span->begin = began;
  span->end = std::max(began, run.finished.value_or(now));
  span->texts.emplace_back("hark.state", to_string(run.state));
  span->texts.emplace_back("hark.event.id", run.event_id);
  span->numbers = {{"hark.run.attempt", run.attempt}, {"hark.run.queued_ms", std::chrono::duration_cast<std::chrono::milliseconds>(std::max(began, run.queued) - run.queued).count()}};
  if (run.state != RunState::succeeded) span->error = run.error;
  return span;
}

std::optional<Span> Spans::of(const lifecycle::Any& any, WallTime now) {
  return std::visit(
      [&](const auto& event) -> std::optional<Span> {
        using T = std::decay_t<decltype(event)>;
        if constexpr (std::is_same_v<T, lifecycle::EventReceived>) return of_event(event, now);
        if constexpr (std::is_same_v<T, lifecycle::EventDropped>) return of_end(event, now);
        if constexpr (std::is_same_v<T, lifecycle::RunStarted>) begun_[event.run->id] = event.run->started.value_or(now);
        if constexpr (std::is_same_v<T, lifecycle::RunRetry>) {
          auto ended = *event.run;  // as it waits for the attempt after the one that this is about
          --ended.attempt;
          ended.state = RunState::failed;
          ended.finished = now;
          return of_run(ended, now);
        }
        if constexpr (std::is_same_v<T, lifecycle::RunComplete> || std::is_same_v<T, lifecycle::RunFailed>) return of_run(*event.run, now);
        if constexpr (std::is_same_v<T, lifecycle::IterationComplete>) return of_iteration(event, now);
        if constexpr (std::is_same_v<T, lifecycle::PhaseComplete>) return of_step(event);
        if constexpr (std::is_same_v<T, lifecycle::AgentComplete>) return of_question(event, now);
        return std::nullopt;
      },
      any);
}

}  // namespace hark
