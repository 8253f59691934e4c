// A run: one execution of one handler for one event, and what is known of its steps. Values; the JSON form is docs/formats.md's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/time.h"

namespace hark {

struct Event;

enum class RunState {
  queued,       // accepted, waiting for a slot
  running,
  waiting,      // for an event; it holds no slot meanwhile
  succeeded,
  failed,       // a step failed for good, or the run could not start
  timed_out,
  cancelled,    // a person or a drain ended it
  interrupted,  // the daemon died while it ran, and its handler says on_interrupt = "fail"; more often of an attempt
};
std::string_view to_string(RunState state);
std::optional<RunState> run_state_from(std::string_view text);
inline bool is_final(RunState state) { return state != RunState::queued && state != RunState::running && state != RunState::waiting; }

enum class StepState {
  succeeded,
  failed,
  tolerated,  // failed or ran out of its time, and the run goes on all the same
  timed_out,
  cancelled,
  skipped,
};
std::string_view to_string(StepState state);
std::optional<StepState> step_state_from(std::string_view text);
// To the next step.
inline bool goes_on(StepState state) { return state == StepState::succeeded || state == StepState::skipped || state == StepState::tolerated; }

// Where in a run a step stands.
enum class StepPart {
  step,
  gate,      // `failed` or `timed_out`: it did not pass, which need not be the end of the run
  delivery,  // after the gates have passed
};
std::string_view to_string(StepPart part);
std::optional<StepPart> step_part_from(std::string_view text);

// What a prompt took of its provider.
struct Usage {
  std::uint64_t input_tokens = 0;
  std::uint64_t output_tokens = 0;
  std::optional<double> cost;  // USD; nullopt: nobody said what a token costs

  // Not journaled: what of the input a cache has answered, and what was written into one; each has a price of its own.
  std::uint64_t cache_read_tokens = 0;
  std::uint64_t cache_write_tokens = 0;
  std::uint64_t fresh_tokens() const { return input_tokens - std::min(input_tokens, cache_read_tokens + cache_write_tokens); }
};

// What one step left behind: its last attempt's outcome.
struct StepResult {
  std::string name;
  StepPart part = StepPart::step;
  int iteration = 1;
  StepState state = StepState::succeeded;
  int attempts = 1;
  std::optional<int> exit_code;     // of a process (128+n: ended by signal n); the HTTP status of an http step
  std::string output;               // standard output, or the response's body: the first limits::kOutputInMemory bytes
  std::string error_output;         // standard error, bounded alike
  std::uint64_t output_bytes = 0;   // how much there was in all
  std::uint64_t error_bytes = 0;
  std::string output_file;          // where the whole of it is, when it was more than `output` holds; else empty
  std::string error_file;
  std::string error;                // why it is not `succeeded`, or why it was skipped
  std::optional<Usage> usage;       // of all attempts together; only a prompt has it
  WallTime started{};
  Duration duration{};

  std::string provider;             // not journaled: who was asked; only a prompt has it

  // Not journaled: for whoever decides about another attempt.
  bool is_status = false;               // exit_code is one of HTTP
  bool for_good = false;                // it would end the same way
  std::optional<Duration> retry_after;  // the other side asked to be left alone so long
  std::shared_ptr<const Event> published;  // to be taken in with this row
};

// For which event a run waits: one of these types. Its step's row is written when it is there, or the time is over.
struct Wait {
  std::size_t index = 0;           // of that row among the run's steps
  std::string step;
  StepPart part = StepPart::step;
  int iteration = 1;
  WallTime since{};
  std::vector<std::string> types;  // globs
  std::string topic;               // a glob; empty: any
  std::string where;               // a filter; empty: any
  std::optional<WallTime> until;
  bool tolerated = false;          // it is no failure when the time is over
};
std::string told(const Wait& wait);  // "an event of type 'approved' (where payload.pr:7) until 2026-..."

// An attempt of a run that was not its last.
struct Attempt {
  int number = 1;
  RunState state = RunState::failed;
  std::optional<WallTime> started;
  std::optional<WallTime> finished;  // when it was noticed, of one that was cut off
  std::optional<int> exit_code;
  std::string error;
  std::vector<StepResult> steps;
};

struct Run {
  std::string id;
  std::string handler;
  std::string event_id;
  std::uint64_t event_sequence = 0;
  std::string event_type;
  std::string source;
  std::string correlation_id;
  std::string traceparent;          // its event's
  RunState state = RunState::queued;
  int attempt = 1;                  // the one under way, or the last
  int failures = 0;                 // attempts that failed, since a person last asked for one
  int interruptions = 0;            // attempts that were cut off; the same
  int priority = 0;
  std::optional<std::string> key;   // runs of one handler and key go one after the other, in the order of their sequence
  bool direct = false;              // its event was sent to the handler by name
  std::optional<WallTime> not_before;  // queued: waits until then (a retry's pause, perhaps a circle)
  std::optional<WallTime> dead_since;  // it stands in the dead letters
  std::uint64_t sequence = 0;       // the journal's number of this run, strictly rising; 0: not journaled yet
  WallTime queued{};
  std::optional<WallTime> started;
  std::optional<WallTime> finished;
  std::optional<int> exit_code;     // of the step that decided the run
  std::string error;                // why it did not succeed: one line
  std::vector<StepResult> steps;    // of this attempt; filled where one run is shown, empty in lists
  std::vector<Attempt> attempts;    // the earlier ones; the same

  // Not journaled: which of the steps is why the run failed. nullopt: none is, and another attempt would end the same way.
  std::optional<std::size_t> failed_step;
  std::optional<Wait> wait;  // the same: of a run that has just come to wait
};

Attempt attempt_of(const Run& run);  // without its steps
// The run as it waits for its next attempt. Its error stays: it is why there is another one.
void begin_next_attempt(Run& run);

std::uint64_t tokens_used(const Run& run);  // in and out, by the prompts of its steps

// Its source's throttle counts the first attempts of what the source's rule started: not what was sent to a handler by name, nor what goes
// on after it has waited.
inline bool throttle_applies(const Run& run) { return run.attempt == 1 && !run.direct && !run.started; }

// A run that waits, as little of it as the queue needs: a million of them are read at a start.
struct WaitingRun {
  std::uint64_t sequence = 0;
  std::uint64_t event_sequence = 0;
  std::string handler;
  std::string source;
  std::optional<std::string> key;
  int priority = 0;
  std::optional<WallTime> not_before;
  bool throttleable = true;  // throttle_applies() to it, should its source have one
};
WaitingRun waiting_run(const Run& run);

using RunPtr = std::shared_ptr<const Run>;  // a run as it was at one moment, for those who only look

nlohmann::json to_json(const Usage& usage);
nlohmann::json to_json(const StepResult& step);
nlohmann::json to_json(const Attempt& attempt);
nlohmann::json to_json(const Run& run);

// A field of that form, steps and attempts left out, as filters name it: "state", "event.type". nullptr: the run has none.
// What the pointer leads to is good until the next call with the same `scratch`.
const nlohmann::json* run_field(const Run& run, std::string_view field, nlohmann::json& scratch);
std::vector<std::string> run_fields();  // that there can be

}  // namespace hark
