#include "state/sqlite_journal.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "platform/clock.h"
#include "platform/descriptor.h"
#include "platform/errno_text.h"
#include "platform/file_system.h"
#include "state/journal_prune.h"
#include "state/journal_queries.h"
#include "state/journal_schema.h"
#include "state/sqlite.h"
#include "state/wal_sync.h"

namespace hark {
namespace {

using sqlite::Blob;
using sqlite::Connection;
using sqlite::Statement;

Error failure(const std::string& what) { return {what + ": " + errno_text(errno), ""}; }

std::int64_t microseconds(Duration duration) { return std::chrono::duration_cast<std::chrono::microseconds>(duration).count(); }

class SqliteJournal final : public Journal {
 public:
  SqliteJournal(std::unique_ptr<Connection> connection, int wal, const std::string& file, WalSync::Sync sync)
      : connection_(std::move(connection)), sync_(wal, file, std::move(sync)) {}

  Status begin() override;
  Status commit() override;
  void rollback() override;
  Status probe() override { return probe_.execute(); }

  Result<std::uint64_t> add_event(const Event& event) override;
  Status set_routed(std::uint64_t event_sequence) override;
  Status add_decision(const Decision& decision) override;
  Result<std::uint64_t> add_run(const Run& run, const Owner& owner) override;
  Status update_run(const Run& run, const Owner& owner) override;
  Status add_step(std::uint64_t run_sequence, int attempt, std::size_t index, const StepResult& step) override;
  Status add_attempt(std::uint64_t run_sequence, const Attempt& attempt) override;
  Status carry_steps(std::uint64_t run_sequence, int from, int to) override;
  Status set_paused(const std::string& handler, bool paused) override;
  Status set_breaker(const KeptBreaker& breaker) override;
  Status set_mark(const std::string& source, const std::string& name, const std::string& value) override;
  Status set_gathering(std::uint64_t event_sequence, const std::vector<std::string>& sources) override;
  Status set_gathered(std::uint64_t event_sequence, const std::string& source) override;
  Status set_session_paused(const std::string& correlation_id, bool paused) override;
  Status set_subscriber(const Subscriber& subscriber) override;
  Status delete_subscriber(const std::string& name) override;
  Result<std::uint64_t> add_held(const Held& held, const Owner& owner) override;
  Status remove_held(std::uint64_t id) override;
  Status add_wait(std::uint64_t run_sequence, const Wait& wait) override;
  Status remove_wait(std::uint64_t run_sequence) override;
  Status set_heard(std::uint64_t run_sequence, std::uint64_t event_sequence) override;
  Result<bool> written_elsewhere() override;
  Status delete_marks(const std::string& source) override;
  Status keep_marks(const std::vector<std::string>& kept) override;

  Result<std::optional<Seen>> seen(std::string_view key, WallTime now) override;
  Status remember(std::string_view key, const Seen& seen, WallTime until) override;

