// Sends spans to a collector, in batches, on a thread of its own.
//
// Bounded: what the collector does not take in time is left out, and counted by `lost`.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "core/lifecycle.h"
#include "core/limits.h"
#include "core/result.h"
#include "platform/clock.h"
#include "reporters/otlp.h"
#include "reporters/spans.h"

namespace hark {

class HttpClient;
class Secrets;
struct HttpCall;

class TraceExport {
 public:
  struct Parts {
    HttpClient& client;
    const Clock& clock;
    const Secrets& secrets;                          // no span shows them
    std::function<void(std::uint64_t spans)> lost;   // any thread
    std::function<void(const Error& error)> failed;  // any thread; once, until the collector takes something again
  };
  struct Pace {
    std::size_t backlog = limits::kSpanBacklog;
    Duration delay = limits::kSpanDelay;  // how long spans wait for others to go with
    Duration pause = limits::kSpanPause;  // before the second attempt; each further one waits twice as long
  };
  TraceExport(TraceOptions options, Parts parts, Pace pace);
  ~TraceExport();  // what waits is tried once more; it has a moment for that
  TraceExport(const TraceExport&) = delete;
  TraceExport& operator=(const TraceExport&) = delete;

  void operator()(const lifecycle::Any& event);  // a subscriber on the loop; never blocks

 private:
  void work();
  std::vector<Span> next_batch();  // empty: it is the end
  void send(std::vector<Span> spans);
  Result<std::size_t> try_to_send(const HttpCall& call, std::optional<Duration>& again);  // how many the collector refused
  bool pause(Duration time);       // false: there is no time left
  void give_up(std::uint64_t spans, const Error& error);

  const TraceOptions options_;
  const Parts parts_;
  const Pace pace_;
  Spans spans_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Span> waiting_;   // guarded by mutex_
  bool sending_ = false;       // guarded by mutex_
  bool stopping_ = false;      // guarded by mutex_
  bool failing_ = false;       // of the thread alone
  std::thread thread_;
};

}  // namespace hark
