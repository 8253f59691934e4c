// The journal: the durable record of events, decisions, runs and steps. What is not in it did not happen.
//
// One thread (the loop) writes, in transactions that it opens once a turn: all that a turn decided is one commit. A commit
// survives the death of the process at once and power loss after sync(). Reading may be done from any thread through a Reader.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/audit.h"
#include "core/decision.h"
#include "core/event.h"
#include "core/filter.h"
#include "core/result.h"
#include "core/run.h"

namespace hark {

class Clock;

// Who owns a run that is under way: finds the runs of a daemon that died.
struct Owner {
  std::string boot_id;
  int pid = 0;
  std::uint64_t start_time = 0;  // field 22 of /proc/PID/stat: tells a reused pid apart
};

struct RunQuery {
  std::size_t limit = 20;
  std::optional<std::uint64_t> before{}; // sequence: the page before
  std::optional<std::uint64_t> after{};  // sequence: what is newer (oldest first)
  std::string handler{};                 // empty: all
  std::string event_id{};                // or a prefix of one; empty: all
  bool dead = false;                     // only what stands in the dead letters
  Filter filter{};                       // fields as run_field() names them
};

// By source, since when its throttle counts starts. Which ones: throttle_applies().
using ThrottledSince = std::map<std::string, WallTime>;

// What may go: finished events older than `before` or beyond the newest `keep`. One with a dead letter stays until that is older than
// `dead_before`, one with a start that a throttle counts as long as it does.
struct Retention {
  WallTime before{};
  std::uint64_t keep = 0;
  WallTime dead_before{};
  ThrottledSince throttled{};
  WallTime now{};  // what has expired by then goes whatever its age
  struct OfTopic {
    std::string topic;
    WallTime before{};
    std::uint64_t keep = 0;  // of this topic
  };
  std::vector<OfTopic> topics{};  // whose events have a retention of their own
  WallTime asked_before{};        // subscribers that did not ask since then are forgotten
  WallTime audit_before{};        // entries of the audit that are older
};

struct EventQuery {
  std::size_t limit = 20;
  std::optional<std::uint64_t> before{};  // sequence: the page before
  std::optional<std::uint64_t> after{};   // sequence: what is newer (oldest first)
  std::optional<WallTime> now{};          // without those that have expired by then
  Filter filter{};
  std::function<bool(const Event&)> wanted{};  // beside the filter; empty: all
};

// A program that reads along under a name, and goes on where it was.
struct Subscriber {
  std::string name;
  std::uint64_t position = 0;  // it has acknowledged the events up to this number
  WallTime used{};             // when it asked last
};

struct AuditQuery {
  std::size_t limit = 20;
  std::optional<std::uint64_t> before{};  // sequence: the page before
  std::optional<std::uint64_t> after{};   // sequence: what is newer (oldest first)
  std::string action{};                   // empty: all
  std::string who{};                      // or, where no token was asked for, where it came from; empty: all
};

// What the writing takes, told as it happens.
struct JournalTimes {
  const Clock& clock;
  std::function<void(Duration took)> committed;                     // on the writing thread
  std::function<void(Duration took, std::size_t group)> synced;     // on the sync thread: so many askers shared it
};

// Any thread may have one of its own; short transactions, so that the writer's checkpoints are not held up.
class JournalReader {
 public:
  virtual ~JournalReader() = default;
  virtual Result<std::vector<Run>> runs(const RunQuery& query) = 0;            // newest first (with `after`: oldest first), without steps
  virtual Result<std::optional<Run>> run(std::string_view id_or_prefix) = 0;   // with steps and earlier attempts
  virtual Result<std::optional<Event>> event(std::string_view id_or_prefix) = 0;
  virtual Result<std::vector<Event>> events(const EventQuery& query) = 0;            // newest first (with `after`: oldest first)
  // The whole of one story: its events in order, and the runs that came of them. A list that is full may lack the rest.
  struct Session {
    std::vector<Event> events;
    std::vector<Run> runs;  // with steps
  };
  virtual Result<Session> session(std::string_view correlation_id, std::size_t limit) = 0;
  virtual Result<std::vector<Decision>> decisions(std::uint64_t event_sequence) = 0;  // in the order they were made
  virtual Result<std::vector<AuditEntry>> audit(const AuditQuery& query) = 0;        // newest first (with `after`: oldest first)
  virtual Result<std::uint64_t> dead_letters() = 0;                                  // how many there are
  virtual Result<std::vector<std::string>> handlers() = 0;                           // that have runs, by name
  // The beginning of `id` that no other event and no other run has; with the whole time in it, so that it stays so.
  virtual Result<std::string> short_id(std::string_view id) = 0;
};

class Journal : public JournalReader {
 public:
  // Writing. Loop thread only; between begin() and commit() or rollback(). After an Error the transaction is to be rolled back.
  virtual Status begin() = 0;
  virtual Status commit() = 0;   // in the WAL: survives this process
  virtual Status probe() = 0;    // writes what changes nothing: whether there is room to write
  virtual void rollback() = 0;   // never fails: what it cannot undo SQLite undoes at the next open

