#include "daemon/sources.h"

#include <doctest/doctest.h>

#include "platform/http_client.h"
#include "platform/http_server.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "sources/marks.h"
#include "sources/push_desk.h"
#include "sources/remote_reader.h"
#include "state/last_run.h"
#include "tests/support/fake_clock.h"

using namespace hark;
using namespace hark::test;

namespace {

struct NoMarks final : Marks {
  Result<MarkSet> marks_of(const std::string&) override { return MarkSet{}; }
  void replace_marks(const std::string&, MarkSet) override {}
  void note_marks(const std::string&, std::vector<std::pair<std::string, std::string>>) override {}
};

struct NoRemotes final : RemoteReader {
  Result<RemoteRefs> read(const RemoteRequest&, std::stop_token) override { return Error{}; }
};

// One schedule "s", replaced by others.
struct Replacing {
  Loop loop;
  FakeClock clock;
  Workers workers{"test", 1};
  HttpServer server{loop};
  NoMarks marks;
  NoRemotes remotes;
  PushDesk pushes;
  RealHttpClient client;
  LastRun last_run;
  std::map<std::string, WallTime> since;
  Settings running;

  // Whether it is another object from now on.
  bool run(std::string_view now, const std::string& cron, int limit = 100) {
    clock.set_wall(*from_rfc3339(now));
    ScheduleOptions options;
    options.name = "s";
    options.cron = cron;
    options.timezone = "UTC";
    options.catch_up_limit = limit;
    Settings wanted;
    wanted.sources.push_back({"s", "schedule", options, {}});
    const auto made = wanted_sources(wanted, running.sources.empty() ? nullptr : &running, {}, {loop, clock, workers, workers, remotes, client, server, marks, pushes, last_run, since});
    running = std::move(wanted);
    REQUIRE(made.size() == 1);
    return made[0].source != nullptr;
  }
};

}  // namespace

TEST_CASE("sources: one that is as it was keeps its object, any other option makes a new one") {
  Replacing world;
  CHECK(world.run("2026-03-01T08:00:00Z", "0 9 * * *"));
  CHECK_FALSE(world.run("2026-03-01T08:10:00Z", "0 9 * * *"));
  CHECK(world.run("2026-03-01T08:20:00Z", "0 9 * * *", 7));
}

TEST_CASE("sources: a schedule of the same plan goes on where it was, so that a slot within its replacement is not lost") {
  Replacing world;
  world.run("2026-03-01T08:59:59Z", "0 9 * * *");
  world.run("2026-03-01T09:00:01Z", "0 9 * * *", 50);
  CHECK(world.since.at("s") == *from_rfc3339("2026-03-01T08:59:59Z"));
}

TEST_CASE("sources: a schedule of another plan begins with the second of its coming") {
  Replacing world;
  world.last_run.schedules["s"] = *from_rfc3339("2026-02-01T00:00:00Z");
  world.run("2026-03-01T09:00:00Z", "0 9 * * *");
  CHECK_FALSE(world.since.contains("s"));  // what it missed since its last slot is its catch_up's matter
  world.run("2026-03-01T09:30:00.7Z", "*/10 * * * *");
  CHECK(world.since.at("s") < *from_rfc3339("2026-03-01T09:30:00Z"));
  CHECK(world.since.at("s") >= *from_rfc3339("2026-03-01T09:29:59Z"));
}
