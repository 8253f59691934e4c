#include "state/journal_queries.h"

#include <algorithm>
#include <cctype>
#include <limits>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "state/journal_schema.h"

namespace hark {
namespace {

using sqlite::Rows;
using sqlite::Statement;

constexpr const char* kEventColumns =
    "seq, id, type, source, subject, time, topic, correlation_id, causation_id, traceparent, dedupe_key, priority, ttl, data, hops, "
    "replay_of, members, context, expires";
constexpr const char* kRuns =
    "SELECT r.seq, r.id, r.handler, r.event_seq, r.state, r.attempt, r.priority, r.queued, r.started, r.finished, r.exit_code, "
    "r.error, e.id, e.type, r.source, e.correlation_id, r.owner_boot, r.owner_pid, r.owner_start, r.key, "
    "r.failures, r.not_before, r.dead_since, r.interruptions, r.direct, e.traceparent "
    "FROM runs r LEFT JOIN events e ON e.seq = r.event_seq ";
// One row more than is needed: the second tells that the first is not the only one.
constexpr const char* kById = " WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 2";

WallTime time_at(const Rows& rows, int column) { return WallTime{std::chrono::microseconds{rows.integer(column)}}; }
std::optional<WallTime> optional_time(const Rows& rows, int column) {
  return rows.is_null(column) ? std::nullopt : std::optional(time_at(rows, column));
}
std::optional<int> optional_int(const Rows& rows, int column) {
  return rows.is_null(column) ? std::nullopt : std::optional(static_cast<int>(rows.integer(column)));
}
std::uint64_t unsigned_at(const Rows& rows, int column) { return static_cast<std::uint64_t>(rows.integer(column)); }
std::string string_at(const Rows& rows, int column) { return std::string(rows.text(column)); }

Error damaged(std::string_view what, std::uint64_t sequence, std::string_view why) {
  return {"the journal's " + std::string(what) + " " + std::to_string(sequence) + " cannot be read: " + std::string(why),
          "the file was changed by something else, or the disk is failing"};
}

// A JSON list of texts; nullopt: it is none.
std::optional<std::vector<std::string>> texts_at(const Rows& rows, int column) {
  const auto list = parse_json(rows.text(column), "a list");
  if (!list || !list->is_array()) return std::nullopt;
  std::vector<std::string> texts;
  for (const auto& each : *list) {
    if (!each.is_string()) return std::nullopt;
    texts.push_back(each.get<std::string>());
  }
  return texts;
}

std::optional<std::string> optional_text(const Rows& rows, int column) {
  return rows.is_null(column) ? std::nullopt : std::optional(string_at(rows, column));
}
// seq, event_seq, handler, source, key, priority, not_before, whether a throttle applies
WaitingRun read_waiting(const Rows& rows) {
  return {unsigned_at(rows, 0), unsigned_at(rows, 1),          string_at(rows, 2), string_at(rows, 3), optional_text(rows, 4),
          static_cast<int>(rows.integer(5)), optional_time(rows, 6), rows.integer(7) != 0};
}

Owner read_owner(const Rows& rows, int column) {
  return {string_at(rows, column), static_cast<int>(rows.integer(column + 1)), unsigned_at(rows, column + 2)};
}

Result<Event> read_event(const Rows& rows) {
  Event event;
  event.sequence = unsigned_at(rows, 0);
  event.id = string_at(rows, 1);
  event.type = string_at(rows, 2);
  event.source = string_at(rows, 3);
  event.subject = string_at(rows, 4);
  event.time = time_at(rows, 5);
  event.topic = string_at(rows, 6);
  event.correlation_id = string_at(rows, 7);
  event.causation_id = string_at(rows, 8);
  event.traceparent = string_at(rows, 9);
  event.dedupe_key = string_at(rows, 10);
  event.priority = static_cast<int>(rows.integer(11));
  if (!rows.is_null(12)) event.ttl = std::chrono::seconds(rows.integer(12));
  auto data = Payload::parse(string_at(rows, 13), limits::kJsonDepthKept);
  if (!data) return damaged("event", event.sequence, data.error().message);
  event.data = std::move(data).value();
  event.hops = static_cast<int>(rows.integer(14));
  event.replay_of = string_at(rows, 15);
  event.members = static_cast<int>(rows.integer(16));
  if (!rows.is_null(17)) {
    auto context = Payload::parse(string_at(rows, 17), limits::kJsonDepthKept);
    if (!context) return damaged("event", event.sequence, context.error().message);
    event.context = std::move(context).value();
  }
  event.expires = optional_time(rows, 18);
  return event;
}

Result<Subscriber> read_subscriber(const Rows& rows) { return Subscriber{string_at(rows, 0), unsigned_at(rows, 1), time_at(rows, 2)}; }

Result<Run> read_run(const Rows& rows) {
  Run run;
  run.sequence = unsigned_at(rows, 0);
  run.id = string_at(rows, 1);
  run.handler = string_at(rows, 2);
  run.event_sequence = unsigned_at(rows, 3);
  const auto state = run_state_from(rows.text(4));
  if (!state) return damaged("run", run.sequence, "its state is unknown");
  run.state = *state;
  run.attempt = static_cast<int>(rows.integer(5));
  run.priority = static_cast<int>(rows.integer(6));
  run.queued = time_at(rows, 7);
  run.started = optional_time(rows, 8);
  run.finished = optional_time(rows, 9);
  run.exit_code = optional_int(rows, 10);
  run.error = string_at(rows, 11);
  run.event_id = string_at(rows, 12);
  run.event_type = string_at(rows, 13);
  run.source = string_at(rows, 14);
  run.correlation_id = string_at(rows, 15);
  run.key = optional_text(rows, 19);
  run.failures = static_cast<int>(rows.integer(20));
  run.not_before = optional_time(rows, 21);
  run.dead_since = optional_time(rows, 22);
  run.interruptions = static_cast<int>(rows.integer(23));
  run.direct = rows.integer(24) != 0;
  run.traceparent = string_at(rows, 25);
  return run;
}

Result<StepResult> read_step(const Rows& rows, std::uint64_t run_sequence) {
  StepResult step;
  step.name = string_at(rows, 0);
  const auto state = step_state_from(rows.text(1));
  if (!state) return damaged("step of run", run_sequence, "its state is unknown");
  step.state = *state;
  step.attempts = static_cast<int>(rows.integer(2));
  step.exit_code = optional_int(rows, 3);
  step.started = time_at(rows, 4);
  step.duration = std::chrono::microseconds(rows.integer(5));
  step.output_bytes = unsigned_at(rows, 6);
  step.error_bytes = unsigned_at(rows, 7);
  step.output_file = string_at(rows, 8);
  step.error_file = string_at(rows, 9);
  step.error = string_at(rows, 10);
  step.output = string_at(rows, 11);
  step.error_output = string_at(rows, 12);
  const auto part = step_part_from(rows.text(13));
  if (!part) return damaged("step of run", run_sequence, "its part is unknown");
  step.part = *part;
  step.iteration = static_cast<int>(rows.integer(14));
  if (!rows.is_null(15)) {
    step.usage = Usage{unsigned_at(rows, 15), unsigned_at(rows, 16), {}};
    if (!rows.is_null(17)) step.usage->cost = rows.real(17);
  }
  return step;
}

template <class Enum>
std::optional<Enum> enum_from(std::string_view text, Enum last) {
  for (int value = 0; value <= static_cast<int>(last); ++value) {
    if (to_string(static_cast<Enum>(value)) == text) return static_cast<Enum>(value);
  }
  return std::nullopt;
}

Result<Decision> read_decision(const Rows& rows, std::uint64_t event_sequence) {
  const auto stage = enum_from(rows.text(1), Stage::hook);
  const auto verdict = enum_from(rows.text(2), Verdict::dropped);
  if (!stage || !verdict) return damaged("decision about event", event_sequence, "its stage or verdict is unknown");
  return Decision{event_sequence, time_at(rows, 0), *stage, *verdict, string_at(rows, 3), string_at(rows, 4)};
}

// Every row of an execution through `read`, which gives a Result.
template <class Value, class Read>
Result<std::vector<Value>> collect(Rows rows, Read read) {
  std::vector<Value> values;
  while (true) {
    const auto more = rows.next();
    if (!more) return more.error();
    if (!*more) return values;
    auto value = read(rows);
    if (!value) return value.error();
    values.push_back(std::move(value).value());
  }
}

template <class Value, class Read>
Result<std::optional<Value>> first(Rows rows, Read read) {
  auto found = collect<Value>(std::move(rows), read);
  if (!found) return found.error();
  if (found->empty()) return std::optional<Value>();
  return std::optional(std::move(found->front()));
}

// The first text, by bytes, that is behind all that begin with `prefix`. (No text in UTF-8 ends in the one byte that has none after it.)
std::string behind(std::string prefix) {
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

std::int64_t clamped(std::uint64_t sequence) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(sequence, std::numeric_limits<std::int64_t>::max()));
}

// What a filter asks of a column at least, as a condition: so the rows that cannot match are not even read.
using Values = std::optional<std::vector<std::string>>;

std::optional<std::string> list(const Values& values) {
  if (!values) return std::nullopt;
  return nlohmann::json(*values).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string one_of(const char* column, const char* parameter, const Values& values) {
  return values ? std::string(" AND ") + column + " IN (SELECT value FROM json_each(" + parameter + "))" : std::string(" AND ") + parameter + " IS NULL";
}

// In the text of the statement, and with the condition of the index (journal_schema.cpp) as it stands there where it covers them: so
// SQLite knows that it may be used.
std::string in_states(const std::vector<std::string>& states) {
  std::string literals;
  bool unhappy = true;
  for (const auto& state : states) {
    const auto known = run_state_from(state);
    if (!known) continue;
    literals += (literals.empty() ? "'" : ", '") + std::string(to_string(*known)) + "'";
    unhappy = unhappy && is_final(*known) && *known != RunState::succeeded;
  }
  return " AND r.state IN (" + literals + ")" + (unhappy ? std::string(" AND ") + kUnhappy : "");
}

}  // namespace

JournalQueries::JournalQueries(sqlite::Connection& connection)
    : connection_(connection),
      find_event_(connection, std::string("SELECT seq, id FROM events") + kById),
      find_run_(connection, std::string("SELECT seq, id FROM runs") + kById),
      event_(connection, std::string("SELECT ") + kEventColumns + " FROM events WHERE seq = ?1"),
      run_(connection, std::string(kRuns) + "WHERE r.seq = ?1"),
      steps_(connection,
             "SELECT name, state, attempts, exit_code, started, duration, output_bytes, error_bytes, output_file, error_file, "
             "error, "
             "output, error_output, part, iteration, input_tokens, output_tokens, cost FROM steps WHERE run_seq = ?1 AND attempt = ?2 ORDER BY idx"),
      attempts_(connection, "SELECT attempt, state, started, finished, exit_code, error FROM attempts WHERE run_seq = ?1 ORDER BY attempt"),
      decisions_(connection, "SELECT time, stage, verdict, handler, reason FROM decisions WHERE event_seq = ?1 ORDER BY ord"),
      neighbours_(connection,
                  "SELECT max(id) FROM events WHERE id < ?1 UNION ALL SELECT min(id) FROM events WHERE id > ?1 UNION ALL "
                  "SELECT max(id) FROM runs WHERE id < ?1 UNION ALL SELECT min(id) FROM runs WHERE id > ?1") {}

Result<std::optional<std::uint64_t>> JournalQueries::find(Statement& by_id, std::string_view id_or_prefix,
                                                          std::string_view what) {
  if (id_or_prefix.empty()) return std::optional<std::uint64_t>();
  // Ids made here are upper case (core/ids.h); a caller's own may be anything. So it is looked for as it stands, then in
  // capitals.
  std::vector<std::string> spellings{std::string(id_or_prefix)};
  std::string capitals = spellings.front();
  for (char& letter : capitals) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  if (capitals != spellings.front()) spellings.push_back(std::move(capitals));

  std::vector<std::pair<std::uint64_t, std::string>> found;
  for (const auto& spelling : spellings) {
    const std::string end = behind(spelling);
    auto rows = collect<std::pair<std::uint64_t, std::string>>(by_id.query(spelling, end), [](const Rows& row) {
      return Result<std::pair<std::uint64_t, std::string>>(std::pair(unsigned_at(row, 0), string_at(row, 1)));
    });
    if (!rows) return rows.error();
    for (auto& row : *rows) {
      if (row.second == spelling) return std::optional(row.first);
      found.push_back(std::move(row));
    }
  }
  if (found.empty()) return std::optional<std::uint64_t>();
  if (id_or_prefix.size() < limits::kIdPrefix) {
    return Error{"'" + std::string(id_or_prefix) + "' is too short to name " + std::string(what),
                 "give at least the first " + std::to_string(limits::kIdPrefix) + " characters of its id"};
  }
  if (found.size() > 1) {
    return Error{"more than one id begins with '" + std::string(id_or_prefix) + "': " + found[0].second + ", " + found[1].second +
                     " and perhaps others",
                 "give more characters of the id of " + std::string(what)};
  }
  return std::optional(found.front().first);
}

Result<std::vector<Run>> JournalQueries::runs(const RunQuery& query) {
  std::optional<std::uint64_t> event_sequence;
  if (!query.event_id.empty()) {
    const auto found = find(find_event_, query.event_id, "an event");
    if (!found) return found.error();
    if (!*found) return std::vector<Run>();
    event_sequence = **found;
  }
  const auto states = query.filter.required("state");
  const auto handlers = query.filter.required("handler");
  const auto sources = query.filter.required("event.source");
  std::string sql = kRuns;
  sql += "WHERE r.seq > ?1 AND r.seq < ?2";
  // A condition that is not wanted is said as one on its parameter alone, so that the parameters are always the same.
  sql += query.handler.empty() ? " AND ?4 = ''" : " AND r.handler = ?4";
  sql += event_sequence ? " AND r.event_seq = ?5" : " AND ?5 IS NULL";
  sql += one_of("r.handler", "?6", handlers) + one_of("r.source", "?7", sources);
  if (query.dead) sql += " AND r.dead_since IS NOT NULL";
  if (states) sql += in_states(*states);
  sql += query.after ? " ORDER BY r.seq ASC LIMIT ?3" : " ORDER BY r.seq DESC LIMIT ?3";
  Statement statement(connection_, sql);
  auto after = clamped(query.after.value_or(0));
  auto before = clamped(query.before.value_or(std::numeric_limits<std::uint64_t>::max()));
  nlohmann::json scratch;
  std::vector<Run> found;
  while (found.size() < query.limit) {
    const auto page = query.filter.empty() ? std::min(query.limit - found.size(), limits::kFilterPage) : limits::kFilterPage;
    auto runs = collect<Run>(statement.query(after, before, clamped(page), query.handler, event_sequence, list(handlers), list(sources)), read_run);
    if (!runs) return runs;
    for (auto& run : *runs) {
      (query.after ? after : before) = clamped(run.sequence);
      const bool matches = query.filter.evaluate([&](std::string_view field) { return run_field(run, field, scratch); }).matches;
      if (matches && found.size() < query.limit) found.push_back(std::move(run));
    }
    if (runs->size() < page) break;
  }
  return found;
}

Result<std::optional<Run>> JournalQueries::run(std::string_view id_or_prefix) {
  const auto sequence = find(find_run_, id_or_prefix, "a run");
  if (!sequence) return sequence.error();
  if (!*sequence) return std::optional<Run>();
  auto run = run_at(**sequence);
  if (!run || !*run) return run;
  auto its_steps = steps(**sequence, (*run)->attempt);
  if (!its_steps) return its_steps.error();
  (*run)->steps = std::move(its_steps).value();
  auto earlier = attempts(**sequence);
  if (!earlier) return earlier.error();
  (*run)->attempts = std::move(earlier).value();
  return run;
}

Result<std::optional<Run>> JournalQueries::run_at(std::uint64_t sequence) { return first<Run>(run_.query(sequence), read_run); }

Result<std::vector<StepResult>> JournalQueries::steps(std::uint64_t run_sequence, int attempt) {
  return collect<StepResult>(steps_.query(run_sequence, attempt), [&](const Rows& row) { return read_step(row, run_sequence); });
}

Result<std::vector<Attempt>> JournalQueries::attempts(std::uint64_t run_sequence) {
  auto found = collect<Attempt>(attempts_.query(run_sequence), [&](const Rows& row) -> Result<Attempt> {
    const auto state = run_state_from(row.text(1));
    if (!state) return damaged("attempt of run", run_sequence, "its state is unknown");
    return Attempt{static_cast<int>(row.integer(0)), *state, optional_time(row, 2), optional_time(row, 3), optional_int(row, 4), string_at(row, 5), {}};
  });
  if (!found) return found;
  for (auto& attempt : *found) {
    auto its_steps = steps(run_sequence, attempt.number);
    if (!its_steps) return its_steps.error();
    attempt.steps = std::move(its_steps).value();
  }
  return found;
}

Result<std::optional<Event>> JournalQueries::event(std::string_view id_or_prefix) {
  const auto sequence = find(find_event_, id_or_prefix, "an event");
  if (!sequence) return sequence.error();
  if (!*sequence) return std::optional<Event>();
  return event_at(**sequence);
}

Result<std::optional<Event>> JournalQueries::event_at(std::uint64_t sequence) { return first<Event>(event_.query(sequence), read_event); }

Result<std::vector<Event>> JournalQueries::events(const EventQuery& query) {
  const auto types = query.filter.required("type");
  const auto sources = query.filter.required("source");
  const auto topics = query.filter.required("topic");
  Statement statement(connection_, std::string("SELECT ") + kEventColumns + " FROM events WHERE seq > ?1 AND seq < ?2" + one_of("type", "?4", types) +
                                       one_of("source", "?5", sources) + one_of("topic", "?6", topics) +
                                       (query.after ? " ORDER BY seq ASC LIMIT ?3" : " ORDER BY seq DESC LIMIT ?3"));
  auto after = clamped(query.after.value_or(0));
  auto before = clamped(query.before.value_or(std::numeric_limits<std::uint64_t>::max()));
  std::vector<Event> found;
  while (found.size() < query.limit) {
    const auto page = query.filter.empty() && !query.wanted ? std::min(query.limit - found.size(), limits::kFilterPage) : limits::kFilterPage;
    auto events = collect<Event>(statement.query(after, before, clamped(page), list(types), list(sources), list(topics)), read_event);
    if (!events) return events;
    for (auto& event : *events) {
      (query.after ? after : before) = clamped(event.sequence);
      if (found.size() >= query.limit || (query.now && has_expired(event, *query.now)) || (query.wanted && !query.wanted(event))) continue;
      if (query.filter.evaluate(event).matches) found.push_back(std::move(event));
    }
    if (events->size() < page) break;
  }
  return found;
}

Result<std::vector<std::string>> JournalQueries::handlers() {
  Statement statement(connection_, "SELECT DISTINCT handler FROM runs ORDER BY handler");
  return collect<std::string>(statement.query(), [](const Rows& row) -> Result<std::string> { return string_at(row, 0); });
}

Result<std::string> JournalQueries::short_id(std::string_view id) {
  auto neighbours = collect<std::string>(neighbours_.query(id), [](const Rows& row) -> Result<std::string> { return string_at(row, 0); });
  if (!neighbours) return neighbours.error();
  std::size_t length = limits::kShownId;
  for (const auto& other : *neighbours) {
    const auto differs = std::mismatch(id.begin(), id.end(), other.begin(), other.end()).first;
    length = std::max(length, std::size_t(differs - id.begin()) + 1);
  }
  return std::string(id.substr(0, length));
}

Result<std::vector<Decision>> JournalQueries::decisions(std::uint64_t event_sequence) {
  const auto sequence = clamped(event_sequence);
  return collect<Decision>(decisions_.query(sequence), [&](const Rows& row) { return read_decision(row, event_sequence); });
}

Result<JournalReader::Session> JournalQueries::session(std::string_view correlation_id, std::size_t limit) {
  JournalReader::Session session;
  Statement events(connection_, std::string("SELECT ") + kEventColumns + " FROM events WHERE id = ?1 AND correlation_id = ?1 UNION ALL SELECT " + kEventColumns +
                                    " FROM events WHERE correlation_id = ?1 AND correlation_id <> id ORDER BY seq LIMIT ?2");
  auto found = collect<Event>(events.query(correlation_id, clamped(limit)), read_event);
  if (!found) return found.error();
  session.events = std::move(*found);
  Statement runs(connection_, std::string(kRuns) + "WHERE r.event_seq = ?1 ORDER BY r.seq LIMIT ?2");
  for (const auto& event : session.events) {
    if (session.runs.size() >= limit) break;
    auto its = collect<Run>(runs.query(event.sequence, clamped(limit - session.runs.size())), read_run);
    if (!its) return its.error();
    for (auto& run : *its) {
      auto its_steps = steps(run.sequence, run.attempt);
      if (!its_steps) return its_steps.error();
      run.steps = std::move(*its_steps);
      session.runs.push_back(std::move(run));
    }
  }
  return session;
}

Result<std::uint64_t> JournalQueries::newest_event() {
  Statement statement(connection_, "SELECT max(event_seq, coalesce((SELECT max(seq) FROM events), 0)) FROM pruned");
  auto found = first<std::uint64_t>(statement.query(), [](const Rows& row) -> Result<std::uint64_t> { return unsigned_at(row, 0); });
  if (!found) return found.error();
  return found->value_or(0);
}

Result<std::map<std::string, std::uint64_t>> JournalQueries::forgotten() {
  Statement statement(connection_, "SELECT topic, event_seq FROM forgotten");
  using Of = std::pair<std::string, std::uint64_t>;
  auto rows = collect<Of>(statement.query(), [](const Rows& row) -> Result<Of> { return Of(string_at(row, 0), unsigned_at(row, 1)); });
  if (!rows) return rows.error();
  return std::map<std::string, std::uint64_t>(rows->begin(), rows->end());
}

Result<std::optional<Subscriber>> JournalQueries::subscriber(const std::string& name) {
  Statement statement(connection_, "SELECT name, position, used FROM subscribers WHERE name = ?1");
  return first<Subscriber>(statement.query(name), read_subscriber);
}

Result<std::vector<Subscriber>> JournalQueries::subscribers() {
  Statement statement(connection_, "SELECT name, position, used FROM subscribers ORDER BY name");
  return collect<Subscriber>(statement.query(), read_subscriber);
}

Result<std::vector<AuditEntry>> JournalQueries::audit(const AuditQuery& query) {
  const bool oldest_first = query.after.has_value();
  Statement statement(connection_, std::string("SELECT seq, time, who, origin, action, object, done, outcome FROM audit WHERE seq > ?1 AND seq < ?2 AND (?3 = '' OR action = ?3) "
                                               "AND (?4 = '' OR who = ?4 OR (who = '' AND origin = ?4)) ORDER BY seq ") + (oldest_first ? "ASC" : "DESC") + " LIMIT ?5");
  constexpr auto kMost = std::uint64_t(std::numeric_limits<std::int64_t>::max());
  auto rows = statement.query(std::min(query.after.value_or(0), kMost), std::min(query.before.value_or(kMost), kMost), query.action, query.who, std::uint64_t(query.limit));
  return collect<AuditEntry>(std::move(rows), [](const Rows& row) -> Result<AuditEntry> {
    return AuditEntry{unsigned_at(row, 0), time_at(row, 1), string_at(row, 2), string_at(row, 3), string_at(row, 4), string_at(row, 5), row.integer(6) != 0, string_at(row, 7)};
  });
}

Result<std::vector<Journal::Unrouted>> JournalQueries::unrouted_events() {
  Statement statement(connection_, std::string("SELECT ") + kEventColumns +
                                       ", (SELECT json_group_array(g.source) FROM gathering g WHERE g.event_seq = seq) FROM events JOIN unrouted USING (seq) "
                                       "WHERE seq NOT IN (SELECT event_seq FROM held WHERE NOT start) ORDER BY seq");
  return collect<Journal::Unrouted>(statement.query(), [](const Rows& row) -> Result<Journal::Unrouted> {
    auto event = read_event(row);
    if (!event) return event.error();
    auto gathering = texts_at(row, 19);
    if (!gathering) return damaged("event", event->sequence, "what gathers it is no list of names");
    return Journal::Unrouted{std::make_shared<const Event>(std::move(event).value()), std::move(*gathering)};
  });
}

Result<std::vector<std::pair<Run, Owner>>> JournalQueries::running_runs() {
  Statement statement(connection_, std::string(kRuns) + "WHERE r.state = 'running' ORDER BY r.seq");
  using Owned = std::pair<Run, Owner>;
  return collect<Owned>(statement.query(), [](const Rows& row) -> Result<Owned> {
    auto run = read_run(row);
    if (!run) return run.error();
    return Owned(std::move(run).value(), read_owner(row, 16));
  });
}

Result<std::vector<std::pair<Journal::Held, Owner>>> JournalQueries::held() {
  Statement statement(connection_,
                      "SELECT id, event_seq, start, handler, direct, without, priority, key, not_before, owner_boot, owner_pid, owner_start, source "
                      "FROM held ORDER BY id");
  using Owned = std::pair<Journal::Held, Owner>;
  return collect<Owned>(statement.query(), [](const Rows& row) -> Result<Owned> {
    Journal::Held held;
    held.id = unsigned_at(row, 0);
    held.event_sequence = unsigned_at(row, 1);
    held.start = row.integer(2) != 0;
    held.handler = string_at(row, 3);
    held.direct = row.integer(4) != 0;
    auto without = texts_at(row, 5);
    if (!without) return damaged("what a hook holds of event", held.event_sequence, "its `without` is no list of names");
    held.without = std::move(*without);
    held.priority = static_cast<int>(row.integer(6));
    held.key = optional_text(row, 7);
    held.not_before = optional_time(row, 8);
    held.source = string_at(row, 12);
    return Owned(std::move(held), read_owner(row, 9));
  });
}

Result<std::vector<Journal::KeptWait>> JournalQueries::waits() {
  Statement statement(connection_,
                      "SELECT w.run_seq, r.handler, r.key, w.idx, w.step, w.part, w.iteration, w.since, w.types, w.topic, w.condition, w.until, "
                      "w.tolerated, r.owner_boot, r.owner_pid, r.owner_start FROM waits w JOIN runs r ON r.seq = w.run_seq ORDER BY w.run_seq");
  return collect<Journal::KeptWait>(statement.query(), [](const Rows& row) -> Result<Journal::KeptWait> {
    Journal::KeptWait kept;
    kept.run_sequence = unsigned_at(row, 0);
    kept.handler = string_at(row, 1);
    kept.key = optional_text(row, 2);
    auto& wait = kept.wait;
    wait.index = unsigned_at(row, 3);
    wait.step = string_at(row, 4);
    const auto part = step_part_from(row.text(5));
    auto types = texts_at(row, 8);
    if (!part || !types) return damaged("the wait of run", kept.run_sequence, part ? "its types are no list of texts" : "it has no part");
    wait.part = *part;
    wait.iteration = static_cast<int>(row.integer(6));
    wait.since = time_at(row, 7);
    wait.types = std::move(*types);
    wait.topic = string_at(row, 9);
    wait.where = string_at(row, 10);
    wait.until = optional_time(row, 11);
    wait.tolerated = row.integer(12) != 0;
    kept.owner = read_owner(row, 13);
    return kept;
  });
}

Result<std::uint64_t> JournalQueries::heard(std::uint64_t run_sequence) {
  Statement statement(connection_, "SELECT max(heard, event_seq) FROM runs WHERE seq = ?1");
  auto rows = statement.query(run_sequence);
  const auto more = rows.next();
  if (!more) return more.error();
  if (!*more) return Error{"there is no run " + std::to_string(run_sequence) + " in the journal", ""};
  return unsigned_at(rows, 0);
}

Status JournalQueries::each_event_after(std::uint64_t sequence, const std::function<bool(std::uint64_t, std::string_view, std::string_view)>& take) {
  Statement statement(connection_, "SELECT seq, type, topic FROM events WHERE seq > ?1 ORDER BY seq");
  auto rows = statement.query(sequence);
  while (true) {
    const auto more = rows.next();
    if (!more) return more.error();
    if (!*more || !take(unsigned_at(rows, 0), rows.text(1), rows.text(2))) return {};
  }
}

Status JournalQueries::each_waiting_run(WallTime now, const std::function<void(const WaitingRun&, const Owner&)>& take) {
  Statement statement(connection_,
                      "SELECT seq, event_seq, handler, source, key, priority, not_before - max(queued - ?1, 0), attempt = 1 AND NOT direct AND started IS NULL, "
                      "owner_boot, owner_pid, owner_start "
                      "FROM runs WHERE state = 'queued' ORDER BY seq");
  auto rows = statement.query(now);
  while (true) {
    const auto more = rows.next();
    if (!more) return more.error();
    if (!*more) return {};
    take(read_waiting(rows), read_owner(rows, 8));
  }
}

std::string json_of(const ThrottledSince& since) {
  auto json = nlohmann::json::object();
  for (const auto& [source, time] : since) json[source] = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  return json.dump();
}

Status JournalQueries::each_start(const ThrottledSince& since, const std::function<void(const WaitingRun&, WallTime)>& take) {
  Statement statement(connection_,
                      "SELECT seq, event_seq, handler, source, key, priority, not_before, NOT direct, " + std::string(kFirstStart) +
                          " AS began FROM runs r WHERE NOT direct AND source IN (SELECT key FROM json_each(?1)) AND began IS NOT NULL ORDER BY began");
  const auto sources = json_of(since);
  auto rows = statement.query(sources);
  while (true) {
    const auto more = rows.next();
    if (!more) return more.error();
    if (!*more) return {};
    const auto run = read_waiting(rows);
    const auto began = time_at(rows, 8);
    if (began > since.at(run.source)) take(run, began);
  }
}

Result<std::vector<Journal::KeptBreaker>> JournalQueries::breakers() {
  Statement statement(connection_, "SELECT handler, failures, open_until FROM breakers");
  return collect<Journal::KeptBreaker>(statement.query(), [](const Rows& row) -> Result<Journal::KeptBreaker> {
    return Journal::KeptBreaker{string_at(row, 0), static_cast<int>(row.integer(1)), optional_time(row, 2)};
  });
}

Result<std::vector<std::string>> JournalQueries::paused() {
  Statement statement(connection_, "SELECT handler FROM paused");
  return collect<std::string>(statement.query(), [](const Rows& row) -> Result<std::string> { return string_at(row, 0); });
}

Result<std::vector<std::string>> JournalQueries::paused_sessions() {
  Statement statement(connection_, "SELECT correlation_id FROM paused_sessions");
  return collect<std::string>(statement.query(), [](const Rows& row) -> Result<std::string> { return string_at(row, 0); });
}

Result<std::uint64_t> JournalQueries::dead_letters() {
  Statement statement(connection_, "SELECT count(*) FROM runs WHERE dead_since IS NOT NULL");
  auto count = first<std::uint64_t>(statement.query(), [](const Rows& row) -> Result<std::uint64_t> { return unsigned_at(row, 0); });
  if (!count) return count.error();
  return count->value_or(0);
}

Result<std::map<std::string, std::string>> JournalQueries::marks(const std::string& source) {
  Statement statement(connection_, "SELECT name, value FROM marks WHERE source = ?1");
  using Mark = std::pair<std::string, std::string>;
  auto rows = collect<Mark>(statement.query(source), [](const Rows& row) -> Result<Mark> { return Mark(string_at(row, 0), string_at(row, 1)); });
  if (!rows) return rows.error();
  return std::map<std::string, std::string>(std::make_move_iterator(rows->begin()), std::make_move_iterator(rows->end()));
}

Result<std::vector<std::pair<std::string, WallTime>>> JournalQueries::last_successes() {
  Statement statement(
      connection_, "SELECT handler, max(started) FROM runs WHERE state = 'succeeded' AND started IS NOT NULL GROUP BY handler");
  using Success = std::pair<std::string, WallTime>;
  return collect<Success>(statement.query(),
                          [](const Rows& row) -> Result<Success> { return Success(string_at(row, 0), time_at(row, 1)); });
}

}  // namespace hark
