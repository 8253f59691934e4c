#include "reporters/hooks.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "reporters/hook_desk.h"
#include "platform/loop.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"
#include "tests/support/fake_processes.h"

using namespace hark;
using namespace hark::test;
using namespace std::chrono_literals;

namespace {

lifecycle::Any run_failed(const std::string& handler) {
  Run run;
  run.id = "42";
  run.handler = handler;
  run.state = RunState::failed;
  return lifecycle::RunFailed{std::make_shared<const Run>(std::move(run))};
}

Hook command(const std::string& name, const char* where = "") {
  Hook hook;
  hook.name = name;
  hook.on = {"run:failed", "event:received", "daemon:note"};
  hook.where = *Filter::parse(where);
  hook.action = Hook::Command{{"./tell", "x"}, "/there", {}};
  return hook;
}

struct Desk {
  FakeProcesses processes;
  FakeHttpClient http;
  FakeClock clock;
  HookTools tools{processes, http, clock};
};

struct World : Desk {
  std::mutex mutex;
  std::vector<std::string> failures;
  std::vector<std::string> published;
  std::unique_ptr<Hooks> hooks = std::make_unique<Hooks>(
      tools, "1-2", [this](const HookPtr& hook, const lifecycle::Any& any) { published.push_back(hook->name + " " + std::string(lifecycle::name(any))); },
      [this](const std::string& hook, const Error& error) {
        const std::lock_guard lock(mutex);
        failures.push_back(hook + ": " + error.text());
      });

  void use(std::vector<Hook> wanted) {
    std::vector<HookPtr> shared;
    for (auto& hook : wanted) shared.push_back(std::make_shared<const Hook>(std::move(hook)));
    hooks->use(std::move(shared));
  }
  void end() { hooks.reset(); }  // what waits gets a moment
  std::size_t failed() {
    const std::lock_guard lock(mutex);
    return failures.size();
  }
};

}  // namespace

TEST_CASE("hooks: a command gets the lifecycle event on standard input, in its folder and under a mark of its own") {
  World world;
  world.use({command("tell")});
  (*world.hooks)(run_failed("backup"));
  world.end();
  REQUIRE(world.processes.calls().size() == 1);
  const auto call = world.processes.calls()[0];
  CHECK(call.command.argv == std::vector<std::string>{"./tell", "x"});
  CHECK(call.command.working_directory == "/there");
  CHECK(call.command.run_id == "hook-1-2-tell");
  CHECK(call.environment("HARK_HOOK") == "tell");
  CHECK(call.environment("HARK_LIFECYCLE_EVENT") == "run:failed");
  CHECK(call.deadline == world.clock.now().steady + 5s);
  const auto json = nlohmann::json::parse(call.command.input);
  CHECK(json["name"] == "run:failed");
  CHECK(json["time"] == to_rfc3339(world.clock.now().wall));
  CHECK(json["run"]["handler"] == "backup");
}

TEST_CASE("hooks: a request is a POST of the same, with the headers of its hook") {
  World world;
  auto hook = command("web");
  hook.action = Hook::Request{"http://h/x", {{"X-Key", "k"}}};
  hook.timeout = 3s;
  world.use({hook});
  (*world.hooks)(run_failed("backup"));
  world.end();
  REQUIRE(world.http.calls().size() == 1);
  const auto call = world.http.calls()[0];
  CHECK(call.method == "POST");
  CHECK(call.url == "http://h/x");
  CHECK(call.content_type == "application/json");
  CHECK(call.timeout == 3s);
  CHECK(header(call, "X-Key") == "k");
  CHECK(nlohmann::json::parse(call.body)["run"]["id"] == "42");
}

TEST_CASE("hooks: only what its names and its filter want is told; what it is asked about is not told again") {
  World world;
  auto publisher = command("bus");
  publisher.action = Hook::Publish{"t", "", "s"};
  world.use({command("picky", "handler:backup"), publisher});
  (*world.hooks)(run_failed("backup"));
  (*world.hooks)(run_failed("other"));
  (*world.hooks)(lifecycle::SourceStarted{"s"});
  (*world.hooks)(lifecycle::EventReceived{std::make_shared<const Event>()});
  world.end();
  CHECK(world.processes.calls().size() == 1);
  CHECK(world.published == std::vector<std::string>{"bus run:failed", "bus run:failed", "bus event:received"});
}

TEST_CASE("hooks: failures in a row are said once, until one works") {
  World world;
  for (const int code : {1, 2, 0, 3}) world.processes.answer(FakeProcesses::exited(code, {}, "first\nno such table\n"));
  world.use({command("tell")});
  for (int i = 0; i < 4; ++i) (*world.hooks)(run_failed("backup"));
  world.end();
  CHECK(world.failures == std::vector<std::string>{"tell: its command ended with exit status 1: no such table", "tell: its command ended with exit status 3: no such table"});
}

TEST_CASE("hooks: one that does not keep up misses the newest, and its reader is told how many; the others go on") {
  World world;
  std::atomic<bool> go = false;
  world.processes.answer([&](const FakeProcesses::Call&, const std::stop_token&) {
    go.wait(false);
    return Result<ProcessResult>(FakeProcesses::exited(0));
  });
  world.use({command("slow")});
  (*world.hooks)(run_failed("backup"));
  REQUIRE(eventually([&] { return world.processes.calls().size() == 1; }));
  for (std::size_t i = 0; i < limits::kHookBacklog + 7; ++i) (*world.hooks)(run_failed("backup"));
  CHECK(world.hooks->left_out() == 7);
  auto other = command("other");
  other.action = Hook::Request{"http://h/", {}};
  world.use({other});
  (*world.hooks)(run_failed("backup"));
  REQUIRE(eventually([&] { return world.http.calls().size() == 1; }));
  go = true;
  go.notify_all();
  REQUIRE(eventually([&] { return world.failed() == 1; }));
  CHECK(world.failures[0].find("slow: it does not keep up: it was not told of 7 lifecycle events") == 0);
}