  // Stores the event under a new sequence and returns it. It counts as unrouted until set_routed(): after a crash it is routed again.
  virtual Result<std::uint64_t> add_event(const Event& event) = 0;
  virtual Status set_routed(std::uint64_t event_sequence) = 0;
  // A published event is routed but for what these sources gather: their rules alone take it up after a crash. set_gathered() says that one
  // of them has let it go; with the last it is routed.
  virtual Status set_gathering(std::uint64_t event_sequence, const std::vector<std::string>& sources) = 0;
  virtual Status set_gathered(std::uint64_t event_sequence, const std::string& source) = 0;
  virtual Status add_decision(const Decision& decision) = 0;
  virtual Result<std::uint64_t> add_run(const Run& run, const Owner& owner) = 0;  // returns its sequence
  virtual Status update_run(const Run& run, const Owner& owner) = 0;  // all that can change: state, attempt, times, exit code, error, ...
  virtual Status add_step(std::uint64_t run_sequence, int attempt, std::size_t index, const StepResult& step) = 0;
  // The attempt that `run` tells of is over, and another one follows.
  virtual Status add_attempt(std::uint64_t run_sequence, const Attempt& attempt) = 0;
  // The steps that are through in attempt `from` count as done in attempt `to`.
  virtual Status carry_steps(std::uint64_t run_sequence, int from, int to) = 0;
  virtual Result<std::vector<StepResult>> steps(std::uint64_t run_sequence, int attempt) = 0;
  // What the queue holds only the number of. nullopt: it is not there.
  virtual Result<std::optional<Run>> run_at(std::uint64_t sequence) = 0;
  virtual Result<std::optional<Event>> event_at(std::uint64_t sequence) = 0;

  // What a hook holds back, until it has answered: an event that no router has seen (not one of unrouted_events() until it is removed
  // here), or one of its starts. It outlives the process; the ids of those that are there rise in the order they came.
  struct Held {
    std::uint64_t id = 0;
    std::uint64_t event_sequence = 0;
    bool start = false;                // of `handler`; else the event, sent to `handler` or (empty) to all that the rules name
    std::string handler{};
    bool direct = false;
    std::vector<std::string> without{};  // handlers whose own runs made it
    int priority = 0;
    std::optional<std::string> key{};
    std::optional<WallTime> not_before{};
    std::string source{};              // of a start: whose rule says so
  };
  virtual Result<std::uint64_t> add_held(const Held& held, const Owner& owner) = 0;  // returns its id
  virtual Status remove_held(std::uint64_t id) = 0;
  virtual Result<std::vector<std::pair<Held, Owner>>> held() = 0;  // in order

  // Runs that wait for an event; at most one wait each, with the process that wrote it.
  struct KeptWait {
    std::uint64_t run_sequence = 0;
    std::string handler{};
    std::optional<std::string> key{};
    Wait wait{};
    Owner owner{};
  };
  virtual Status add_wait(std::uint64_t run_sequence, const Wait& wait) = 0;
  virtual Status remove_wait(std::uint64_t run_sequence) = 0;
  virtual Result<std::vector<KeptWait>> waits() = 0;  // in the order of their runs
  // Up to which event a run has heard: the last one that it has published or waited for, else its own. What it waits for comes after that.
  virtual Status set_heard(std::uint64_t run_sequence, std::uint64_t event_sequence) = 0;
  virtual Result<std::uint64_t> heard(std::uint64_t run_sequence) = 0;
  // In order, until `take` says false.
  virtual Status each_event_after(std::uint64_t sequence,
                                  const std::function<bool(std::uint64_t sequence, std::string_view type, std::string_view topic)>& take) = 0;
  virtual Result<std::uint64_t> newest_event() = 0;  // the highest number given so far, whether that event is there or not
  // The highest number that retention has deleted: of topics with one of their own by their names, of all others by "".
  virtual Result<std::map<std::string, std::uint64_t>> forgotten() = 0;

