// How one begins to read along, whatever by: a poll, a stream, a socket.
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/event_name.h"
#include "core/limits.h"
#include "daemon/api.h"
#include "daemon/api_answers.h"
#include "daemon/api_bus.h"
#include "daemon/bus.h"
#include "daemon/engine.h"
#include "platform/clock.h"
#include "state/journal.h"

namespace hark {

std::optional<HttpResponse> too_many_readers(const ApiParts& parts) {
  if (parts.bus.readers() < limits::kBusReaders) return std::nullopt;
  auto busy = problem(503, "too many read along", "no more than " + std::to_string(limits::kBusReaders) + " may at a time");
  busy.headers.add("Retry-After", "1");
  return busy;
}

void begin_reading(const ApiParts& parts, const Caller& caller, const std::string& own, std::optional<std::uint64_t> after, const BeginReading& begin) {
  if (own.empty()) return begin(std::nullopt, after);
  const auto name = caller.kept_name(own);
  if (auto fits = check_topic(own); !fits) return begin(problem(400, "bad query", "a subscriber's name is made as a topic's: " + fits.error().message), {});
  const auto known = parts.journal.subscriber(name);
  if (!known) return begin(problem(503, "the journal cannot be read", known.error().message), {});
  const auto now = parts.clock.now().wall;
  if (!*known) {
    const auto others = parts.journal.subscribers();
    if (!others) return begin(problem(503, "the journal cannot be read", others.error().message), {});
    if (others->size() >= limits::kSubscribers) {
      return begin(problem(409, "too many subscribers", std::to_string(others->size()) + " names are known: DELETE /api/subscribers/NAME forgets one"), {});
    }
  }
  const auto position = std::max(*known ? (*known)->position : after.value_or(parts.bus.position()), after.value_or(0));
  if (position > parts.bus.position()) return begin(problem(409, "no such position", "the newest is " + std::to_string(parts.bus.position())), {});
  const bool as_before = *known && (*known)->position == position && now - (*known)->used < limits::kSubscriberNoted;
  if (as_before) return begin(std::nullopt, position);
  // A name that is new counts from here on, so it is there to stay before the reading begins.
  parts.engine.keep_subscriber({name, position, now}, [begin, position](const Status& done) {
    if (!done) return begin(problem(503, "not done", done.error().text()), {});
    begin(std::nullopt, position);
  });
}

void acknowledge(const ApiParts& parts, const Caller& caller, const std::string& own, std::uint64_t cursor, const std::function<void(HttpResponse)>& respond) {
  const auto name = caller.kept_name(own);
  const auto known = parts.journal.subscriber(name);
  if (!known) return respond(problem(503, "the journal cannot be read", known.error().message));
  if (!*known) return respond(problem(404, "no such subscriber", "GET /api/events/wait/TYPE?subscriber=NAME makes one"));
  if (cursor > parts.bus.position()) return respond(problem(409, "no such position", "the newest is " + std::to_string(parts.bus.position())));
  const auto position = std::max((*known)->position, cursor);
  parts.engine.keep_subscriber({name, position, parts.clock.now().wall}, [respond, own, position](const Status& done) {
    respond(done ? json_response({{"subscriber", own}, {"position", position}}) : problem(503, "not done", done.error().text()));
  });
}

}  // namespace hark
