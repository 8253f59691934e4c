#include <doctest/doctest.h>

#include "executor/executor.h"
#include "executor/pool_runner.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"
#include "tests/support/fake_processes.h"
#include "tests/support/temporary_folder.h"

using namespace hark;
using namespace std::chrono_literals;

namespace {

class RecordingRunner final : public Runner {
 public:
  void start(Assignment assignment) override { started.push_back(std::move(assignment)); }
  std::vector<Assignment> started;
};

Handlers one_handler(int max_concurrent = 0) {
  Handler handler;
  handler.name = "h";
  handler.max_concurrent = max_concurrent;
  return {{"h", std::make_shared<const Handler>(handler)}};
}

struct World {
  test::TemporaryFolder folder;
  test::FakeClock clock;
  std::unique_ptr<Journal> journal = std::move(*open_journal(folder / "journal.db"));
  RunQueue queue{2, 100};
  RecordingRunner runner;

  void enqueue(const std::string& id, const std::string& handler = "h") {
    Event event;
    event.id = "event-of-" + id;
    event.type = "manual";
    REQUIRE(journal->begin());
    const auto sequence = journal->add_event(event);
    REQUIRE(sequence);
    Run run;
    run.id = id;
    run.handler = handler;
    run.event_id = event.id;
    run.event_sequence = *sequence;
    const auto added = journal->add_run(run, this_process());
    REQUIRE(added);
    REQUIRE(journal->commit());
    run.sequence = *added;
    queue.push({run, std::make_shared<const Event>(event)}, clock.now());
  }

  Executor::Plan plan(Executor& executor) {
    REQUIRE(journal->begin());
    auto plan = executor.plan(clock.now(), [](const std::string&) { return std::nullopt; });
    REQUIRE(plan);
    REQUIRE(journal->commit());
    return std::move(*plan);
  }
  RunState state(const std::string& id) { return (**journal->run(id)).state; }
};

}  // namespace

TEST_CASE("executor: plans as many as there are slots, writes them as running, launches them") {
  World world;
  Executor executor(world.queue, *world.journal, this_process());
  executor.set_handlers(one_handler());
  for (const auto* id : {"run-aa", "run-bb", "run-cc"}) world.enqueue(id);
  auto plan = world.plan(executor);
  REQUIRE(plan.start.size() == 2);
  CHECK(world.state("run-aa") == RunState::running);
  CHECK(world.state("run-cc") == RunState::queued);
  executor.launch(std::move(plan.start), world.runner);
  CHECK(executor.active() == 2);
  REQUIRE(world.runner.started.size() == 2);
  CHECK(world.runner.started[0].run.id == "run-aa");

  CHECK(world.plan(executor).start.empty());
  executor.finished("run-aa");
  CHECK(world.plan(executor).start.size() == 1);
}

TEST_CASE("executor: a plan that is dropped gives its slots back") {
  World world;
  Executor executor(world.queue, *world.journal, this_process());
  executor.set_handlers(one_handler());
  world.enqueue("run-aa");
  { const auto dropped = world.plan(executor); }
  CHECK(world.queue.slots().running() == 0);
}

TEST_CASE("executor: a handler's own cap holds") {
  World world;
  Executor executor(world.queue, *world.journal, this_process());
  executor.set_handlers(one_handler(1));
  world.enqueue("run-aa");
  world.enqueue("run-bb");
  CHECK(world.plan(executor).start.size() == 1);
}

TEST_CASE("executor: a cancel asks the run to stop until it has ended") {
  World world;
  Executor executor(world.queue, *world.journal, this_process());
  executor.set_handlers(one_handler());
  world.enqueue("run-aa");
  executor.launch(world.plan(executor).start, world.runner);
  CHECK(!executor.cancel("run-bb"));
  CHECK(executor.cancel("run-aa"));
  CHECK(world.runner.started[0].stop.stop_requested());
  executor.finished("run-aa");
  CHECK(executor.active() == 0);
}

TEST_CASE("executor: a run without its handler fails with the reason") {
  World world;
  Executor executor(world.queue, *world.journal, this_process());
  executor.set_handlers(one_handler());
  world.enqueue("run-aa", "gone");
  const auto plan = world.plan(executor);
  REQUIRE(plan.failed.size() == 1);
  CHECK(plan.failed[0].state == RunState::failed);
  CHECK(plan.failed[0].error == "handler 'gone' is not in the configuration any more");
  CHECK(world.queue.slots().running() == 0);
}

TEST_CASE("pool runner: what a schedule offered a little ahead begins at its slot, what is far ahead at once") {
  test::TemporaryFolder folder;
  Loop loop;
  SystemClock clock;
  test::FakeProcesses processes;
  test::FakeHttpClient http;
  std::optional<Run> ended;
  RunReports reports;
  reports.step_finished = [](const Run&, std::size_t, const StepResult&) {};
  reports.told = [](const lifecycle::Any&) {};
  reports.finished = [&](const Run& run) { ended = run; };
  PoolRunner runner(loop, 1, PipelineTools{processes, http, clock, folder.path()}, reports);
  const auto begins = [&](Duration ahead) {
    Event event;
    event.time = clock.now().wall + std::chrono::duration_cast<std::chrono::microseconds>(ahead);
    Assignment assignment;
    assignment.handler = std::make_shared<Handler>();
    assignment.event = std::make_shared<const Event>(event);
    ended.reset();
    runner.start(std::move(assignment));
    for (int tries = 0; !ended && tries < 600; ++tries) loop.run_once(100ms);
    REQUIRE((ended && ended->started));
    return *ended->started >= event.time;
  };
  CHECK(begins(limits::kSlotAhead - 1ms));
  CHECK_FALSE(begins(1h));
}

TEST_CASE("pool runner: a pipeline runs on a worker and reports its steps, then its end, on the loop") {
  test::TemporaryFolder folder;
  Loop loop;
  SystemClock clock;
  test::FakeProcesses processes;
  test::FakeHttpClient http;
  std::vector<std::string> heard;
  RunReports reports;
  reports.step_finished = [&](const Run&, std::size_t, const StepResult& step) { heard.push_back("step " + step.name); };
  reports.told = [&](const lifecycle::Any& event) { heard.emplace_back(lifecycle::name(event)); };
  reports.finished = [&](const Run& run) { heard.push_back("run " + run.id + " " + std::string(to_string(run.state))); };
  PoolRunner runner(loop, 1, PipelineTools{processes, http, clock, folder.path()}, reports);

  auto handler = std::make_shared<Handler>();
  handler->name = "h";
  for (const auto* name : {"one", "two"}) {
    StepOptions step;
    step.name = name;
    step.kind = RunStepOptions{false, {}, {Template::parse("true")}};
    handler->steps.push_back(step);
  }
  Assignment assignment;
  assignment.handler = handler;
  assignment.run.id = "r";
  assignment.run.handler = "h";
  assignment.event = std::make_shared<const Event>();
  runner.start(std::move(assignment));
  for (int tries = 0; heard.size() < 5 && tries < 600; ++tries) loop.run_once(100ms);
  CHECK(heard == std::vector<std::string>{"step one", "phase:started", "step two", "iteration:complete", "run r succeeded"});
}
