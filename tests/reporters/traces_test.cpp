#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>

#include <nlohmann/json.hpp>

#include "platform/http_client.h"
#include "platform/secrets.h"
#include "platform/trace_context.h"
#include "reporters/otlp.h"
#include "reporters/spans.h"
#include "reporters/trace_export.h"
#include "tests/support/eventually.h"

using namespace hark;
using namespace std::chrono_literals;

namespace {

const std::string kGiven = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const WallTime kNow{1'790'000'000s};

EventPtr event(std::string traceparent = {}) {
  Event made;
  made.id = "E1";
  made.type = "push";
  made.time = kNow - 2s;
  made.correlation_id = "C1";
  made.traceparent = std::move(traceparent);
  return std::make_shared<const Event>(std::move(made));
}

TraceWish wish(std::map<std::string, std::string> variables) {
  return trace_wish([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

}  // namespace

TEST_CASE("trace context: a sender's goes on, a story without one has one of its own") {
  const auto given = trace_of(kGiven, "C1");
  CHECK(given.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK(given.parent == "00f067aa0ba902b7");
  CHECK(given.sampled);
  CHECK_FALSE(trace_of(kGiven.substr(0, 53) + "00", "C1").sampled);
  CHECK(trace_of(kGiven.substr(0, 53) + "03", "C1").sampled);  // other flags mean nothing to hark
  const auto own = trace_of("", "C1");
  CHECK(own.trace_id.size() == 32);
  CHECK(own.parent.empty());
  CHECK(own.trace_id == trace_of("", "C1").trace_id);
  CHECK(own.trace_id != trace_of("", "C2").trace_id);
  CHECK(traceparent_for(given, span_of_event("E1")) == "00-4bf92f3577b34da6a3ce929d0e0e4736-" + span_of_event("E1") + "-01");
  CHECK(checked_traceparent(traceparent_for(own, span_of_run("R1", 1))).size() == 55);
}

TEST_CASE("trace context: different things have different ids, also where their words run together") {
  const std::vector<std::string> ids{span_of_event("R1"),         span_of_run("R1", 1),          span_of_run("R1", 2),           span_of_run("R11", 1),       span_of_iteration("R1", 1, 1),
                                     span_of_iteration("R1", 1, 2), span_of_step("R1", 1, 1, "a"), span_of_step("R1", 1, 1, "b"), span_of_step("R1", 1, 11, ""), span_of({"a", "bc"}), span_of({"ab", "c"})};
  CHECK(std::set<std::string>(ids.begin(), ids.end()).size() == ids.size());
  for (const auto& id : ids) CHECK(id.size() == 16);
}

TEST_CASE("spans: an event, the attempts of its run, and nothing of what is not sampled") {
  Spans spans;
  const auto received = spans.of(lifecycle::EventReceived{event(kGiven)}, kNow);
  REQUIRE(received);
  CHECK(received->id == span_of_event("E1"));
  CHECK(received->parent == "00f067aa0ba902b7");
  CHECK(received->begin == kNow - 2s);
  CHECK(received->end == kNow);
  CHECK_FALSE(spans.of(lifecycle::EventReceived{event(kGiven.substr(0, 53) + "00")}, kNow));
  Event old = *event();
  for (const auto time : {kNow - 1h, kNow + 1h}) {  // of a clock that is wrong, or told late
    old.time = time;
    CHECK(spans.of(lifecycle::EventReceived{std::make_shared<const Event>(old)}, kNow)->begin == kNow);
  }
  Run run;
  run.id = "R1";
  run.handler = "h";
  run.event_id = "E1";
  run.correlation_id = "C1";
  run.traceparent = kGiven;
  run.queued = kNow - 3s;
  run.started = kNow - 1s;
  CHECK_FALSE(spans.of(lifecycle::RunStarted{std::make_shared<const Run>(run)}, kNow));
  auto next = run;  // as it waits for another attempt
  next.attempt = 2;
  next.started.reset();
  next.error = "exit status 1";
  const auto first = spans.of(lifecycle::RunRetry{std::make_shared<const Run>(next)}, kNow);
  REQUIRE(first);
  CHECK(first->id == span_of_run("R1", 1));
  CHECK(first->begin == kNow - 1s);
  CHECK(first->end == kNow);
  CHECK(first->error == "exit status 1");
  CHECK(first->parent == span_of_event("E1"));
  run.attempt = 2;
  run.started = kNow + 1s;
  run.finished = kNow + 4s;
  run.state = RunState::succeeded;
  const auto second = spans.of(lifecycle::RunComplete{std::make_shared<const Run>(run)}, kNow + 9s);
  REQUIRE(second);
  CHECK(second->id == span_of_run("R1", 2));
  CHECK(second->begin == kNow + 1s);
  CHECK(second->end == kNow + 4s);
  CHECK_FALSE(second->error);
  StepResult step;
  step.name = "build";
  step.started = kNow;
  step.duration = 1500ms;
  step.state = StepState::failed;
  step.error = "exit status 2";
  step.exit_code = 2;
  const auto of_step = spans.of(lifecycle::PhaseComplete{lifecycle::of(run), step}, kNow);
  REQUIRE(of_step);
  CHECK(of_step->id == span_of_step("R1", 2, 1, "build"));
  CHECK(of_step->parent == span_of_iteration("R1", 2, 1));
  CHECK(of_step->end - of_step->begin == 1500ms);
  CHECK(of_step->error == "exit status 2");
  step.part = StepPart::delivery;
  CHECK(spans.of(lifecycle::PhaseComplete{lifecycle::of(run), step}, kNow)->parent == span_of_run("R1", 2));
}

TEST_CASE("otlp: what the variables say") {
  CHECK_FALSE(wish({}).options);
  CHECK_FALSE(wish({{"OTEL_EXPORTER_OTLP_ENDPOINT", ""}}).options);
  CHECK(wish({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318"}}).options->url == "http://a:4318/v1/traces");
  CHECK(wish({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318/in/"}}).options->url == "http://a:4318/in/v1/traces");
  CHECK(wish({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://b/x"}}).options->url == "https://b/x");
  CHECK_FALSE(wish({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"}, {"OTEL_SDK_DISABLED", "True"}}).options);
  CHECK_FALSE(wish({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"}, {"OTEL_TRACES_EXPORTER", "none"}}).options);
  const auto bare = wish({{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"}});
  CHECK_FALSE(bare.options);
  CHECK(bare.warnings.size() == 1);
  const auto full = wish({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"}, {"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20abc, x = 1 ,=none,none"}, {"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"},
                          {"OTEL_RESOURCE_ATTRIBUTES", "service.name=other,host.name=m"}, {"OTEL_SERVICE_NAME", "mine"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"}});
  CHECK(full.options->headers.get("Authorization") == "Basic abc");
  CHECK(full.options->headers.get("x") == "1");
  CHECK(full.options->timeout == 2500ms);
  CHECK(full.options->resource[0] == std::pair<std::string, std::string>("service.name", "mine"));
  CHECK(full.options->resource[1] == std::pair<std::string, std::string>("host.name", "m"));
  CHECK(full.warnings.size() == 1);
  CHECK(wish({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"}, {"OTEL_EXPORTER_OTLP_TIMEOUT", "-1"}}).warnings.size() == 1);
}

namespace {

// Answers with these in turn, then 200; keeps what it was sent.
class ScriptedClient final : public HttpClient {
 public:
  Result<HttpResponse> call(const HttpCall& call, std::stop_token) override {
    std::unique_lock lock(mutex_);
    held_.wait(lock, [this] { return !hold_; });
    sent_.push_back(nlohmann::json::parse(call.body)["resourceSpans"][0]["scopeSpans"][0]["spans"].size());
    HttpResponse answer;
    if (!answers.empty()) {
      answer.status = answers.front();
      answers.pop_front();
    }
    if (answer.status == 0) return Error{"nobody is there", ""};
    return answer;
  }
  void hold(bool on) {
    {
      const std::lock_guard lock(mutex_);
      hold_ = on;
    }
    held_.notify_all();
  }
  std::vector<std::size_t> sent() {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  std::deque<int> answers;  // before the first call

 private:
  std::mutex mutex_;
  std::condition_variable held_;
  bool hold_ = false;
  std::vector<std::size_t> sent_;
};

struct ExportWorld {
  ScriptedClient client;
  SystemClock clock;
  Secrets secrets;
  std::atomic<std::uint64_t> lost{0};
  std::atomic<int> told{0};

  std::unique_ptr<TraceExport> begin(std::size_t backlog = 100) {
    TraceOptions options;
    options.url = "http://collector/v1/traces";
    return std::make_unique<TraceExport>(options, TraceExport::Parts{client, clock, secrets, [this](std::uint64_t count) { lost += count; }, [this](const Error&) { ++told; }}, TraceExport::Pace{backlog, 1ms, 1ms});
  }
};

}  // namespace

TEST_CASE("traces: the subscriber never waits; what does not fit is counted") {
  ExportWorld world;
  world.client.hold(true);
  auto traces = world.begin(10);
  for (int i = 0; i < 1000; ++i) (*traces)(lifecycle::EventReceived{event()});
  world.client.hold(false);
  traces.reset();
  std::size_t sent = 0;
  for (const auto count : world.client.sent()) sent += count;
  CHECK(sent + world.lost == 1000);
  CHECK(sent >= 10);
  CHECK(world.lost >= 1000 - 10 - limits::kSpanBatch);
}

TEST_CASE("traces: tried again as long as that may help, and told of once") {
  ExportWorld world;
  world.client.answers = {0, 503, 429, 200, 400, 400};
  auto traces = world.begin();
  const auto send_one = [&](std::size_t requests) {
    (*traces)(lifecycle::EventReceived{event()});
    REQUIRE(test::eventually([&] { return world.client.sent().size() == requests; }));
  };
  send_one(4);
  CHECK(world.lost == 0);
  send_one(5);
  REQUIRE(test::eventually([&] { return world.lost == 1; }));
  send_one(6);
  REQUIRE(test::eventually([&] { return world.lost == 2; }));
  CHECK(world.told == 1);
  send_one(7);
  traces.reset();
  CHECK(world.lost == 2);
}

TEST_CASE("traces: at the end what waits is sent, and nobody is waited for who does not answer") {
  ExportWorld world;
  world.client.answers = {0, 0, 0, 0, 0, 0, 0, 0};
  auto traces = world.begin();
  for (int i = 0; i < 3; ++i) (*traces)(lifecycle::EventReceived{event()});
  traces.reset();
  CHECK(world.lost == 3);
}
