// What it costs to tell of something, with so many subscribers that count it as the metrics do.   lifecycle_cost SUBSCRIBERS  ->  ns an event
#include <cstdio>
#include <cstdlib>
#include <deque>

#include "bench/stamp.h"
#include "reporters/metrics.h"

using namespace hark;

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  lifecycle::Emitter emitter;
  std::deque<Metrics> metrics(std::size_t(std::atoi(argv[1])));
  for (auto& each : metrics) emitter.subscribe("metrics", [&each](const lifecycle::Any& event) { each.report(event); });
  Event event;
  event.id = "01KAJ4X0Z7C1V0M3G8K6T5W2QR";
  event.type = "webhook";
  event.source = "hook";
  Run run;
  run.id = event.id;
  run.handler = "deploy";
  run.started = run.queued + std::chrono::milliseconds(1);
  run.finished = *run.started + std::chrono::milliseconds(20);
  run.state = RunState::succeeded;
  StepResult step;
  step.name = "build";
  const auto shared_event = std::make_shared<const Event>(event);
  const auto shared_run = std::make_shared<const Run>(run);
  // What an event of one run of two steps tells.
  const std::vector<lifecycle::Any> story{lifecycle::EventReceived{shared_event}, lifecycle::EventQueued{shared_event, run.handler}, lifecycle::RunQueued{shared_run}, lifecycle::RunStarted{shared_run},
                                          lifecycle::PhaseComplete{lifecycle::of(run), step}, lifecycle::PhaseComplete{lifecycle::of(run), step}, lifecycle::IterationComplete{lifecycle::of(run), 1, true, {}},
                                          lifecycle::RunComplete{shared_run}};
  constexpr int kStories = 50'000;
  const auto begun = bench::now_ns();
  for (int i = 0; i < kStories; ++i) {
    for (const auto& each : story) emitter.emit(each);
  }
  std::printf("%.1f\n", double(bench::now_ns() - begun) / kStories / double(story.size()));
}
