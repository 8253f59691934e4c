// Values the journal's tests are fed with, and a transaction that is rolled back when something in it failed.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "state/sqlite_journal.h"
#include "tests/support/temporary_folder.h"

namespace hark::test {

inline constexpr WallTime kNow{std::chrono::seconds{1'790'000'000}};

inline Event make_event(const std::string& id, const std::string& data = R"({"a":1})") {
  Event event;
  event.id = id;
  event.type = "webhook";
  event.source = "deploy";
  event.subject = "push";
  event.time = kNow;
  event.correlation_id = id;
  event.data = Payload::parse(data).value();
  return event;
}

inline Run make_run(const std::string& id, std::uint64_t event_sequence, const std::string& handler = "on-push") {
  Run run;
  run.id = id;
  run.handler = handler;
  run.event_sequence = event_sequence;
  run.source = "deploy";
  run.queued = kNow;
  return run;
}

inline Decision make_decision(std::uint64_t event_sequence, const std::string& reason, WallTime time = kNow) {
  Decision decision;
  decision.event_sequence = event_sequence;
  decision.time = time;
  decision.reason = reason;
  return decision;
}

inline std::unique_ptr<Journal> opened(const std::filesystem::path& file, const JournalOptions& options = {}) {
  auto journal = open_journal(file, options);
  if (!journal) FAIL(journal.error().text());
  return std::move(journal).value();
}

inline void in_transaction(Journal& journal, const std::function<void()>& work) {
  REQUIRE(journal.begin().ok());
  work();
  REQUIRE(journal.commit().ok());
}

// A routed event, committed.
inline std::uint64_t stored(Journal& journal, const Event& event) {
  std::uint64_t sequence = 0;
  in_transaction(journal, [&] {
    const auto added = journal.add_event(event);
    REQUIRE(added.ok());
    sequence = *added;
    REQUIRE(journal.set_routed(sequence).ok());
  });
  return sequence;
}

inline std::vector<WaitingRun> waiting_runs(Journal& journal) {
  std::vector<WaitingRun> all;
  REQUIRE(journal.each_waiting_run(WallTime::max(), [&](const WaitingRun& run, const Owner&) { all.push_back(run); }).ok());
  return all;
}

}  // namespace hark::test
