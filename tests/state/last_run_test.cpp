#include "state/last_run.h"

#include <doctest/doctest.h>

#include "tests/support/fake_file_system.h"

namespace hark {
namespace {

using namespace std::chrono_literals;
using test::FakeFileSystem;

const std::filesystem::path kPath = "/state/state.json";
constexpr WallTime kNow{1'790'000'000s};

LastRun sample() {
  LastRun state;
  state.handlers["on-push"] = {kNow - 1h, kNow - 2h, "failed", "01K7ABCDEFGHJKMNPQRSTVWXYZ"};
  state.handlers["weekly \"x\""] = {std::nullopt, std::nullopt, "cancelled", ""};
  state.schedules["weekly"] = kNow - 24h;
  return state;
}

TEST_CASE("last run: what is saved is loaded again") {
  FakeFileSystem files;
  REQUIRE(save(files, kPath, sample().to_json_text()).ok());
  const auto loaded = LastRun::load(files, kPath, kNow);
  REQUIRE(loaded.ok());
  CHECK(loaded->warning.empty());
  CHECK(loaded->state.to_json_text() == sample().to_json_text());
  CHECK(loaded->state.handlers.at("on-push").last_success == kNow - 2h);
  CHECK(loaded->state.schedules.at("weekly") == kNow - 24h);
}

TEST_CASE("last run: no file is an empty state and no warning") {
  FakeFileSystem files;
  const auto loaded = LastRun::load(files, kPath, kNow);
  REQUIRE(loaded.ok());
  CHECK(loaded->warning.empty());
  CHECK(loaded->state.handlers.empty());
}

TEST_CASE("last run: a file cut at any byte either loads or is kept aside, said aloud, and never loaded half") {
  const auto whole = sample().to_json_text();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    FakeFileSystem files;
    files.put(kPath, whole.substr(0, length));
    const auto loaded = LastRun::load(files, kPath, kNow);
    REQUIRE(loaded.ok());
    if (loaded->warning.empty()) {
      CHECK(loaded->state.to_json_text() == whole);  // only the newline at the end is missing
      continue;
    }
    CHECK(loaded->state.handlers.empty());
    CHECK(loaded->state.schedules.empty());
    REQUIRE(files.files().size() == 1);
    const auto& [kept, content] = *files.files().begin();
    CHECK(kept.string().starts_with(kPath.string() + ".broken-20"));
    CHECK(loaded->warning.find(kept.string()) != std::string::npos);
    CHECK(content == whole.substr(0, length));
  }
}

TEST_CASE("last run: what is of another type or version is kept aside with the reason") {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "no JSON object"},
      {"{}", "no version"},
      {R"({"version": "1"})", "no version"},
      {R"({"version": 1.0})", "no version"},
      {R"({"version": 2, "handlers": 7})", "newer hark (version 2, this one knows 1)"},
      {R"({"version": 18446744073709551615})", "newer hark"},
      {R"({"version": 0})", "version 0 is unknown"},
      {R"({"version": -1})", "version -1 is unknown"},
      {R"({"version": 1, "handlers": []})", "handlers is no object"},
      {R"({"version": 1, "handlers": {"a": "b"}})", "handlers.a is no object"},
      {R"({"version": 1, "handlers": {"a": {"last_run": 5}}})", "handlers.a.last_run is no time"},
      {R"({"version": 1, "handlers": {"a": {"last_success": "soon"}}})", "handlers.a.last_success is no time"},
      {R"({"version": 1, "handlers": {"a": {"last_state": "done"}}})", "handlers.a.last_state is no state"},
      {R"({"version": 1, "handlers": {"a": {"last_run_id": null}}})", "handlers.a.last_run_id is no text"},
      {R"({"version": 1, "schedules": null})", "schedules is no object"},
      {R"({"version": 1, "schedules": {"w": "2026-01-01T00:00:00Z"}})", "schedules.w is no object"},
      {R"({"version": 1, "schedules": {"w": {"last_slot": true}}})", "schedules.w.last_slot is no time"},
      {"\xff\xfe", "no JSON"},
  };
  for (const auto& [text, reason] : cases) {
    CAPTURE(text);
    FakeFileSystem files;
    files.put(kPath, text);
    const auto loaded = LastRun::load(files, kPath, kNow);
    REQUIRE(loaded.ok());
    CAPTURE(loaded->warning);
    CHECK(loaded->warning.find(reason) != std::string::npos);
    CHECK(loaded->state.handlers.empty());
    CHECK(files.files().count(kPath) == 0);
  }
}

TEST_CASE("last run: a power cut during the save leaves the old state or the new one") {
  const auto older = LastRun().to_json_text();
  const auto newer = sample().to_json_text();
  for (const auto step : {FakeFileSystem::Step::written, FakeFileSystem::Step::synced, FakeFileSystem::Step::renamed,
                          FakeFileSystem::Step::folder_synced}) {
    FakeFileSystem files;
    REQUIRE(save(files, kPath, older).ok());
    files.cut_after = step;
    CHECK_FALSE(save(files, kPath, newer).ok());
    const auto loaded = LastRun::load(files, kPath, kNow);
    REQUIRE(loaded.ok());
    CHECK(loaded->warning.empty());
    CHECK(loaded->state.to_json_text() == (step == FakeFileSystem::Step::folder_synced ? newer : older));
  }
}

TEST_CASE("last run: a full disk is an error, and the old state stays") {
  FakeFileSystem files;
  REQUIRE(save(files, kPath, sample().to_json_text()).ok());
  files.full = true;
  CHECK_FALSE(save(files, kPath, LastRun().to_json_text()).ok());
  CHECK(LastRun::load(files, kPath, kNow)->state.to_json_text() == sample().to_json_text());
}

TEST_CASE("last run: an older success that ends later does not take the place of a newer one") {
  LastRun state;
  Run run;
  run.handler = "h";
  run.id = "first";
  run.state = RunState::succeeded;
  run.started = kNow;
  state.note(run);
  run.id = "second";
  run.started = kNow - 1min;
  state.note(run);
  CHECK(state.handlers["h"].last_success == kNow);
  CHECK(state.handlers["h"].last_run == kNow - 1min);
  CHECK(state.handlers["h"].last_run_id == "second");
}

TEST_CASE("last run: a failure and a run that never started leave the last success alone") {
  LastRun state;
  Run run;
  run.handler = "h";
  run.state = RunState::succeeded;
  run.started = kNow;
  state.note(run);
  run.state = RunState::failed;
  run.started = kNow + 1min;
  state.note(run);
  run.state = RunState::cancelled;
  run.started.reset();
  state.note(run);
  CHECK(state.handlers["h"].last_success == kNow);
  CHECK(state.handlers["h"].last_run == kNow + 1min);
  CHECK(state.handlers["h"].last_state == "cancelled");
}

}  // namespace

TEST_CASE("last runs: since when a success is expected is kept until there is one") {
  FakeFileSystem files;
  LastRun state;
  state.handlers["h"].expected_since = *from_rfc3339("2026-03-01T08:00:00Z");
  REQUIRE(files.replace("/s/state.json", state.to_json_text()));
  const auto loaded = LastRun::load(files, "/s/state.json", WallTime{});
  REQUIRE(loaded);
  CHECK(loaded->state.handlers.at("h").expected_since == state.handlers["h"].expected_since);
  state.handlers["h"].last_success = *from_rfc3339("2026-03-02T08:00:00Z");
  CHECK(state.to_json_text().find("expected_since") == std::string::npos);
}

}  // namespace hark