  Result<std::vector<Run>> runs(const RunQuery& query) override { return queries_.runs(query); }
  Result<std::optional<Run>> run(std::string_view id_or_prefix) override { return queries_.run(id_or_prefix); }
  Result<std::optional<Event>> event(std::string_view id_or_prefix) override { return queries_.event(id_or_prefix); }
  Result<std::vector<Event>> events(const EventQuery& query) override { return queries_.events(query); }
  Result<std::vector<Decision>> decisions(std::uint64_t sequence) override { return queries_.decisions(sequence); }
  Result<std::vector<std::string>> handlers() override { return queries_.handlers(); }
  Result<std::string> short_id(std::string_view id) override { return queries_.short_id(id); }
  Result<Session> session(std::string_view correlation_id, std::size_t limit) override { return queries_.session(correlation_id, limit); }
  Result<std::uint64_t> newest_event() override { return queries_.newest_event(); }
  Result<std::map<std::string, std::uint64_t>> forgotten() override { return queries_.forgotten(); }
  Result<std::optional<Subscriber>> subscriber(const std::string& name) override { return queries_.subscriber(name); }
  Result<std::vector<Subscriber>> subscribers() override { return queries_.subscribers(); }
  Result<std::vector<AuditEntry>> audit(const AuditQuery& query) override { return queries_.audit(query); }
  Status add_audit(const AuditEntry& entry) override;
  Result<std::vector<Unrouted>> unrouted_events() override { return queries_.unrouted_events(); }
  Result<std::vector<std::pair<Run, Owner>>> running_runs() override { return queries_.running_runs(); }
  Status each_waiting_run(WallTime now, const std::function<void(const WaitingRun&, const Owner&)>& take) override {
    return queries_.each_waiting_run(now, take);
  }
  Result<std::vector<StepResult>> steps(std::uint64_t run_sequence, int attempt) override { return queries_.steps(run_sequence, attempt); }
  Result<std::optional<Run>> run_at(std::uint64_t sequence) override { return queries_.run_at(sequence); }
  Result<std::optional<Event>> event_at(std::uint64_t sequence) override { return queries_.event_at(sequence); }
  Status each_start(const ThrottledSince& since, const std::function<void(const WaitingRun&, WallTime)>& take) override {
    return queries_.each_start(since, take);
  }
  Result<std::vector<std::pair<Held, Owner>>> held() override { return queries_.held(); }
  Result<std::vector<KeptWait>> waits() override { return queries_.waits(); }
  Result<std::uint64_t> heard(std::uint64_t run_sequence) override { return queries_.heard(run_sequence); }
  Status each_event_after(std::uint64_t sequence, const std::function<bool(std::uint64_t, std::string_view, std::string_view)>& take) override {
    return queries_.each_event_after(sequence, take);
  }
  Result<std::vector<KeptBreaker>> breakers() override { return queries_.breakers(); }
  Result<std::vector<std::string>> paused() override { return queries_.paused(); }
  Result<std::vector<std::string>> paused_sessions() override { return queries_.paused_sessions(); }
  Result<std::uint64_t> dead_letters() override { return queries_.dead_letters(); }
  Result<std::map<std::string, std::string>> marks(const std::string& source) override { return queries_.marks(source); }
  Result<std::vector<std::pair<std::string, WallTime>>> last_successes() override { return queries_.last_successes(); }

  Result<Pruned> prune(const Retention& retention, std::size_t batch) override {
    return prune_.run(retention, batch, last_now_);
  }
  void sync(std::function<void(Status)> durable) override { sync_.request(std::move(durable)); }
  void measure(JournalTimes times) override {
    clock_ = &times.clock;
    committed_ = std::move(times.committed);
    sync_.measure(times.clock, std::move(times.synced));
  }

 private:
  // An event of the transaction under way. Nobody else can know it yet, so its decisions are counted here and its mark in
  // `unrouted` is written only when it is still unrouted at the commit: most never are.
  struct Fresh {
    bool routed = false;
    std::uint32_t decisions = 0;
  };
  Fresh* fresh(std::uint64_t event_sequence) {
    const auto index = event_sequence - first_fresh_;  // wraps for an older one
    return index < fresh_.size() ? &fresh_[index] : nullptr;
  }
  // The numbers that the next event and the next run get, asked once a transaction: another process may have written meanwhile.
  Status number();
  Status wants_transaction() const {
    return connection_->in_transaction() ? Status() : Status(Error{"the journal is written to outside a transaction", ""});
  }

  const Clock* clock_ = nullptr;  // there with the next
  std::function<void(Duration)> committed_;
  std::unique_ptr<Connection> connection_;  // before all that prepares statements on it
  std::vector<Fresh> fresh_;                // their sequences are in a row, from first_fresh_: there is one writer
  std::uint64_t first_fresh_ = 0;
  bool numbered_ = false;  // the two below hold in this transaction
  std::uint64_t next_event_ = 0;
  std::uint64_t next_run_ = 0;
  WallTime last_now_{};  // the latest that seen() was told
  std::int64_t data_version_ = 0;

  JournalQueries queries_{*connection_};
  JournalPrune prune_{*connection_};

