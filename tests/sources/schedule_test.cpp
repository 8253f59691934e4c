// The thin part of the schedule, on the real loop and the real clock: a schedule of every second fires within one.
#include "sources/schedule.h"

#include <doctest/doctest.h>

#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "platform/clock.h"
#include "platform/loop.h"
#include "tests/support/kept_marks.h"

using namespace hark;
using namespace std::chrono;

namespace {

// Takes events, and answers as a test wants, on the loop as the real one does.
class FakeHost final : public SourceHost {
 public:
  explicit FakeHost(Loop& loop) : loop_(loop) {}

  void offer(Event event, Answer answer) override {
    events.push_back(std::move(event));
    if (!answers) {
      held.push_back(std::move(answer));
      return;
    }
    Acceptance acceptance;
    acceptance.outcome = refuse > 0 ? Acceptance::Outcome::refused : Acceptance::Outcome::accepted;
    if (refuse > 0) --refuse;
    loop_.post([answer = std::move(answer), acceptance] { answer(acceptance); });
  }
  void failed(Error) override { FAIL("the schedule failed"); }
  void degraded(Error) override {}
  void healthy() override {}
  void when_ended(const std::string&, RunsEnded) override { FAIL("not expected"); }
  void refused(Refusal) override { FAIL("not expected"); }

  std::vector<Event> events;
  std::deque<Answer> held;
  bool answers = true;
  int refuse = 0;

 private:
  Loop& loop_;
};

struct Bench {
  Loop loop;
  SystemClock clock;
  FakeHost host{loop};
  hark::test::KeptMarks marks;
  std::string boot = "first";
  std::optional<WallTime> last;
  std::unique_ptr<Source> schedule;

  void start(ScheduleOptions options) {
    schedule = make_schedule(std::move(options), loop, clock, [this] { return last; }, marks, boot);
    const auto status = schedule->start(host);
    REQUIRE_MESSAGE(status.ok(), status.error().text());
  }
  bool run_until(std::size_t events) {
    const auto deadline = clock.now().steady + 30s;
    while (host.events.size() < events && clock.now().steady < deadline) loop.run_once(1s);
    return host.events.size() >= events;
  }
};

ScheduleOptions every_second() {
  ScheduleOptions options;
  options.name = "tick";
  options.cron = "* * * * * *";
  options.timezone = "Europe/Berlin";
  return options;
}

}  // namespace

TEST_CASE("schedule: slots become events, each once, named by the slot") {
  Bench bench;
  const auto before = bench.clock.now().wall;
  bench.start(every_second());
  REQUIRE(bench.run_until(2));
  const auto& event = bench.host.events.front();
  CHECK(event.type == "schedule");
  CHECK(event.source == "tick");
  const auto slot = from_rfc3339(event.subject);
  REQUIRE(slot.has_value());
  CHECK(*slot > before);
  CHECK(event.time >= *slot);
  CHECK(event.dedupe_key == "schedule/tick/" + event.subject);
  const auto& data = event.data.json();
  CHECK(data.at("schedule") == "tick");
  CHECK(data.at("cron") == "* * * * * *");
  CHECK(data.at("missed") == 0);
  const auto text = data.at("slot").get<std::string>();
  CHECK(from_rfc3339(text) == slot);
  CHECK((text.ends_with("+01:00") || text.ends_with("+02:00")));
  CHECK(bench.host.events[1].dedupe_key != event.dedupe_key);
}

TEST_CASE("schedule: what was missed while the daemon was down is offered in order, one after the other") {
  Bench bench;
  auto options = every_second();
  options.cron = "0 * * * *";
  options.catch_up = ScheduleOptions::CatchUp::all;
  options.catch_up_limit = 5;
  bench.last = bench.clock.now().wall - 72h;
  bench.start(options);
  CHECK(bench.host.events.empty());  // nothing from within start()
  REQUIRE(bench.run_until(5));
  for (std::size_t i = 1; i < 5; ++i)
    CHECK(*from_rfc3339(bench.host.events[i].subject) - *from_rfc3339(bench.host.events[i - 1].subject) == 1h);
  CHECK(bench.host.events.front().data.json().at("missed").get<int>() >= 66);
}

