#include "state/journal_prune.h"

#include <algorithm>

#include "core/limits.h"
#include "state/journal_queries.h"

namespace hark {

// An event's age counts from its first decision, which bears the engine's clock; the event's own time is the sender's word, and
// one that lies about it must neither vanish at once nor stay for ever.
JournalPrune::JournalPrune(sqlite::Connection& connection)
    : connection_(connection),
      scan_(connection,
            "SELECT e.seq, coalesce((SELECT d.time FROM decisions d WHERE d.event_seq = e.seq ORDER BY d.ord LIMIT 1), e.time), "
            "EXISTS (SELECT 1 FROM unrouted u WHERE u.seq = e.seq) OR "
            "EXISTS (SELECT 1 FROM held h WHERE h.event_seq = e.seq) OR "
            "EXISTS (SELECT 1 FROM runs r WHERE r.event_seq = e.seq AND (r.state IN ('queued', 'running', 'waiting') OR r.dead_since > ?3)) OR "
            "EXISTS (SELECT 1 FROM runs r, json_each(?4) s WHERE r.event_seq = e.seq AND r.source = s.key AND NOT r.direct AND " + std::string(kFirstStart) + " > s.value) "
            "FROM events e WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2"),
      newest_(connection, "SELECT max(seq) FROM events"),
      note_(connection,
            "UPDATE pruned SET event_seq = max(event_seq, ?1), "
            "run_seq = max(run_seq, coalesce((SELECT max(seq) FROM runs WHERE event_seq = ?1), 0))"),
      steps_(connection, "DELETE FROM steps WHERE run_seq IN (SELECT seq FROM runs WHERE event_seq = ?1)"),
      attempts_(connection, "DELETE FROM attempts WHERE run_seq IN (SELECT seq FROM runs WHERE event_seq = ?1)"),
      runs_(connection, "DELETE FROM runs WHERE event_seq = ?1"),
      decisions_(connection, "DELETE FROM decisions WHERE event_seq = ?1"),
      event_(connection, "DELETE FROM events WHERE seq = ?1"),
      dedupe_(connection, "DELETE FROM dedupe WHERE key IN (SELECT key FROM dedupe WHERE until <= ?1 ORDER BY until LIMIT ?2)") {}

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
  const auto chosen = candidates(retention, batch);
  if (!chosen) return chosen.error();
  for (const auto sequence : *chosen) {
    if (auto status = remove(sequence); !status) return status.error();
  }
  if (auto status = dedupe_.execute(std::max(retention.before, now), batch); !status) return status.error();
  const bool all_keys = static_cast<std::size_t>(connection_.changes()) < batch;
  return Journal::Pruned{chosen->size(), chosen->size() == batch || looked_at_ > 0 || !all_keys};
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
  auto rows = scan_.query(looked_at_, scanned, retention.dead_before, throttled);
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
    const bool waits = rows.integer(2) != 0;
    if (!waits) chosen.push_back(sequence);
    if (seen == scanned) looked_at_ = sequence;
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
