#include "state/journal_prune.h"

#include <algorithm>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "state/journal_queries.h"

namespace hark {

namespace {

// Of events: their numbers, when they came, and whether they cannot go yet. ?3: which dead letters count, ?4: since when starts of each
// source are counted, ?5: topics with a retention of their own.
const std::string kLook =
    "SELECT e.seq, coalesce((SELECT d.time FROM decisions d WHERE d.event_seq = e.seq ORDER BY d.ord LIMIT 1), e.time), "
    "EXISTS (SELECT 1 FROM unrouted u WHERE u.seq = e.seq) OR "
    "EXISTS (SELECT 1 FROM held h WHERE h.event_seq = e.seq) OR "
    "EXISTS (SELECT 1 FROM runs r WHERE r.event_seq = e.seq AND (r.state IN ('queued', 'running', 'waiting') OR r.dead_since > ?3)) OR "
    "EXISTS (SELECT 1 FROM runs r, json_each(?4) s WHERE r.event_seq = e.seq AND r.source = s.key AND NOT r.direct AND " + std::string(kFirstStart) + " > s.value), "
    "e.topic IN (SELECT value FROM json_each(?5)) "
    "FROM events e ";

std::string names_of(const std::vector<Retention::OfTopic>& topics) {
  auto names = nlohmann::json::array();
  for (const auto& each : topics) names.push_back(each.topic);
  return names.dump();
}

}  // namespace

// An event's age counts from its first decision, which bears the engine's clock; the event's own time is the sender's word, and
// one that lies about it must neither vanish at once nor stay for ever.
JournalPrune::JournalPrune(sqlite::Connection& connection)
    : connection_(connection),
      scan_(connection, kLook + "WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2"),
      scan_expired_(connection, kLook + "WHERE e.expires <= ?1 AND ?5 IS NOT NULL ORDER BY e.expires LIMIT ?2"),
      scan_topic_(connection, kLook + "WHERE e.topic = ?1 AND e.topic <> '' AND ?5 IS NOT NULL ORDER BY e.seq LIMIT ?2"),
      topic_beyond_(connection, "SELECT seq FROM events WHERE topic = ?1 AND topic <> '' ORDER BY seq DESC LIMIT 1 OFFSET ?2"),
      newest_(connection, "SELECT max(seq) FROM events"),
      forget_(connection, "INSERT INTO forgotten (topic, event_seq) VALUES (?1, ?2) ON CONFLICT (topic) DO UPDATE SET event_seq = max(event_seq, ?2)"),
      note_(connection,
            "UPDATE pruned SET event_seq = max(event_seq, ?1), "
            "run_seq = max(run_seq, coalesce((SELECT max(seq) FROM runs WHERE event_seq = ?1), 0))"),
      steps_(connection, "DELETE FROM steps WHERE run_seq IN (SELECT seq FROM runs WHERE event_seq = ?1)"),
      attempts_(connection, "DELETE FROM attempts WHERE run_seq IN (SELECT seq FROM runs WHERE event_seq = ?1)"),
      runs_(connection, "DELETE FROM runs WHERE event_seq = ?1"),
      decisions_(connection, "DELETE FROM decisions WHERE event_seq = ?1"),
      event_(connection, "DELETE FROM events WHERE seq = ?1"),
      dedupe_(connection, "DELETE FROM dedupe WHERE key IN (SELECT key FROM dedupe WHERE until <= ?1 ORDER BY until LIMIT ?2)"),
      subscribers_(connection, "DELETE FROM subscribers WHERE used < ?1"),
      audit_(connection,
             "DELETE FROM audit WHERE seq IN (SELECT seq FROM (SELECT seq, time FROM audit ORDER BY seq LIMIT ?3) "
             "WHERE time < ?1 OR seq <= (SELECT max(seq) FROM audit) - ?2)") {}

Result<Journal::Pruned> JournalPrune::run(const Retention& retention, std::size_t batch, WallTime now) {
  if (connection_.in_transaction()) return Error{"the journal cannot be pruned inside a transaction", ""};
  if (auto status = connection_.execute("BEGIN IMMEDIATE"); !status) return status.error();
  auto removed = remove_batch(retention, batch, now);
  Status status = removed ? connection_.execute("COMMIT") : Status(removed.error());
  if (!status) {
    if (connection_.in_transaction()) (void)connection_.execute("ROLLBACK");
    return status.error();
  }
  const auto given = give_back();
  if (!given) return given.error();
  removed->more |= *given;
  return removed;
}

Result<Journal::Pruned> JournalPrune::remove_batch(const Retention& retention, std::size_t batch, WallTime now) {
  std::size_t removed = 0;
  const auto remove_all = [&](const Result<Sequences>& chosen, const std::optional<std::string>& forgotten) -> Status {
    if (!chosen) return chosen.error();
    for (const auto sequence : *chosen) {
      if (auto status = remove(sequence); !status) return status;
    }
    removed += chosen->size();
    return forgotten && !chosen->empty() ? forget_.execute(*forgotten, *std::max_element(chosen->begin(), chosen->end())) : Status();
  };
  if (auto status = remove_all(expired(retention, batch), std::nullopt); !status) return status.error();
  for (const auto& topic : retention.topics) {
    if (removed >= batch) break;
    if (auto status = remove_all(of_topic(retention, topic, batch - removed), topic.topic); !status) return status.error();
  }
  if (removed < batch) {
    if (auto status = remove_all(candidates(retention, batch - removed), ""); !status) return status.error();
  }
  if (auto status = subscribers_.execute(retention.asked_before); !status) return status.error();
  if (auto status = dedupe_.execute(std::max(retention.before, now), batch); !status) return status.error();
  const bool all_keys = static_cast<std::size_t>(connection_.changes()) < batch;
  if (auto status = audit_.execute(retention.audit_before, limits::kAuditRows, batch); !status) return status.error();
  const bool all_entries = static_cast<std::size_t>(connection_.changes()) < batch;
  return Journal::Pruned{removed, removed >= batch || looked_at_ > 0 || !all_keys || !all_entries};
}

// Arrival order is the order of age, so the first event that is young and among the newest ends the search. Events that wait are
// passed by; when there are so many that a call sees nothing else, the next one goes on behind them.
Result<std::vector<std::uint64_t>> JournalPrune::candidates(const Retention& retention, std::size_t batch) {
  std::uint64_t newest = 0;
  {
    auto rows = newest_.query();
    const auto more = rows.next();
    if (!more) return more.error();
    if (*more) newest = static_cast<std::uint64_t>(rows.integer(0));
  }
  const std::uint64_t beyond = newest > retention.keep ? newest - retention.keep : 0;  // numbers up to this are not among the newest `keep`

  std::vector<std::uint64_t> chosen;
  const auto scanned = std::max(batch, limits::kPruneScan);
  std::size_t seen = 0;
  const auto throttled = json_of(retention.throttled);
  const auto topics = names_of(retention.topics);
  auto rows = scan_.query(looked_at_, scanned, retention.dead_before, throttled, topics);
  while (chosen.size() < batch) {
    const auto more = rows.next();
    if (!more) return more.error();
    const auto sequence = *more ? static_cast<std::uint64_t>(rows.integer(0)) : 0;
    const bool old = *more && WallTime{std::chrono::microseconds{rows.integer(1)}} < retention.before;
    if (!*more || (!old && sequence > beyond)) {
      // The end; a full look that was cut off by its bound is continued by the next call.
      looked_at_ = !*more && seen == scanned ? looked_at_ : 0;
      return chosen;
    }
    ++seen;
    const bool waits = rows.integer(2) != 0, elsewhere = rows.integer(3) != 0;
    if (!waits && !elsewhere) chosen.push_back(sequence);
    if (seen == scanned) looked_at_ = sequence;
  }
  return chosen;
}

// At most `batch` of them, and no more rows are looked at than a call may.
Result<JournalPrune::Sequences> JournalPrune::expired(const Retention& retention, std::size_t batch) {
  Sequences chosen;
  const auto throttled = json_of(retention.throttled);
  auto rows = scan_expired_.query(retention.now, limits::kPruneScan, retention.dead_before, throttled, "[]");
  while (chosen.size() < batch) {
    const auto more = rows.next();
    if (!more) return more.error();
    if (!*more) break;
    if (rows.integer(2) == 0) chosen.push_back(static_cast<std::uint64_t>(rows.integer(0)));
  }
  return chosen;
}

Result<JournalPrune::Sequences> JournalPrune::of_topic(const Retention& retention, const Retention::OfTopic& topic, std::size_t batch) {
  std::uint64_t beyond = 0;
  {
    auto rows = topic_beyond_.query(topic.topic, topic.keep);
    const auto more = rows.next();
    if (!more) return more.error();
    if (*more) beyond = static_cast<std::uint64_t>(rows.integer(0));
  }
  Sequences chosen;
  const auto throttled = json_of(retention.throttled);
  auto rows = scan_topic_.query(topic.topic, limits::kPruneScan, retention.dead_before, throttled, "[]");
  while (chosen.size() < batch) {
    const auto more = rows.next();
    if (!more) return more.error();
    if (!*more) break;
    const auto sequence = static_cast<std::uint64_t>(rows.integer(0));
    const bool old = WallTime{std::chrono::microseconds{rows.integer(1)}} < topic.before;
    if (!old && sequence > beyond) break;
    if (rows.integer(2) == 0) chosen.push_back(sequence);
  }
  return chosen;
}

Status JournalPrune::remove(std::uint64_t event_sequence) {
  for (auto* statement : {&note_, &steps_, &attempts_, &runs_, &decisions_, &event_}) {
    if (auto status = statement->execute(event_sequence); !status) return status;
  }
  return {};
}

// Freed pages are used again by what comes; only when most of the file is free is some of it handed to the file system, a little
// a call, because each page moved is a page written.
Result<bool> JournalPrune::give_back() {
  const auto free = connection_.integer("PRAGMA freelist_count");
  if (!free) return free.error();
  if (*free < limits::kJournalFreePages) return false;
  const auto all = connection_.integer("PRAGMA page_count");
  if (!all) return all.error();
  if (*free * 2 < *all) return false;
  if (auto done = connection_.execute("PRAGMA incremental_vacuum(" + std::to_string(limits::kJournalVacuumPages) + ")"); !done) return done.error();
  return true;
}

}  // namespace hark