  Statement begin_{*connection_, "BEGIN IMMEDIATE"};
  Statement commit_{*connection_, "COMMIT"};
  Statement rollback_{*connection_, "ROLLBACK"};
  Statement number_{*connection_,
                    "SELECT max(event_seq, coalesce((SELECT max(seq) FROM events), 0)) + 1, "
                    "max(run_seq, coalesce((SELECT max(seq) FROM runs), 0)) + 1 FROM pruned"};
  Statement probe_{*connection_, "UPDATE pruned SET event_seq = event_seq"};
  Statement add_event_{
      *connection_,
      "INSERT INTO events (seq, id, type, source, subject, time, topic, correlation_id, causation_id, traceparent, "
      "dedupe_key, priority, ttl, data, hops, replay_of, members, context, expires) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)"};
  Statement add_unrouted_{*connection_, "INSERT INTO unrouted (seq) VALUES (?1)"};
  Statement remove_unrouted_{*connection_, "DELETE FROM unrouted WHERE seq = ?1"};
  Statement add_gathering_{*connection_, "INSERT OR IGNORE INTO gathering (event_seq, source) VALUES (?1, ?2)"};
  Statement forget_gathering_{*connection_, "DELETE FROM gathering WHERE event_seq = ?1"};
  Statement count_gathering_{*connection_, "SELECT count(*) FROM gathering WHERE event_seq = ?1"};
  Statement remove_gathering_{*connection_, "DELETE FROM gathering WHERE event_seq = ?1 AND source = ?2"};
  Statement remove_gathered_{*connection_, "DELETE FROM unrouted WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM gathering WHERE event_seq = ?1)"};
  Statement set_subscriber_{*connection_, "INSERT OR REPLACE INTO subscribers (name, position, used) VALUES (?1, ?2, ?3)"};
  Statement add_audit_{*connection_, "INSERT INTO audit (time, who, origin, action, object, done, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"};
  Statement delete_subscriber_{*connection_, "DELETE FROM subscribers WHERE name = ?1"};
  Statement add_decision_{*connection_,
                          "INSERT INTO decisions (event_seq, ord, time, stage, verdict, handler, reason) "
                          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"};
  Statement append_decision_{*connection_,
                             "INSERT INTO decisions (event_seq, ord, time, stage, verdict, handler, reason) "
                             "SELECT ?1, coalesce(max(ord) + 1, 0), ?2, ?3, ?4, ?5, ?6 FROM decisions WHERE event_seq = ?1"};
  Statement add_run_{
      *connection_,
      "INSERT INTO runs (seq, id, handler, event_seq, state, attempt, priority, queued, started, finished, exit_code, "
      "error, owner_boot, owner_pid, owner_start, source, key, failures, not_before, dead_since, interruptions, direct) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)"};
  Statement update_run_{*connection_,
                        "UPDATE runs SET state = ?2, attempt = ?3, queued = ?4, started = ?5, finished = ?6, exit_code = ?7, "
                        "error = ?8, owner_boot = ?9, owner_pid = ?10, owner_start = ?11, failures = ?12, not_before = ?13, "
                        "dead_since = ?14, interruptions = ?15 WHERE seq = ?1"};
  Statement add_step_{*connection_,
                      "INSERT OR REPLACE INTO steps (run_seq, idx, name, state, attempts, exit_code, started, duration, "
                      "output_bytes, error_bytes, output_file, error_file, error, output, error_output, attempt, part, "
                      "iteration, input_tokens, output_tokens, cost) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)"};
  Statement add_attempt_{*connection_,
                         "INSERT OR REPLACE INTO attempts (run_seq, attempt, state, started, finished, exit_code, error) "
                         "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"};
  Statement carry_steps_{*connection_,
                         "INSERT OR REPLACE INTO steps (run_seq, idx, name, state, attempts, exit_code, started, duration, "
                         "output_bytes, error_bytes, output_file, error_file, error, output, error_output, attempt, part, "
                         "iteration, input_tokens, output_tokens, cost) "
                         "SELECT run_seq, idx, name, state, attempts, exit_code, started, duration, output_bytes, error_bytes, "
                         "output_file, error_file, error, output, error_output, ?3, part, iteration, input_tokens, "
                         "output_tokens, cost FROM steps WHERE run_seq = ?1 AND attempt = ?2 AND "
                         "(state IN ('succeeded', 'skipped', 'tolerated') OR (part = 'gate' AND state IN ('failed', 'timed_out')))"};
  Statement add_held_{*connection_,
                      "INSERT INTO held (event_seq, start, handler, direct, without, priority, key, not_before, owner_boot, owner_pid, "
                      "owner_start, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) RETURNING id"};
  Statement remove_held_{*connection_, "DELETE FROM held WHERE id = ?1"};
  Statement add_wait_{*connection_,
                      "INSERT INTO waits (run_seq, idx, step, part, iteration, since, types, topic, condition, until, tolerated) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"};
  Statement remove_wait_{*connection_, "DELETE FROM waits WHERE run_seq = ?1"};
  Statement set_heard_{*connection_, "UPDATE runs SET heard = ?2 WHERE seq = ?1"};
  Statement get_data_version_{*connection_, "PRAGMA data_version"};
  Statement pause_{*connection_, "INSERT OR REPLACE INTO paused (handler) VALUES (?1)"};
  Statement resume_{*connection_, "DELETE FROM paused WHERE handler = ?1 OR ?1 = ''"};
  Statement pause_session_{*connection_, "INSERT OR IGNORE INTO paused_sessions (correlation_id) VALUES (?1)"};
  Statement resume_session_{*connection_, "DELETE FROM paused_sessions WHERE correlation_id = ?1"};
  Statement set_breaker_{*connection_, "INSERT OR REPLACE INTO breakers (handler, failures, open_until) VALUES (?1, ?2, ?3)"};
  Statement delete_breaker_{*connection_, "DELETE FROM breakers WHERE handler = ?1"};
  Statement set_mark_{*connection_, "INSERT OR REPLACE INTO marks (source, name, value) VALUES (?1, ?2, ?3)"};
  Statement delete_mark_{*connection_, "DELETE FROM marks WHERE source = ?1 AND name = ?2"};
  Statement delete_marks_{*connection_, "DELETE FROM marks WHERE source = ?1"};
  Statement keep_marks_{*connection_, "DELETE FROM marks WHERE source NOT IN (SELECT value FROM json_each(?1))"};
  Statement seen_{*connection_, "SELECT event_id, event_seq FROM dedupe WHERE key = ?1 AND until > ?2"};
  Statement remember_{*connection_, "INSERT OR REPLACE INTO dedupe (key, event_id, event_seq, until) VALUES (?1, ?2, ?3, ?4)"};

  WalSync sync_;  // last: its thread ends before the connection closes, which removes the -wal
};

Status SqliteJournal::begin() {
  if (auto fault = sync_.fault(); !fault) return fault;  // what cannot be made durable is not begun
  fresh_.clear();
  numbered_ = false;
  return begin_.execute();
}

Status SqliteJournal::commit() {
  for (std::size_t index = 0; index < fresh_.size(); ++index) {
    if (fresh_[index].routed) continue;
    if (auto status = add_unrouted_.execute(first_fresh_ + index); !status) return status;
  }
  const auto began = committed_ ? clock_->now().steady : SteadyTime();
  auto status = commit_.execute();
  if (committed_) committed_(clock_->now().steady - began);
  if (status) fresh_.clear();
  return status;
}

Status SqliteJournal::add_audit(const AuditEntry& entry) {
  if (auto status = wants_transaction(); !status) return status;
  return add_audit_.execute(entry.time, entry.who, entry.from, entry.action, entry.object, std::int64_t(entry.done), entry.outcome);
}

void SqliteJournal::rollback() {
  fresh_.clear();
  if (connection_->in_transaction()) (void)rollback_.execute();
}

Status SqliteJournal::number() {
  if (auto status = wants_transaction(); !status) return status;
  if (numbered_) return {};
  auto rows = number_.query();
  const auto more = rows.next();
  if (!more) return more.error();
  next_event_ = static_cast<std::uint64_t>(rows.integer(0));
  next_run_ = static_cast<std::uint64_t>(rows.integer(1));
  numbered_ = true;
  return {};
}

Result<std::uint64_t> SqliteJournal::add_event(const Event& event) {
  if (auto status = number(); !status) return status.error();
  std::optional<std::int64_t> ttl;
  if (event.ttl) ttl = event.ttl->count();
  std::optional<std::string_view> context;
  if (event.context) context = event.context->text();
  auto status = add_event_.execute(next_event_, event.id, event.type, event.source, event.subject, event.time, event.topic,
                                   event.correlation_id, event.causation_id, event.traceparent, event.dedupe_key, event.priority,
                                   ttl, event.data.text(), event.hops, event.replay_of, event.members, context, event.expires);
  if (!status) {
    if (!connection_->constraint_failed()) return status.error();
    return Error{"an event with the id " + event.id + " is in the journal already", "leave the id out, and one is made"};
  }
  const auto sequence = next_event_++;
  if (fresh_.empty()) first_fresh_ = sequence;
  fresh_.emplace_back();
  return sequence;
}

Status SqliteJournal::set_routed(std::uint64_t event_sequence) {
  if (auto status = wants_transaction(); !status) return status;
  if (auto* event = fresh(event_sequence)) {
    event->routed = true;
    return {};
  }
  if (auto status = forget_gathering_.execute(event_sequence); !status) return status;
  return remove_unrouted_.execute(event_sequence);
}

Status SqliteJournal::set_gathering(std::uint64_t event_sequence, const std::vector<std::string>& sources) {
  if (auto status = wants_transaction(); !status) return status;
  if (!fresh(event_sequence)) {
    if (auto status = forget_gathering_.execute(event_sequence); !status) return status;
  }
  for (const auto& source : sources) {
    if (auto status = add_gathering_.execute(event_sequence, source); !status) return status;
  }
  return {};
}

Status SqliteJournal::set_gathered(std::uint64_t event_sequence, const std::string& source) {
  if (auto status = wants_transaction(); !status) return status;
  if (auto status = remove_gathering_.execute(event_sequence, source); !status) return status;
  if (!fresh(event_sequence)) return remove_gathered_.execute(event_sequence);
  auto rows = count_gathering_.query(event_sequence);
  const auto more = rows.next();
  if (!more) return more.error();
  fresh(event_sequence)->routed = rows.integer(0) == 0;
  return {};
}

Status SqliteJournal::set_subscriber(const Subscriber& subscriber) {
  if (auto status = wants_transaction(); !status) return status;
  return set_subscriber_.execute(subscriber.name, subscriber.position, subscriber.used);
}

Status SqliteJournal::delete_subscriber(const std::string& name) {
  if (auto status = wants_transaction(); !status) return status;
  return delete_subscriber_.execute(name);
}

Status SqliteJournal::add_decision(const Decision& decision) {
  if (auto status = wants_transaction(); !status) return status;
  const auto stage = to_string(decision.stage);
  const auto verdict = to_string(decision.verdict);
  if (auto* event = fresh(decision.event_sequence)) {
    return add_decision_.execute(decision.event_sequence, event->decisions++, decision.time, stage, verdict, decision.handler,
                                 decision.reason);
  }
  return append_decision_.execute(decision.event_sequence, decision.time, stage, verdict, decision.handler, decision.reason);
}

Result<std::uint64_t> SqliteJournal::add_run(const Run& run, const Owner& owner) {
  if (auto status = number(); !status) return status.error();
  auto status = add_run_.execute(next_run_, run.id, run.handler, run.event_sequence, to_string(run.state), run.attempt,
                                 run.priority, run.queued, run.started, run.finished, run.exit_code, run.error, owner.boot_id,
                                 owner.pid, owner.start_time, run.source, run.key, run.failures, run.not_before, run.dead_since,
                                 run.interruptions, run.direct ? 1 : 0);
  if (!status) {
    if (!connection_->constraint_failed()) return status.error();
    return Error{"a run with the id " + run.id + " is in the journal already", ""};
  }
  return next_run_++;
}

Status SqliteJournal::update_run(const Run& run, const Owner& owner) {
  if (auto status = wants_transaction(); !status) return status;
  auto status = update_run_.execute(run.sequence, to_string(run.state), run.attempt, run.queued, run.started, run.finished,
                                    run.exit_code, run.error, owner.boot_id, owner.pid, owner.start_time, run.failures,
                                    run.not_before, run.dead_since, run.interruptions);
  if (status && connection_->changes() == 0)
    return Error{"there is no run " + std::to_string(run.sequence) + " in the journal", ""};
  return status;
}

Status SqliteJournal::add_step(std::uint64_t run_sequence, int attempt, std::size_t index, const StepResult& step) {
  if (auto status = wants_transaction(); !status) return status;
  std::optional<std::uint64_t> input_tokens, output_tokens;
  std::optional<double> cost;
  if (step.usage) {
    input_tokens = step.usage->input_tokens;
    output_tokens = step.usage->output_tokens;
    cost = step.usage->cost;
  }
  return add_step_.execute(run_sequence, index, step.name, to_string(step.state), step.attempts, step.exit_code, step.started,
                           microseconds(step.duration), step.output_bytes, step.error_bytes, step.output_file, step.error_file,
                           step.error, Blob{step.output}, Blob{step.error_output}, attempt, to_string(step.part), step.iteration,
                           input_tokens, output_tokens, cost);
}

Status SqliteJournal::add_attempt(std::uint64_t run_sequence, const Attempt& attempt) {
  if (auto status = wants_transaction(); !status) return status;
  return add_attempt_.execute(run_sequence, attempt.number, to_string(attempt.state), attempt.started, attempt.finished,
                              attempt.exit_code, attempt.error);
}

Status SqliteJournal::carry_steps(std::uint64_t run_sequence, int from, int to) {
  if (auto status = wants_transaction(); !status) return status;
  return carry_steps_.execute(run_sequence, from, to);
}

Result<std::uint64_t> SqliteJournal::add_held(const Held& held, const Owner& owner) {
  if (auto status = wants_transaction(); !status) return status.error();
  const auto without = nlohmann::json(held.without).dump();
  auto rows = add_held_.query(held.event_sequence, held.start ? 1 : 0, held.handler, held.direct ? 1 : 0, without, held.priority,
                              held.key, held.not_before, owner.boot_id, owner.pid, owner.start_time, held.source);
  const auto more = rows.next();
  if (!more) return more.error();
  return static_cast<std::uint64_t>(rows.integer(0));
}

Status SqliteJournal::remove_held(std::uint64_t id) {
  if (auto status = wants_transaction(); !status) return status;
  return remove_held_.execute(id);
}

Status SqliteJournal::add_wait(std::uint64_t run_sequence, const Wait& wait) {
  if (auto status = wants_transaction(); !status) return status;
  return add_wait_.execute(run_sequence, wait.index, wait.step, to_string(wait.part), wait.iteration, wait.since, nlohmann::json(wait.types).dump(),
                           wait.topic, wait.where, wait.until, wait.tolerated ? 1 : 0);
}

Status SqliteJournal::remove_wait(std::uint64_t run_sequence) {
  if (auto status = wants_transaction(); !status) return status;
  return remove_wait_.execute(run_sequence);
}

Status SqliteJournal::set_heard(std::uint64_t run_sequence, std::uint64_t event_sequence) {
  if (auto status = wants_transaction(); !status) return status;
  return set_heard_.execute(run_sequence, event_sequence);
}

// https://www.sqlite.org/pragma.html#pragma_data_version: another number as soon as another connection has committed.
Result<bool> SqliteJournal::written_elsewhere() {
  auto rows = get_data_version_.query();
  const auto more = rows.next();
  if (!more) return more.error();
  const auto version = rows.integer(0);
  return std::exchange(data_version_, version) != version;
}

Status SqliteJournal::set_paused(const std::string& handler, bool paused) {
  if (auto status = wants_transaction(); !status) return status;
  return paused ? pause_.execute(handler) : resume_.execute(handler);
}

Status SqliteJournal::set_session_paused(const std::string& correlation_id, bool paused) {
  if (auto status = wants_transaction(); !status) return status;
  return paused ? pause_session_.execute(correlation_id) : resume_session_.execute(correlation_id);
}

Status SqliteJournal::set_breaker(const KeptBreaker& breaker) {
  if (auto status = wants_transaction(); !status) return status;
  return breaker.failures == 0 ? delete_breaker_.execute(breaker.handler) : set_breaker_.execute(breaker.handler, breaker.failures, breaker.open_until);
}

Status SqliteJournal::set_mark(const std::string& source, const std::string& name, const std::string& value) {
  if (auto status = wants_transaction(); !status) return status;
  return value.empty() ? delete_mark_.execute(source, name) : set_mark_.execute(source, name, value);
}

Status SqliteJournal::delete_marks(const std::string& source) {
  if (auto status = wants_transaction(); !status) return status;
  return delete_marks_.execute(source);
}

Status SqliteJournal::keep_marks(const std::vector<std::string>& kept) {
  if (auto status = wants_transaction(); !status) return status;
  return keep_marks_.execute(nlohmann::json(kept).dump());
}

Result<std::optional<Journal::Seen>> SqliteJournal::seen(std::string_view key, WallTime now) {
  last_now_ = std::max(last_now_, now);
  auto rows = seen_.query(key, now);
  const auto more = rows.next();
  if (!more) return more.error();
  if (!*more) return std::optional<Seen>();
  return std::optional(Seen{std::string(rows.text(0)), static_cast<std::uint64_t>(rows.integer(1))});
}

Status SqliteJournal::remember(std::string_view key, const Seen& seen, WallTime until) {
  if (auto status = wants_transaction(); !status) return status;
  return remember_.execute(key, seen.event_id, seen.sequence, until);
}

class SqliteJournalReader final : public JournalReader {
 public:
  explicit SqliteJournalReader(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
  Result<std::vector<Run>> runs(const RunQuery& query) override { return queries_.runs(query); }
  Result<std::optional<Run>> run(std::string_view id_or_prefix) override { return queries_.run(id_or_prefix); }
  Result<std::optional<Event>> event(std::string_view id_or_prefix) override { return queries_.event(id_or_prefix); }
  Result<std::vector<Event>> events(const EventQuery& query) override { return queries_.events(query); }
  Result<std::vector<Decision>> decisions(std::uint64_t sequence) override { return queries_.decisions(sequence); }
  Result<std::vector<std::string>> handlers() override { return queries_.handlers(); }
  Result<std::string> short_id(std::string_view id) override { return queries_.short_id(id); }
  Result<std::vector<AuditEntry>> audit(const AuditQuery& query) override { return queries_.audit(query); }
  Result<std::uint64_t> dead_letters() override { return queries_.dead_letters(); }
  Result<Session> session(std::string_view correlation_id, std::size_t limit) override { return queries_.session(correlation_id, limit); }

 private:
  std::unique_ptr<Connection> connection_;
  JournalQueries queries_{*connection_};
};

// What is no regular file cannot be a database, and opening some of them (a FIFO) would wait for ever.
Status check_regular(const std::filesystem::path& file, const struct stat& status) {
  if (S_ISREG(status.st_mode)) return {};
  const char* kind = S_ISDIR(status.st_mode) ? "a folder" : S_ISFIFO(status.st_mode) ? "a named pipe" : S_ISSOCK(status.st_mode) ? "a socket" : "a device";
  return Error{"the journal " + file.string() + " is " + kind + ", expected a regular file", "move it away, or name another journal_file"};
}

// Made here and not by SQLite, so that it is never wider than 0600; the -wal and -shm get the mode of the database from SQLite,
// whatever the umask. O_EXCL also means that a file that is there is not opened: closing it would drop SQLite's locks (fcntl(2)).
Status make_file(const std::filesystem::path& file) {
  Descriptor fd(::open(file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (fd.get() < 0) {
    struct stat status {};
    if (errno == EEXIST && ::stat(file.c_str(), &status) == 0) return check_regular(file, status);
    auto error = failure("cannot make the journal " + file.string());
    error.cure = "check that this user may write in the folder, or name another journal_file";
    return error;
  }
  if (::fchmod(fd.get(), 0600) != 0) return failure("cannot make the journal " + file.string() + " private");
  return {};
}

// SQLite maps the -shm. On Btrfs, which writes nothing in place, the first store to a mapped page needs new space, and ends the process by
// SIGBUS where a quota or the disk is full, before any write fails with an error. A file that is told to be written in place (chattr +C)
// needs less, so that it happens rarely (docs/decisions/0002). It can be told so only while it is empty, by its first opener. What is
// there is not opened, as above.
void make_shared_memory_in_place(const std::string& file) {
  constexpr long kBtrfs = 0x9123683E;
  struct statfs place {};
  if (::statfs(file.c_str(), &place) != 0 || static_cast<long>(place.f_type) != kBtrfs) return;
  const Descriptor fd(::open((file + "-shm").c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  int flags = 0;
  if (fd.get() < 0 || ::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) != 0) return;
  flags |= FS_NOCOW_FL;
  (void)::ioctl(fd.get(), FS_IOC_SETFLAGS, &flags);
}

std::string pragma(const std::string& name, std::int64_t value) {
  return "PRAGMA " + name + " = " + std::to_string(value) + "; ";
}

std::string busy_timeout() { return pragma("busy_timeout", std::chrono::milliseconds(limits::kJournalBusy).count()); }

// What a new file must be told before its first page is written. EXTRA, as long as it is no WAL database yet: a rollback journal that
// is synced once (NORMAL) may be replayed, after a power cut, with a page that never reached the disk: its checksum is of a few bytes.
Status set_up_file(Connection& connection, const std::string& file, JournalKind kind) {
  if (auto status = connection.execute("PRAGMA synchronous = EXTRA"); !status) return status;
  if (kind == JournalKind::empty) {
    if (auto status = connection.execute("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL"); !status) return status;
  }
  const auto mode = connection.text("PRAGMA journal_mode = WAL");
  if (!mode) return mode.error();
  if (*mode != "wal") {
    return Error{file + " is on a file system that cannot hold a journal (SQLite's WAL needs shared memory)",
                 "name a journal_file on a local disk"};
  }
  return {};
}

// NORMAL: a commit is in the -wal, SQLite syncs at checkpoints, and WalSync does the rest. FAST: what is deleted is overwritten
// where that costs no further writing.
Status set_up_connection(Connection& connection, const JournalOptions& options) {
  return connection.execute("PRAGMA synchronous = NORMAL; PRAGMA secure_delete = FAST; PRAGMA foreign_keys = OFF; " +
                            pragma("cache_size", -limits::kJournalCacheKiB) +
                            pragma("wal_autocheckpoint", options.checkpoint_pages) +
                            pragma("journal_size_limit", limits::kJournalWalKept));
}

Status prepare(Connection& connection, const std::filesystem::path& file, const JournalOptions& options) {
  if (auto status = connection.execute(busy_timeout()); !status) return status;
  const auto kind = inspect_journal(connection, file.string());
  if (!kind) return kind.error();
  if (auto status = set_up_file(connection, file.string(), *kind); !status) return status;
  if (auto status = set_up_connection(connection, options); !status) return status;
  return *kind == JournalKind::current ? Status() : migrate_journal(connection);
}

}  // namespace

Result<std::unique_ptr<Journal>> open_journal(const std::filesystem::path& file, const JournalOptions& options) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  if (auto status = make_private_folder(folder); !status) return status.error();

  // Whoever opens a journal holds this lock meanwhile: SQLite does not wait for its busy timeout in every step of making a file a
  // WAL database. Where a folder cannot be locked (some network file systems), two first starts at once may get an error.
  Descriptor folder_fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder_fd.get() < 0) return failure("cannot open the journal's folder " + folder.string());
  while (::flock(folder_fd.get(), LOCK_EX) != 0 && errno == EINTR) {
  }

  if (auto status = make_file(file); !status) return status.error();
  make_shared_memory_in_place(file.string());
  auto connection = Connection::open(file, Connection::Mode::read_write, options.vfs);
  if (!connection) return connection.error();
  if (auto status = prepare(**connection, file, options); !status) return status.error();

  // By now SQLite has made the -wal. The names of both files must survive before anything in them can.
  const std::string wal_name = file.string() + "-wal";
  Descriptor wal(::open(wal_name.c_str(), O_RDONLY | O_CLOEXEC));
  if (wal.get() < 0) return failure("cannot open " + wal_name);
  const auto folder_synced = options.sync ? options.sync(folder_fd.get()) : ::fsync(folder_fd.get());
  if (folder_synced != 0 && errno != EINVAL) return failure("cannot sync the journal's folder " + folder.string());

  auto sync = options.sync ? options.sync : [](int fd) { return ::fdatasync(fd); };
  return std::unique_ptr<Journal>(
      std::make_unique<SqliteJournal>(std::move(connection).value(), wal.release(), file.string(), std::move(sync)));
}

Result<std::unique_ptr<Journal>> open_journal(const std::filesystem::path& file) { return open_journal(file, JournalOptions()); }

Result<std::optional<std::unique_ptr<JournalReader>>> open_journal_reader(const std::filesystem::path& file) {
  using Reader = std::optional<std::unique_ptr<JournalReader>>;
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) {
    if (errno == ENOENT) return Reader();
    return failure("cannot read the journal " + file.string());
  }
  if (auto regular = check_regular(file, status); !regular) return regular.error();
  auto connection = Connection::open(file, Connection::Mode::read_only);
  if (!connection) return connection.error();
  auto& opened = **connection;
  const auto set_up = opened.execute(busy_timeout() + pragma("cache_size", -limits::kJournalReaderCacheKiB));
  if (!set_up) return set_up.error();
  const auto kind = inspect_journal(opened, file.string());
  if (!kind) return kind.error();
  if (*kind == JournalKind::empty) return Reader();
  if (*kind == JournalKind::older) {
    return Error{file.string() + " was written by an older hark",
                 "start this hark's daemon once: it brings the journal up to date"};
  }
  return Reader(std::make_unique<SqliteJournalReader>(std::move(connection).value()));
}

}  // namespace hark
