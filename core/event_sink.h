// Where sources put events. Called on the daemon's loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/event.h"
#include "core/run.h"

namespace hark {

// What became of an offered event.
struct Acceptance {
  enum class Outcome {
    accepted,     // in the journal and fsynced
    duplicate,    // one with this dedupe key is: `event_id` and `sequence` are that one's
    refused,      // not taken, nothing stored; offer it again later (queue full, disk full, daemon draining): `reason`
  };
  Outcome outcome = Outcome::refused;
  std::string event_id;
  std::uint64_t sequence = 0;
  std::string reason;

  bool taken() const { return outcome != Outcome::refused; }
};

class EventSink {
 public:
  // Called on the loop thread, exactly once, after the event is durable or was refused; never from within offer().
  using Answer = std::function<void(const Acceptance&)>;

  virtual ~EventSink() = default;

  // Never blocks. A source that has somebody waiting (HTTP), or would not see the same fact again by itself (a file that
  // changed), passes `answer` and acts on a refusal.
  virtual void offer(Event event, Answer answer) = 0;

  // Calls back once, durable, when every run of that event has ended, each with its steps; with none, at once. Never from within.
  using RunsEnded = std::function<void(const std::vector<Run>&)>;
  virtual void when_ended(const std::string& event_id, RunsEnded callback) = 0;
};

}  // namespace hark
