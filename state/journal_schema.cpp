#include "state/journal_schema.h"

#include <array>

namespace hark {
namespace {

// Times are microseconds since 1970, durations microseconds. The seq of events and of runs is the order of
// arrival and is never given twice. Texts are the bytes that arrived (a path need not be UTF-8); what commands wrote is BLOB.
// There are no foreign keys: the writer keeps the tables consistent.
constexpr const char* kSchema1 = R"sql(
CREATE TABLE events (
  seq            INTEGER PRIMARY KEY,
  id             TEXT NOT NULL,
  type           TEXT NOT NULL,
  source         TEXT NOT NULL,
  subject        TEXT NOT NULL,
  time           INTEGER NOT NULL,
  topic          TEXT NOT NULL,
  correlation_id TEXT NOT NULL,
  causation_id   TEXT NOT NULL,
  traceparent    TEXT NOT NULL,
  dedupe_key     TEXT NOT NULL,
  priority       INTEGER NOT NULL,
  ttl            INTEGER,           -- seconds
  data           TEXT NOT NULL      -- JSON; last, so that the columns before it are read without it
);
CREATE UNIQUE INDEX events_id ON events(id);

-- Events that no router has seen yet. Most are routed in the transaction that stores them and never stand here.
CREATE TABLE unrouted (seq INTEGER PRIMARY KEY);

CREATE TABLE decisions (
  event_seq INTEGER NOT NULL,
  ord       INTEGER NOT NULL,
  time      INTEGER NOT NULL,
  stage     TEXT NOT NULL,
  verdict   TEXT NOT NULL,
  handler   TEXT NOT NULL,
  reason    TEXT NOT NULL,
  PRIMARY KEY (event_seq, ord)
) WITHOUT ROWID;

CREATE TABLE runs (
  seq         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL,
  handler     TEXT NOT NULL,
  event_seq   INTEGER NOT NULL,
  state       TEXT NOT NULL,
  attempt     INTEGER NOT NULL,
  priority    INTEGER NOT NULL,
  queued      INTEGER NOT NULL,
  started     INTEGER,
  finished    INTEGER,
  exit_code   INTEGER,
  error       TEXT NOT NULL,
  owner_boot  TEXT NOT NULL,
  owner_pid   INTEGER NOT NULL,
  owner_start INTEGER NOT NULL
);
-- No further index: each is one more page that every small commit writes. What a start asks (which are unfinished, when each handler
-- last succeeded) it may ask of all rows.
CREATE UNIQUE INDEX runs_id ON runs(id);
CREATE INDEX runs_event ON runs(event_seq);

-- A table with a rowid and an index, because outputs are large: in a WITHOUT ROWID table they would stand in the inner nodes.
CREATE TABLE steps (
  run_seq      INTEGER NOT NULL,
  idx          INTEGER NOT NULL,
  name         TEXT NOT NULL,
  state        TEXT NOT NULL,
  attempts     INTEGER NOT NULL,
  exit_code    INTEGER,
  started      INTEGER NOT NULL,
  duration     INTEGER NOT NULL,
  output_bytes INTEGER NOT NULL,
  error_bytes  INTEGER NOT NULL,
  output_file  TEXT NOT NULL,
  error_file   TEXT NOT NULL,
  error        TEXT NOT NULL,
  output       BLOB NOT NULL,
  error_output BLOB NOT NULL
);
CREATE UNIQUE INDEX steps_run ON steps(run_seq, idx);

-- The highest numbers that pruning took away: the next one is above these and above what the tables hold. (AUTOINCREMENT does
-- the same with a write for every row, a seventh of what accepting an event costs.)
CREATE TABLE pruned (
  only      INTEGER PRIMARY KEY CHECK (only = 1),
  event_seq INTEGER NOT NULL,
  run_seq   INTEGER NOT NULL
);
INSERT INTO pruned VALUES (1, 0, 0);

CREATE TABLE dedupe (
  key       TEXT PRIMARY KEY,
  event_id  TEXT NOT NULL,
  event_seq INTEGER NOT NULL,
  until     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX dedupe_until ON dedupe(until);
)sql";

// Runs that are tried again, that wait by key, that stand in the dead letters; what a person paused; where an event comes from.
constexpr const char* kSchema2 = R"sql(
ALTER TABLE events ADD COLUMN hops INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN replay_of TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN members INTEGER NOT NULL DEFAULT 0;

ALTER TABLE runs ADD COLUMN source TEXT NOT NULL DEFAULT '';  -- the event's, so that the queue is filled from one table
ALTER TABLE runs ADD COLUMN key TEXT;
ALTER TABLE runs ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN interruptions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN not_before INTEGER;
ALTER TABLE runs ADD COLUMN dead_since INTEGER;
UPDATE runs SET source = coalesce((SELECT source FROM events WHERE events.seq = runs.event_seq), '');
CREATE INDEX runs_dead ON runs(seq) WHERE dead_since IS NOT NULL;

ALTER TABLE steps ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
UPDATE steps SET attempt = coalesce((SELECT attempt FROM runs WHERE runs.seq = steps.run_seq), 1);
DROP INDEX steps_run;
CREATE UNIQUE INDEX steps_run ON steps(run_seq, attempt, idx);

-- Attempts that were not the last of their run.
CREATE TABLE attempts (
  run_seq   INTEGER NOT NULL,
  attempt   INTEGER NOT NULL,
  state     TEXT NOT NULL,
  started   INTEGER,
  finished  INTEGER,
  exit_code INTEGER,
  error     TEXT NOT NULL,
  PRIMARY KEY (run_seq, attempt)
) WITHOUT ROWID;

CREATE TABLE paused (handler TEXT PRIMARY KEY) WITHOUT ROWID;  -- '': every handler
)sql";

constexpr const char* kSchema3 = R"sql(
CREATE INDEX runs_unhappy ON runs(state, seq) WHERE state IN ('failed', 'timed_out', 'cancelled', 'interrupted');

-- What a source told last of each thing it watches: a branch, a feed. Written with the event that tells it.
CREATE TABLE marks (
  source TEXT NOT NULL,
  name   TEXT NOT NULL,
  value  TEXT NOT NULL,
  PRIMARY KEY (source, name)
) WITHOUT ROWID;
)sql";

