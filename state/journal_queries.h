// Reading the journal over one connection: what the writer and every reader share. Same thread rule as the connection.
// Each answer is one short read transaction of its own, so that no reader keeps the writer from starting its -wal afresh.
#pragma once

#include <string>
#include <string_view>

#include "state/journal.h"
#include "state/sqlite.h"

namespace hark {

// When the first attempt of the run `r` began; NULL: it did not.
inline constexpr std::string_view kFirstStart =
    "iif(r.attempt = 1, r.started, (SELECT a.started FROM attempts a WHERE a.run_seq = r.seq AND a.attempt = 1))";
std::string json_of(const ThrottledSince& since);  // an object of microseconds

class JournalQueries {
 public:
  explicit JournalQueries(sqlite::Connection& connection);

  Result<std::vector<Run>> runs(const RunQuery& query);
  Result<std::optional<Run>> run(std::string_view id_or_prefix);
  Result<std::optional<Event>> event(std::string_view id_or_prefix);
  Result<std::vector<Event>> events(const EventQuery& query);
  Result<std::vector<Decision>> decisions(std::uint64_t event_sequence);
  Result<std::vector<std::string>> handlers();
  Result<std::string> short_id(std::string_view id);

  Result<JournalReader::Session> session(std::string_view correlation_id, std::size_t limit);
  Result<std::vector<Journal::Unrouted>> unrouted_events();
  Result<std::vector<std::pair<Run, Owner>>> running_runs();
  Result<std::vector<std::pair<Journal::Held, Owner>>> held();
  Status each_waiting_run(WallTime now, const std::function<void(const WaitingRun&, const Owner&)>& take);
  Result<std::optional<Run>> run_at(std::uint64_t sequence);
  Result<std::optional<Event>> event_at(std::uint64_t sequence);
  Result<std::vector<StepResult>> steps(std::uint64_t run_sequence, int attempt);
  Status each_start(const ThrottledSince& since, const std::function<void(const WaitingRun&, WallTime)>& take);
  Result<std::vector<std::string>> paused();
  Result<std::vector<std::string>> paused_sessions();
  Result<std::vector<Journal::KeptWait>> waits();
  Result<std::uint64_t> heard(std::uint64_t run_sequence);
  Status each_event_after(std::uint64_t sequence, const std::function<bool(std::uint64_t, std::string_view, std::string_view)>& take);
  Result<std::uint64_t> newest_event();
  Result<std::map<std::string, std::uint64_t>> forgotten();
  Result<std::optional<Subscriber>> subscriber(const std::string& name);
  Result<std::vector<Subscriber>> subscribers();
  Result<std::vector<AuditEntry>> audit(const AuditQuery& query);
  Result<std::vector<Journal::KeptBreaker>> breakers();
  Result<std::uint64_t> dead_letters();
  Result<std::map<std::string, std::string>> marks(const std::string& source);
  Result<std::vector<std::pair<std::string, WallTime>>> last_successes();

 private:
  // The sequence of what has this id, or an id that begins so (at least limits::kIdPrefix characters, in either case).
  Result<std::optional<std::uint64_t>> find(sqlite::Statement& by_id, std::string_view id_or_prefix, std::string_view what);
  Result<std::vector<Attempt>> attempts(std::uint64_t run_sequence);

  sqlite::Connection& connection_;
  sqlite::Statement find_event_;
  sqlite::Statement find_run_;
  sqlite::Statement event_;
  sqlite::Statement run_;
  sqlite::Statement steps_;
  sqlite::Statement attempts_;
  sqlite::Statement decisions_;
  sqlite::Statement neighbours_;
};

}  // namespace hark
