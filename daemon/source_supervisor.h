// Starts sources, shows how each is, and starts again those that failed, after a growing pause. One that fails harms no other.
// Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/lifecycle.h"
#include "core/time.h"
#include "daemon/refusals.h"
#include "sources/source.h"

namespace hark {

class Clock;
class Loop;
class Timer;

struct SourceStatus {
  enum class State { stopped, running, degraded };
  std::string name;
  std::string type;
  State state = State::stopped;
  std::string reason;        // why it is degraded
  std::string cure;
  std::string note;          // how it works, where that is worth a word
  std::size_t watches = 0;   // that the kernel keeps for it
  bool working = false;      // degraded, but offering what it still can
  WallTime since{};
  std::uint64_t accepted = 0;  // events of this source that are in the journal; neither refused ones nor duplicates
};
std::string_view to_string(SourceStatus::State state);

class SourceSupervisor {
 public:
  SourceSupervisor(Loop& loop, const Clock& clock, EventSink& sink, lifecycle::Emitter& emitter);
  ~SourceSupervisor();

  struct Wanted {
    std::string name;
    std::string type;
    std::unique_ptr<Source> source;  // null: the one that runs under this name goes on, untouched
  };
  // From now on these, in this order. What goes is stopped before what comes is started, which may want its place (a webhook's path).
  // Those that fail are degraded and tried again.
  void run(std::vector<Wanted> wanted);
  void stop();

  std::vector<SourceStatus> status() const;
  void refused(Refusal refusal);  // by a source, or before any was reached
  const Refusals& refusals() const { return refusals_; }

 private:
  class Supervised;
  Loop& loop_;
  const Clock& clock_;
  EventSink& sink_;
  lifecycle::Emitter& emitter_;
  std::vector<std::shared_ptr<Supervised>> sources_;
  std::unordered_map<std::string, Supervised*> by_name_;
  Refusals refusals_;
};

}  // namespace hark