constexpr const char* kSchema4 = R"sql(
CREATE TABLE breakers (
  handler    TEXT PRIMARY KEY,
  failures   INTEGER NOT NULL,  -- in a row
  open_until INTEGER
) WITHOUT ROWID;
)sql";

constexpr const char* kSchema5 = R"sql(
-- What people look for among very many. A run that ends well, as nearly all do, never comes into it, so that it costs them nothing.
DROP INDEX runs_unhappy;
CREATE INDEX runs_unhappy ON runs(state, seq) WHERE state = 'failed' OR state = 'timed_out' OR state = 'cancelled' OR state = 'interrupted';
)sql";

// What a throttle does not count.
constexpr const char* kSchema6 = "ALTER TABLE runs ADD COLUMN direct INTEGER NOT NULL DEFAULT 0";

// What came beside an event's data: JSON, an object.
constexpr const char* kSchema7 = "ALTER TABLE events ADD COLUMN context TEXT";

constexpr const char* kSchema8 = R"sql(
ALTER TABLE steps ADD COLUMN part TEXT NOT NULL DEFAULT 'step';
ALTER TABLE steps ADD COLUMN iteration INTEGER NOT NULL DEFAULT 1;
ALTER TABLE steps ADD COLUMN input_tokens INTEGER;  -- of a prompt's provider
ALTER TABLE steps ADD COLUMN output_tokens INTEGER;
ALTER TABLE steps ADD COLUMN cost REAL;             -- USD
)sql";

// What hooks hold back. Almost always empty.
constexpr const char* kSchema9 = R"sql(
CREATE TABLE held (
  id          INTEGER PRIMARY KEY,
  event_seq   INTEGER NOT NULL,
  start       INTEGER NOT NULL,  -- 1: of the handler; 0: the event as a whole
  handler     TEXT NOT NULL,
  direct      INTEGER NOT NULL,
  without     TEXT NOT NULL,     -- JSON: names of handlers
  priority    INTEGER NOT NULL,
  key         TEXT,
  not_before  INTEGER,
  owner_boot  TEXT NOT NULL,
  owner_pid   INTEGER NOT NULL,
  owner_start INTEGER NOT NULL
);
CREATE INDEX held_event ON held(event_seq);
)sql";

