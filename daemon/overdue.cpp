#include "daemon/overdue.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "daemon/engine.h"
#include "platform/clock.h"
#include "platform/loop.h"

namespace hark {
namespace {

std::chrono::microseconds wall_length(Duration duration) { return std::chrono::duration_cast<std::chrono::microseconds>(duration); }

std::optional<WallTime> counted_since(const Handler& handler, const LastRun& last_run) {
  const auto known = last_run.handlers.find(handler.name);
  if (known == last_run.handlers.end()) return std::nullopt;
  return std::max(known->second.last_success, known->second.expected_since);
}

}  // namespace

std::int64_t windows_missed(WallTime since, Duration expect_every, WallTime now) {
  return now < since ? 0 : (now - since) / wall_length(expect_every);
}

OverdueWatch::OverdueWatch(Loop& loop, const Clock& clock, Engine& engine, lifecycle::Emitter& emitter)
    : clock_(clock), engine_(engine), emitter_(emitter), timer_(loop.timer()) {}
OverdueWatch::~OverdueWatch() = default;

void OverdueWatch::check() {
  const auto now = clock_.now();
  std::optional<Duration> next;
  for (const auto& [name, handler] : engine_.handlers()) {
    if (!handler->expect_every) continue;
    auto since = counted_since(*handler, engine_.last_run());
    if (!since) engine_.expect_from_now(name), since = now.wall;
    const auto missed = windows_missed(*since, *handler->expect_every, now.wall);
    const auto window = wall_length(*handler->expect_every);
    if (missed > 0 && std::exchange(told_[name], *since + missed * window) != *since + missed * window) tell(*handler, *since, missed);
    const Duration left = *since + (missed + 1) * window - now.wall;
    next = next ? std::min(*next, left) : left;
  }
  // Now and then in any case: the clock may be set, and the machine may sleep.
  if (next) timer_->at(now.steady + std::min<Duration>(*next, limits::kOverdueCheck), [this] { check(); });
}

void OverdueWatch::tell(const Handler& handler, WallTime since, std::int64_t missed) {
  const auto& known = engine_.last_run().handlers.at(handler.name);
  emitter_.emit(lifecycle::HandlerOverdue{handler.name, *handler.expect_every, known.last_success});
  if (handler.on_overdue.empty()) return;
  Event event;
  event.type = lifecycle::HandlerOverdue::kName;
  event.source = "hark";
  event.subject = handler.name;
  event.time = clock_.now().wall;
  event.dedupe_key = "handler:overdue/" + handler.name + "/" + to_rfc3339(told_.at(handler.name));
  event.data = Payload(nlohmann::json{{"handler", handler.name},
                                      {"expect_every", to_string(*handler.expect_every)},
                                      {"last_success", known.last_success ? nlohmann::json(to_rfc3339(*known.last_success)) : nlohmann::json()},
                                      {"since", to_rfc3339(since)},
                                      {"missed", missed}});
  // One that is refused (the journal cannot be written) is offered again with the next look.
  engine_.offer_to({handler.on_overdue, true}, std::move(event), [this, name = handler.name](const Acceptance& acceptance) {
    if (!acceptance.taken()) told_.erase(name);
  });
}

std::optional<WallTime> overdue_since(const Handler& handler, const Engine& engine, WallTime now) {
  if (!handler.expect_every) return std::nullopt;
  const auto since = counted_since(handler, engine.last_run());
  if (!since || windows_missed(*since, *handler.expect_every, now) == 0) return std::nullopt;
  return *since + wall_length(*handler.expect_every);
}

}  // namespace hark