TEST_CASE("schedule: a refused slot is offered again, and those behind it wait") {
  Bench bench;
  auto options = every_second();
  options.cron = "0 * * * *";
  options.catch_up = ScheduleOptions::CatchUp::all;
  options.catch_up_limit = 2;
  bench.last = bench.clock.now().wall - 72h;
  bench.host.refuse = 1;
  bench.start(options);
  REQUIRE(bench.run_until(3));
  CHECK(bench.host.events[0].dedupe_key == bench.host.events[1].dedupe_key);
  CHECK(bench.host.events[2].dedupe_key != bench.host.events[1].dedupe_key);
}

TEST_CASE("schedule: nothing is offered while the sink has not answered") {
  Bench bench;
  bench.host.answers = false;
  bench.last = bench.clock.now().wall - 10s;
  auto options = every_second();
  options.catch_up = ScheduleOptions::CatchUp::all;
  bench.start(options);
  REQUIRE(bench.run_until(1));
  bench.loop.run_once(2s);  // the next second's slot is due
  CHECK(bench.host.events.size() == 1);
  Acceptance accepted;
  accepted.outcome = Acceptance::Outcome::duplicate;  // a duplicate is taken too
  bench.host.held.front()(accepted);
  CHECK(bench.host.events.size() == 2);
}

TEST_CASE("schedule: after stop nothing comes, not even for an answer that was under way") {
  Bench bench;
  bench.host.answers = false;
  bench.start(every_second());
  bench.schedule->stop();
  bench.schedule->stop();
  while (bench.loop.run_once(50ms)) {
  }
  CHECK(bench.host.events.empty());

  REQUIRE(bench.schedule->start(bench.host).ok());
  REQUIRE(bench.run_until(1));
  bench.schedule->stop();
  bench.host.held.front()({});  // refused
  while (bench.loop.run_once(50ms)) {
  }
  CHECK(bench.host.events.size() == 1);

  REQUIRE(bench.schedule->start(bench.host).ok());
  REQUIRE(bench.run_until(2));
  bench.schedule.reset();
  Acceptance accepted;
  accepted.outcome = Acceptance::Outcome::accepted;
  bench.host.held.back()(accepted);
  CHECK(bench.host.events.size() == 2);
}

TEST_CASE("schedule: a wrong expression or zone is an error of start") {
  Bench bench;
  for (const auto& [cron, zone] :
       {std::pair{"* * * *", "UTC"}, std::pair{"* * * * *", "Europe/Atlantis"}, std::pair{"* * * * *", "../x"}}) {
    ScheduleOptions options;
    options.name = "wrong";
    options.cron = cron;
    options.timezone = zone;
    const auto schedule = make_schedule(options, bench.loop, bench.clock, [] { return std::nullopt; }, bench.marks, bench.boot);
    CHECK_FALSE(schedule->start(bench.host).ok());
    schedule->stop();
  }
}

TEST_CASE("schedule: @reboot is offered once after each start of the machine, and again until it is taken") {
  Bench bench;
  auto options = every_second();
  options.cron = "@reboot";
  bench.host.refuse = 1;
  bench.start(options);
  REQUIRE(bench.run_until(2));  // refused once
  const auto& event = bench.host.events.back();
  CHECK(event.dedupe_key == "schedule/tick/boot/first");
  CHECK(event.data.json().at("cron") == "@reboot");
  bench.marks.note_marks("tick", event.marks);  // as the engine does with what is taken

  bench.start(options);
  bench.loop.run_once(50ms);
  CHECK(bench.host.events.size() == 2);
  bench.boot = "second";
  bench.start(options);
  REQUIRE(bench.run_until(3));
  CHECK(bench.host.events.back().dedupe_key == "schedule/tick/boot/second");
}

TEST_CASE("schedule: @reboot where the system does not say when it was started is an error") {
  Bench bench;
  bench.boot.clear();
  auto options = every_second();
  options.cron = "@reboot";
  const auto schedule = make_schedule(options, bench.loop, bench.clock, [] { return std::nullopt; }, bench.marks, bench.boot);
  const auto started = schedule->start(bench.host);
  REQUIRE_FALSE(started.ok());
  CHECK(started.error().message.find("boot_id") != std::string::npos);
}
