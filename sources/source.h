// A source: what produces events. Passive and small: it is started, offers events, is stopped. All of it on the loop thread;
// what blocks (libgit2, a long scan) it posts to the workers it was given and comes back through Loop::post.
#pragma once

#include <cstddef>
#include <string>

#include "core/event_sink.h"
#include "core/refusal.h"
#include "core/result.h"

namespace hark {

// What a running source may say. Owned by the supervisor in daemon/, one per source; outlives the source and the answers to its offers.
class SourceHost : public EventSink {
 public:
  // "I can no longer do my work": the supervisor stops the source, shows it as degraded with the error's cure, and starts it
  // again after a growing pause.
  virtual void failed(Error error) = 0;
  // "I work, but not as promised" (some folders could not be watched): shown as degraded until healthy() is called.
  virtual void degraded(Error error) = 0;
  virtual void healthy() = 0;
  // "I did not take what somebody brought me": kept for whoever asks why it did not arrive. The source says cause, reason, peer and
  // delivery; the host knows the rest.
  virtual void refused(Refusal refusal) = 0;
};

class Source {
 public:
  virtual ~Source() = default;

  // Called again after stop(), or after an Error (which leaves it as if stop() had been called): the retry is the supervisor's.
  // The error says what is wrong and, in its cure, what to do.
  virtual Status start(SourceHost& host) = 0;
  // How it does its work, where that is worth a word ("polled every 5s: nfs4"); asked while it runs.
  virtual std::string note() const { return {}; }
  // Folders (or repositories) that the kernel watches for it now.
  virtual std::size_t watches() const { return 0; }
  // Before the last stop(), when the configuration has another in its place or none: what it has seen and not offered yet is offered
  // now, as nobody will find it later.
  virtual void hand_over() {}
  // After it returns the source offers nothing more, and nothing it posted comes back to touch it. Fine when not started.
  virtual void stop() = 0;
};

}  // namespace hark
