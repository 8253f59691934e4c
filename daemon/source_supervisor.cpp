#include "daemon/source_supervisor.h"

#include <cassert>
#include <utility>

#include "core/backoff.h"
#include "core/limits.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/loop.h"

namespace hark {

std::string_view to_string(SourceStatus::State state) {
  switch (state) {
    case SourceStatus::State::stopped: return "stopped";
    case SourceStatus::State::running: return "running";
    case SourceStatus::State::degraded: return "degraded";
  }
  return {};
}

// Shared with the answers to its offers, which may come when it is gone from the configuration.
class SourceSupervisor::Supervised final : public SourceHost, public std::enable_shared_from_this<Supervised> {
 public:
  Supervised(SourceSupervisor& owner, std::string name, std::string type, std::unique_ptr<Source> source)
      : owner_(owner), source_(std::move(source)), retry_(owner.loop_.timer()) {
    status_.name = std::move(name);
    status_.type = std::move(type);
  }

  void start() {
    auto started = source_->start(*this);
    if (!started) return lost(started.error());
    failures_ = 0;
    // start() itself may have said that it works only in part.
    if (status_.state != SourceStatus::State::degraded || !status_.working) set(SourceStatus::State::running, {}, false);
    owner_.emitter_.emit(lifecycle::SourceStarted{status_.name});
  }

  void stop() {
    retry_->cancel();
    if (status_.state == SourceStatus::State::stopped) return;
    source_->stop();
    set(SourceStatus::State::stopped, {}, false);
    owner_.emitter_.emit(lifecycle::SourceStopped{status_.name});
  }

  // For good, while the daemon goes on. The source's own things go now, whoever still holds this.
  void retire() {
    if (status_.state == SourceStatus::State::running || status_.working) source_->hand_over();
    end();
  }
  void end() {
    stop();
    source_.reset();
  }

  const SourceStatus& status() const { return status_; }
  SourceStatus status_now() const {
    auto now = status_;
    if (source_ && (now.state == SourceStatus::State::running || now.working)) {
      now.note = source_->note();
      now.watches = source_->watches();
    }
    return now;
  }
  void take_over_count(const Supervised& before) { status_.accepted = before.status_.accepted; }
  void count_accepted() { ++status_.accepted; }

  void offer(Event event, Answer answer) override {
    if (answer) answer = [self = shared_from_this(), answer = std::move(answer)](const Acceptance& acceptance) { answer(acceptance); };
    owner_.sink_.offer(std::move(event), std::move(answer));
  }

  void when_ended(const std::string& event_id, RunsEnded callback) override { owner_.sink_.when_ended(event_id, std::move(callback)); }

  void failed(Error error) override {
    // Posted: the source says this from within a call of its own, and stop() must not pull the ground from under it.
    owner_.loop_.post([this, alive = std::weak_ptr<bool>(alive_), error = std::move(error)] {
      if (alive.expired() || status_.state == SourceStatus::State::stopped) return;
      source_->stop();
      lost(error);
    });
  }

  void degraded(Error error) override {
    if (status_.state == SourceStatus::State::degraded && status_.working && status_.reason == error.message) return;
    set(SourceStatus::State::degraded, error, true);
    owner_.emitter_.emit(lifecycle::SourceError{status_.name, error.message, error.cure});
  }

  void healthy() override {
    if (status_.state == SourceStatus::State::degraded && status_.working) {
      set(SourceStatus::State::running, {}, false);
      owner_.emitter_.emit(lifecycle::SourceStarted{status_.name});
    }
  }

  void refused(Refusal refusal) override {
    refusal.source = status_.name;
    owner_.refused(std::move(refusal));
  }

 private:
  void lost(const Error& error) {
    ++failures_;
    // The same failure again is no news: it is shown in the status, and said once.
    const bool news = status_.state != SourceStatus::State::degraded || status_.reason != error.message;
    if (news) {
      set(SourceStatus::State::degraded, error, false);
      owner_.emitter_.emit(lifecycle::SourceError{status_.name, error.message, error.cure});
    }
    const Backoff backoff{limits::kSourceRetryFirst * 2, limits::kSourceRetryMax * 2};  // pause() halves: the longest jitter's rest
    retry_->at(owner_.clock_.now().steady + backoff.pause(failures_, 0), [this] { start(); });
  }

  void set(SourceStatus::State state, const Error& error, bool working) {
    status_.state = state;
    status_.reason = error.message;
    status_.cure = error.cure;
    status_.working = working;
    status_.since = owner_.clock_.now().wall;
  }

  SourceSupervisor& owner_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<Timer> retry_;
  SourceStatus status_;
  int failures_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

SourceSupervisor::SourceSupervisor(Loop& loop, const Clock& clock, EventSink& sink, lifecycle::Emitter& emitter)
    : loop_(loop), clock_(clock), sink_(sink), emitter_(emitter) {
  // Counted where the metrics count, so that both always say the same.
  emitter_.subscribe("sources", [this](const lifecycle::Any& any) {
    const auto* received = std::get_if<lifecycle::EventReceived>(&any);
    if (received == nullptr) return;
    if (const auto source = by_name_.find(received->event->source); source != by_name_.end()) source->second->count_accepted();
  });
}
SourceSupervisor::~SourceSupervisor() {
  for (auto& source : sources_) source->end();
}

void SourceSupervisor::run(std::vector<Wanted> wanted) {
  std::unordered_map<std::string, std::shared_ptr<Supervised>> before;
  for (auto& source : std::exchange(sources_, {})) before.emplace(source->status().name, source);
  by_name_.clear();
  std::vector<std::shared_ptr<Supervised>> fresh, relieved;
  for (auto& each : wanted) {
    auto old = before.extract(each.name);
    auto& now = sources_.emplace_back();
    if (!each.source) {
      assert(!old.empty());
      now = std::move(old.mapped());
    } else {
      now = fresh.emplace_back(std::make_shared<Supervised>(*this, each.name, std::move(each.type), std::move(each.source)));
      if (!old.empty()) {
        now->take_over_count(*old.mapped());
        // Two may watch one tree: the old one ends when the new one does, so that nothing changes between the two. What both tell is told
        // by one event after a debounce, and else twice.
        const bool overlaps = old.mapped()->status().type == "file_change" && now->status().type == "file_change";
        overlaps ? relieved.push_back(old.mapped()) : old.mapped()->retire();
      }
    }
    by_name_.emplace(std::move(each.name), now.get());
  }
  for (auto& [name, source] : before) source->retire();
  for (auto& source : fresh) source->start();
  for (auto& source : relieved) source->retire();
}

void SourceSupervisor::stop() {
  for (auto& source : sources_) source->stop();
}

void SourceSupervisor::refused(Refusal refusal) {
  const auto now = clock_.now();
  refusal.time = now.wall;
  refusal.reason = printable(refusal.reason, limits::kRefusalReason);
  const auto tells = refusals_.add(refusal, now.steady);
  emitter_.emit(lifecycle::EventRefused{std::move(refusal), tells});
}

std::vector<SourceStatus> SourceSupervisor::status() const {
  std::vector<SourceStatus> all;
  for (const auto& source : sources_) all.push_back(source->status_now());
  return all;
}

}  // namespace hark