  // Who reads along under a name.
  virtual Result<std::optional<Subscriber>> subscriber(const std::string& name) = 0;
  virtual Result<std::vector<Subscriber>> subscribers() = 0;  // by name
  virtual Status set_subscriber(const Subscriber& subscriber) = 0;
  virtual Status delete_subscriber(const std::string& name) = 0;

  virtual Status add_audit(const AuditEntry& entry) = 0;  // its sequence is the journal's to give

  // Whether another process has written since this was asked last.
  virtual Result<bool> written_elsewhere() = 0;

  // Handlers that a person paused; "" stands for all of them. It outlives the process.
  virtual Status set_paused(const std::string& handler, bool paused) = 0;  // "" and false: none is
  virtual Result<std::vector<std::string>> paused() = 0;

  virtual Status set_session_paused(const std::string& correlation_id, bool paused) = 0;
  virtual Result<std::vector<std::string>> paused_sessions() = 0;

  // How many times in a row a handler failed, as its breaker counts, and until when that is open. No failure: not kept.
  struct KeptBreaker {
    std::string handler;
    int failures = 0;
    std::optional<WallTime> open_until;
  };
  virtual Status set_breaker(const KeptBreaker& breaker) = 0;
  virtual Result<std::vector<KeptBreaker>> breakers() = 0;

  // What sources told last (sources/marks.h). keep_marks() deletes those of sources that have gone.
  virtual Status set_mark(const std::string& source, const std::string& name, const std::string& value) = 0;  // empty value: none any more
  virtual Status delete_marks(const std::string& source) = 0;
  virtual Status keep_marks(const std::vector<std::string>& kept) = 0;
  virtual Result<std::map<std::string, std::string>> marks(const std::string& source) = 0;

  // Dedupe, inside the same transaction as add_event: who holds the key at `now`, if anybody.
  struct Seen {
    std::string event_id;
    std::uint64_t sequence = 0;
  };
  virtual Result<std::optional<Seen>> seen(std::string_view key, WallTime now) = 0;
  virtual Status remember(std::string_view key, const Seen& seen, WallTime until) = 0;

  // After a start: what a dead process left.
  struct Unrouted {
    EventPtr event;
    std::vector<std::string> gathering;  // the sources of set_gathering() that have not let it go; none: nothing has routed it
  };
  virtual Result<std::vector<Unrouted>> unrouted_events() = 0;  // in order; not those that a hook holds
  virtual Result<std::vector<std::pair<Run, Owner>>> running_runs() = 0;  // in order
  // In order. One that was queued after `now` was queued by a clock that has been set back since: its not_before goes back with it, so that
  // it does not wait for years.
  virtual Status each_waiting_run(WallTime now, const std::function<void(const WaitingRun&, const Owner&)>& take) = 0;
  // The runs of these sources that their throttles count: whose first attempt began after that time; in order of it.
  virtual Status each_start(const ThrottledSince& since, const std::function<void(const WaitingRun&, WallTime began)>& take) = 0;
  // When each handler last succeeded, from finished runs: makes good what a lost state.json would know.
  virtual Result<std::vector<std::pair<std::string, WallTime>>> last_successes() = 0;

  // Deletes finished events (with their decisions, runs, steps) that are beyond the retention, at most `batch` of them, and hands some of
  // the space that is free to the file system. Small batches: the loop calls it between turns.
  struct Pruned {
    std::size_t events = 0;
    bool more = false;  // a further call may find something to do
  };
  virtual Result<Pruned> prune(const Retention& retention, std::size_t batch) = 0;

  // Calls `durable` on the sync thread once everything committed before this call survives power loss, or with the error why it
  // might not; after such an error begin() fails, too, until the journal is opened anew. Callers that gather meanwhile share one fdatasync. Any order of callbacks among them is the order of the calls.
  virtual void sync(std::function<void(Status)> durable) = 0;

  // Before the first sync().
  virtual void measure(JournalTimes times) = 0;
};

// Opens or makes the journal (0600, its folder 0700), WAL mode, schema brought up to date. A journal from a newer hark is an error.
Result<std::unique_ptr<Journal>> open_journal(const std::filesystem::path& file);
// For history and the API's threads: read only. nullopt: there is no journal yet.
Result<std::optional<std::unique_ptr<JournalReader>>> open_journal_reader(const std::filesystem::path& file);

// This process, for the runs it starts, and whether the owner of a run still lives.
Owner this_process();
bool is_alive(const Owner& owner);

// The event of that id, or of the run of that id: people have the one or the other at hand. As JournalReader::event().
Result<std::optional<Event>> find_event(JournalReader& journal, const std::string& id);

}  // namespace hark