TEST_CASE("hooks: one that hangs is ended when hark stops") {
  World world;
  std::atomic<bool> stopped = false;
  world.processes.answer([&](const FakeProcesses::Call&, const std::stop_token& stop) {
    const std::stop_callback tell(stop, [&] {
      stopped = true;
      stopped.notify_all();
    });
    stopped.wait(false);
    return Result<ProcessResult>(FakeProcesses::ended(ProcessResult::End::cancelled, 143));
  });
  world.use({command("hangs")});
  (*world.hooks)(run_failed("backup"));
  REQUIRE(eventually([&] { return world.processes.calls().size() == 1; }));
  world.end();
  CHECK(stopped);
  CHECK(world.failures.empty());
}

TEST_CASE("hooks: an answer is nothing, to continue, or to skip with a reason fit for one line; anything else is none") {
  CHECK_FALSE(read_hook_answer("")->skip);
  CHECK_FALSE(read_hook_answer(" \n")->skip);
  CHECK_FALSE(read_hook_answer(R"({"action":"continue"})")->skip);
  const auto skip = read_hook_answer(R"({"action":"skip","reason":"a\nb"})");
  REQUIRE(skip);
  CHECK(skip->skip);
  CHECK(skip->reason == "a\\nb");
  CHECK(read_hook_answer(R"({"action":"skip"})")->skip);
  CHECK(read_hook_answer(R"({"action":"skip","reason":")" + std::string(5000, 'x') + "\"}")->reason.size() <= limits::kHookReason + 3);  // and "…"
  for (const auto* wrong : {"ok", "[]", "\"skip\"", "{}", R"({"action":"stop"})", R"({"action":["skip"]})", R"({"action":"skip","reason":7})", R"({"action":"skip"} x)"}) {
    CAPTURE(wrong);
    CHECK_FALSE(read_hook_answer(wrong));
  }
}

TEST_CASE("hooks: who answers with a failure, too late or too much has not answered") {
  Desk desk;
  const auto asked = [&](const Hook& hook) { return ask(hook, run_failed("x"), {}, desk.tools, "mark", {}); };
  desk.processes.answer(FakeProcesses::exited(1, R"({"action":"skip"})"));
  CHECK(asked(command("c")).error().message == "its command ended with exit status 1");
  desk.processes.answer(FakeProcesses::ended(ProcessResult::End::timed_out, 143));
  CHECK(asked(command("c")).error().message == "it did not answer within 5s (timeout)");
  desk.processes.answer(FakeProcesses::ended(ProcessResult::End::signalled, 137));
  CHECK(asked(command("c")).error().message == "its command was ended by signal 9 (Killed)");
  auto much = FakeProcesses::exited(0, "{}");
  much.output.bytes = 100'000;
  desk.processes.answer(much);
  CHECK(asked(command("c")).error().message.find("its command wrote 100000 bytes") == 0);
  auto web = command("w");
  web.action = Hook::Request{"http://h/", {}};
  desk.http.answer(500, R"({"action":"skip"})");
  CHECK(asked(web).error().message == "the answer to its request was 500, wanted 200 to 299");
  desk.http.answer(200, R"({"action":"skip"})");
  CHECK(asked(web)->skip);
  desk.http.answer(204);
  CHECK_FALSE(asked(web)->skip);
}

TEST_CASE("hooks: the desk asks a few at a time, under marks that no two have at once, and answers on the loop") {
  Desk desk;
  Loop loop;
  const auto marks = hook_marks("1-2");
  CHECK(marks.size() == limits::kHookThreads);
  std::atomic<int> at_once = 0, most = 0;
  std::mutex mutex;
  std::multiset<std::string> in_use;
  bool shared = false;
  const std::size_t questions = 40;
  for (std::size_t i = 0; i < questions; ++i) {
    desk.processes.answer([&](const FakeProcesses::Call& call, const std::stop_token&) {
      const int now = ++at_once;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      {
        const std::lock_guard lock(mutex);
        in_use.insert(call.command.run_id);
        shared |= in_use.count(call.command.run_id) > 1;
      }
      std::this_thread::yield();
      {
        const std::lock_guard lock(mutex);
        in_use.erase(call.command.run_id);
      }
      --at_once;
      return Result<ProcessResult>(FakeProcesses::exited(0));
    });
  }
  RealHookDesk real(loop, desk.tools, "1-2");
  std::size_t answered = 0;
  const auto hook = std::make_shared<const Hook>(command("c"));
  for (std::size_t i = 0; i < questions; ++i) {
    real.ask(hook, run_failed("x"), {}, [&](Result<HookAnswer> answer) { answered += answer && !answer->skip ? 1 : 0; });
  }
  for (int tries = 0; answered < questions && tries < 1000; ++tries) loop.run_once(100ms);
  CHECK(answered == questions);
  CHECK(most <= int(limits::kHookThreads));
  CHECK_FALSE(shared);
}
