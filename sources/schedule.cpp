#include "sources/schedule.h"

#include <deque>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/backoff.h"
#include "core/cron.h"
#include "core/limits.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/wall_timer.h"
#include "platform/zoneinfo.h"
#include "sources/marks.h"
#include "sources/schedule_state.h"

namespace hark {
namespace {

class Schedule final : public Source {
 public:
  Schedule(ScheduleOptions options, Loop& loop, const Clock& clock, std::function<std::optional<WallTime>()> last_slot, Marks& marks, std::string boot)
      : options_(std::move(options)), loop_(loop), clock_(clock), last_slot_(std::move(last_slot)), marks_(marks), boot_(std::move(boot)) {}

  Status start(SourceHost& host) override;
  void stop() override { running_.reset(); }

 private:
  Result<bool> ran_since_boot() const;

  // What a start makes and stop() ends. Answers of the sink hold it weakly: they may come after the end.
  class Running;

  const ScheduleOptions options_;
  Loop& loop_;
  const Clock& clock_;
  const std::function<std::optional<WallTime>()> last_slot_;
  Marks& marks_;
  const std::string boot_;
  std::shared_ptr<Running> running_;
};

class Schedule::Running : public std::enable_shared_from_this<Running> {
 public:
  Running(const ScheduleOptions& options, const Clock& clock, SourceHost& host, ScheduleState state, TimeZone zone,
          std::unique_ptr<WallTimer> wall_timer, std::unique_ptr<Timer> retry_timer, std::string boot)
      : options_(options),
        clock_(clock),
        host_(host),
        state_(std::move(state)),
        zone_(std::move(zone)),
        wall_timer_(std::move(wall_timer)),
        retry_timer_(std::move(retry_timer)),
        boot_(std::move(boot)) {}

  void wake_at(WallTime when) { wall_timer_->at(when - limits::kSlotAhead, guarded(&Running::wake)); }
  void offer_at_once() {
    const auto now = clock_.now().wall;
    waiting_.push_back({now, now, 0});
    retry_timer_->at(clock_.now().steady, guarded(&Running::offer_next));
  }

 private:
  // Whatever is called may lead to stop(): what runs keeps itself alive.
  std::function<void()> guarded(void (Running::*what)()) {
    return [weak = weak_from_this(), what] {
      if (const auto self = weak.lock()) ((*self).*what)();
    };
  }
  void wake();
  void offer_next();
  void answered(const Acceptance& acceptance);
  Event event_of(const ScheduleSlot& slot) const;

  const ScheduleOptions& options_;
  const Clock& clock_;
  SourceHost& host_;
  ScheduleState state_;
  const TimeZone zone_;
  const std::unique_ptr<WallTimer> wall_timer_;
  const std::unique_ptr<Timer> retry_timer_;
  const std::string boot_;            // "@reboot": of the machine's start that it is for; empty: a schedule by the clock
  std::deque<ScheduleSlot> waiting_;  // the first is with the sink, or was refused by it and will be offered again
  bool offering_ = false;             // from the offer of the first until it is taken
  bool is_full_ = false;              // the state is not asked, and no timer set, until waiting_ has drained
  int refusals_ = 0;
};

void Schedule::Running::wake() {
  is_full_ = waiting_.size() >= limits::kSlotsWaiting;
  if (is_full_) return;
  const auto due = state_.due(clock_.now().wall + limits::kSlotAhead);
  waiting_.insert(waiting_.end(), due.slots.begin(), due.slots.end());
  if (due.wake) wake_at(*due.wake);
  if (!offering_) offer_next();
}

void Schedule::Running::offer_next() {
  if (waiting_.empty()) return;
  offering_ = true;
  host_.offer(event_of(waiting_.front()), [weak = weak_from_this()](const Acceptance& acceptance) {
    if (const auto self = weak.lock()) self->answered(acceptance);
  });
}

void Schedule::Running::answered(const Acceptance& acceptance) {
  if (!acceptance.taken()) {
    const Backoff backoff{limits::kSourceRetryFirst, limits::kSourceRetryMax};
    const auto pause = backoff.pause(++refusals_, 1.0);
    retry_timer_->at(clock_.now().steady + pause, guarded(&Running::offer_next));
    return;
  }
  refusals_ = 0;
  offering_ = false;
  waiting_.pop_front();
  if (is_full_ && waiting_.empty()) {
    wake();
  } else {
    offer_next();
  }
}

Event Schedule::Running::event_of(const ScheduleSlot& slot) const {
  Event event;
  event.type = "schedule";
  event.source = options_.name;
  event.subject = to_rfc3339(slot.time);
  event.time = std::max(clock_.now().wall, slot.due);  // its run begins no sooner
  event.data = Payload(nlohmann::json{
      {"schedule", options_.name}, {"cron", options_.cron}, {"slot", to_rfc3339(slot.time, zone_)}, {"missed", slot.missed}});
  event.dedupe_key = "schedule/" + options_.name + "/" + (boot_.empty() ? event.subject : "boot/" + boot_);
  if (!boot_.empty()) event.marks = {{std::string(kBootMark), boot_}};
  return event;
}

Result<bool> Schedule::ran_since_boot() const {
  const auto marks = marks_.marks_of(options_.name);
  if (!marks) return marks.error();
  const auto ran = marks->find(std::string(kBootMark));
  return ran != marks->end() && ran->second == boot_;
}

Status Schedule::start(SourceHost& host) {
  stop();
  auto cron = Cron::parse(options_.cron);
  if (!cron) return cron.error();
  cron->set_dst(options_.dst);
  auto zone = options_.timezone.empty() ? local_zone() : find_zone(options_.timezone);
  if (!zone) return zone.error();
  auto timer = make_wall_timer(loop_);
  if (!timer) return timer.error();
  const auto now = clock_.now().wall;
  running_ = std::make_shared<Running>(options_, clock_, host, ScheduleState(*cron, *zone, options_, now, last_slot_()), *zone,
                                       std::move(timer).value(), loop_.timer(), cron->at_boot() ? boot_ : std::string());
  if (!cron->at_boot()) {
    running_->wake_at(now);  // at once, but on the loop
    return {};
  }
  if (boot_.empty()) {
    stop();
    return Error{"@reboot: the system does not say which start of it this is (/proc/sys/kernel/random/boot_id)", "let what starts the daemon call `hark daemon trigger`"};
  }
  const auto ran = ran_since_boot();
  if (!ran) return ran.error();
  if (!*ran) running_->offer_at_once();
  return {};
}

}  // namespace

std::unique_ptr<Source> make_schedule(ScheduleOptions options, Loop& loop, const Clock& clock,
                                      std::function<std::optional<WallTime>()> last_slot, Marks& marks, std::string boot) {
  return std::make_unique<Schedule>(std::move(options), loop, clock, std::move(last_slot), marks, std::move(boot));
}

}  // namespace hark
