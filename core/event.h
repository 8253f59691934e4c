// The event: an immutable fact that arrived. Its envelope follows CloudEvents 1.0; docs/formats.md shows its JSON form.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/payload.h"
#include "core/time.h"

namespace hark {

struct Event {
  std::string id;              // unique; made by the engine (core/ids.h) when the source leaves it empty
  std::string type;            // "file_change", "git_push", "webhook", "schedule", "manual", or a caller's own
  std::string source;          // the configured source's name
  std::string subject;         // what it is about within the source: a path, a ref, a forge's event name
  WallTime time{};             // when it happened, as well as the source can tell
  Payload data;
  std::optional<Payload> context;  // what came beside the data, an object: of a webhook {"path", "query", "headers"}
  std::string topic;
  std::string correlation_id;  // what links events and runs of one story; the engine sets it to `id` when empty
  std::string causation_id;    // the run that caused this event; empty for what came from outside
  std::string traceparent;     // W3C trace context, empty or as it arrived
  std::string dedupe_key;      // two arrivals with one key inside the window are one fact; empty: never a duplicate
  int priority = 0;            // higher goes first
  std::optional<std::chrono::seconds> ttl;
  std::optional<WallTime> expires;  // ttl after it was stored; from then on nobody gets it. Set by the engine
  int hops = 0;                // how many runs caused one another up to this event; 0: it came from outside
  std::string replay_of;       // the event this one is a replay of
  int members = 0;             // it stands for so many events (a merge, a batch), and did not arrive itself; 0: it did
  std::uint64_t sequence = 0;  // the journal's number, strictly rising; 0: not in the journal yet

  // Not part of the fact: what its source is to have told with it, kept beside it (sources/marks.h). An empty value: nothing any more.
  std::vector<std::pair<std::string, std::string>> marks;
};

// The source of an event that was published, to whoever wants it: one of these, and the name of who did. No source of a configuration has
// such a name.
inline constexpr std::string_view kPublisher = "publishers/";  // a program
inline constexpr std::string_view kPublishingHandler = "handlers/";
inline constexpr std::string_view kPublishingHook = "hooks/";

inline bool is_published(const Event& event) {
  return event.source.starts_with(kPublisher) || event.source.starts_with(kPublishingHandler) || event.source.starts_with(kPublishingHook);
}

inline bool has_expired(const Event& event, WallTime now) { return event.expires && *event.expires <= now; }

// Once journaled an event never changes; router, queue, executor and subscribers share it.
using EventPtr = std::shared_ptr<const Event>;

}  // namespace hark