// What runs wait for. `heard`: the last event that a run has published or waited for; 0: none yet.
constexpr const char* kSchema10 = R"sql(
ALTER TABLE runs ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;
CREATE TABLE waits (
  run_seq   INTEGER PRIMARY KEY,
  idx       INTEGER NOT NULL,  -- of the step's row, which is written at the end of the wait
  step      TEXT NOT NULL,
  part      TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  since     INTEGER NOT NULL,
  types     TEXT NOT NULL,     -- JSON: globs
  topic     TEXT NOT NULL,
  condition TEXT NOT NULL,     -- a filter
  until     INTEGER,
  tolerated INTEGER NOT NULL
);
)sql";

constexpr const char* kSchema11 = R"sql(
ALTER TABLE events ADD COLUMN expires INTEGER;
CREATE INDEX events_expires ON events(expires) WHERE expires IS NOT NULL;
-- What belongs to a story that began elsewhere. Of most events it is their own id, and they never come into it.
CREATE INDEX events_session ON events(correlation_id) WHERE correlation_id <> id;
CREATE INDEX events_topic ON events(topic, seq) WHERE topic <> '';

ALTER TABLE held ADD COLUMN source TEXT NOT NULL DEFAULT '';  -- of a start: whose rule says so

-- Of an unrouted event that several sources took from the bus: those that still gather it.
CREATE TABLE gathering (
  event_seq INTEGER NOT NULL,
  source    TEXT NOT NULL,
  PRIMARY KEY (event_seq, source)
) WITHOUT ROWID;

-- The highest number that retention has deleted, of topics with one of their own and ('') of all others.
CREATE TABLE forgotten (topic TEXT PRIMARY KEY, event_seq INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO forgotten SELECT '', event_seq FROM pruned WHERE event_seq > 0;

CREATE TABLE paused_sessions (correlation_id TEXT PRIMARY KEY) WITHOUT ROWID;

-- Who reads along under a name.
CREATE TABLE subscribers (
  name     TEXT PRIMARY KEY,
  position INTEGER NOT NULL,  -- events up to this one are acknowledged
  used     INTEGER NOT NULL
) WITHOUT ROWID;
)sql";

// What was asked of the daemon, and by whom. AUTOINCREMENT: a number is never given twice, also when the oldest go.
constexpr const char* kSchema12 = R"sql(
CREATE TABLE audit (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  time    INTEGER NOT NULL,
  who     TEXT NOT NULL,
  origin  TEXT NOT NULL,
  action  TEXT NOT NULL,
  object  TEXT NOT NULL,
  done    INTEGER NOT NULL,
  outcome TEXT NOT NULL
);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END;
)sql";

// One a version, in order.
constexpr std::array<const char*, kJournalSchema> kSchemas = {kSchema1, kSchema2, kSchema3, kSchema4, kSchema5, kSchema6, kSchema7, kSchema8, kSchema9, kSchema10, kSchema11, kSchema12};

}  // namespace

Result<JournalKind> inspect_journal(sqlite::Connection& connection, const std::string& file) {
  const auto application = connection.integer("PRAGMA application_id");
  if (!application) return application.error();
  const auto version = connection.integer("PRAGMA user_version");
  if (!version) return version.error();
  const auto tables = connection.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*application == 0 && *version == 0 && *tables == 0) return JournalKind::empty;
  if (*application != kJournalApplicationId) {
    return Error{file + " is a SQLite database, but no journal of hark",
                 "name another file as journal_file, or move this one away"};
  }
  if (*version > kJournalSchema) {
    return Error{file + " was written by a newer hark (schema " + std::to_string(*version) + ", this one knows " +
                     std::to_string(kJournalSchema) + ")",
                 "run the newer hark, or name another journal_file"};
  }
  return *version == kJournalSchema ? JournalKind::current : JournalKind::older;
}

Status migrate_journal(sqlite::Connection& connection) {
  if (auto status = connection.execute("BEGIN IMMEDIATE"); !status) return status;
  // Asked again under the write lock: another process may have been first.
  const auto version = connection.integer("PRAGMA user_version");
  Status status = version ? Status() : Status(version.error());
  const bool older = version && *version < kJournalSchema;
  for (auto next = older ? static_cast<std::size_t>(*version) : kSchemas.size(); status && next < kSchemas.size(); ++next) {
    status = connection.execute(kSchemas[next]);
  }
  if (status && older) {
    status = connection.execute("PRAGMA application_id = " + std::to_string(kJournalApplicationId) +
                                "; PRAGMA user_version = " + std::to_string(kJournalSchema));
  }
  if (status) status = connection.execute("COMMIT");
  if (!status && connection.in_transaction()) (void)connection.execute("ROLLBACK");
  return status;
}

}  // namespace hark
