#include "sources/git_refs.h"

#include <algorithm>
#include <exception>
#include <map>
#include <optional>

#include "core/backoff.h"
#include "core/limits.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "sources/git_movement.h"
#include "sources/libgit2.h"
#include "sources/push_desk.h"
#include "sources/ref_ledger.h"
#include "sources/ref_watch.h"

namespace hark {
namespace {

// A job must not throw; what memory or the standard library has to say about it is an error like any other.
Result<GitReading> read_on_worker(const GitReadRequest& request) {
  try {
    return read_movements(request);
  } catch (const std::exception& failure) {
    return Error{"repository " + request.repository + " cannot be read: " + failure.what(), {}};
  }
}

class GitRefs final : public Source {
 public:
  GitRefs(GitRefsOptions options, Loop& loop, const Clock& clock, Workers& workers, Marks& marks, PushDesk& desk, std::shared_ptr<InotifyHub> hub)
      : options_(std::move(options)), desk_(desk), hub_(std::move(hub)), loop_(loop), clock_(clock), workers_(workers), ledger_({options_.name, options_.repository.string(), options_.wanted}, loop, clock, marks) {
    prepare_libgit2();
  }
  ~GitRefs() override { stop(); }

  Status start(SourceHost& host) override;
  void stop() override;

 private:
  // stopped ─start─▶ idle ─change─▶ gathering ─timer─▶ reading ─▶ offering ─all answered─▶ idle
  enum class State { stopped, idle, gathering, reading, offering };

  // What a reading that comes back must find unchanged; one per start(), so that nothing of an earlier one is believed.
  using Life = std::shared_ptr<bool>;

  Status open();
  Status watch(const GitFolders& folders);
  void changed(RefWatch::Change change);
  void told(const std::vector<RefMove>& moves);
  void gather(Duration pause);
  void read();
  void read_done(Result<GitReading> reading);
  bool try_again();
  void tell_health(const std::vector<std::string>& unreadable);
  void settled();
  void use_up_steps();
  void read_again();
  void fail(Error error);

  const GitRefsOptions options_;
  PushDesk& desk_;
  std::shared_ptr<InotifyHub> hub_;  // null: made at the first start
  Loop& loop_;
  const Clock& clock_;
  Workers& workers_;
  RefLedger ledger_;

  // Of one start.
  State state_ = State::stopped;
  SourceHost* host_ = nullptr;
  Life life_;
  std::unique_ptr<RefWatch> watch_;
  std::unique_ptr<Timer> read_timer_;
  GitFolders watched_;
  PushDesk::Registration registration_;
  std::vector<RefMove> steps_;  // that somebody saw and nothing told yet, oldest first
  // Of the reading under way: how many of them it was given, how many of those each reference used up, and whether it has more to tell.
  std::size_t steps_given_ = 0;
  std::map<std::string, std::size_t> steps_used_;
  bool more_ = false;
  bool changed_again_ = false;  // since the reading under way began
  std::optional<WallTime> noticed_, noticed_next_;  // when the first change was that the reading, or the next one, follows
  bool watch_is_stale_ = false;
  bool degraded_ = false;
  bool trouble_is_known_ = false;  // some of the repository stays unreadable: no use in trying again for it at each change
  int failed_reads_ = 0;
};

Status GitRefs::start(SourceHost& host) {
  stop();
  if (auto status = open(); !status) {
    stop();
    return status;
  }
  host_ = &host;
  life_ = std::make_shared<bool>(true);
  read_timer_ = loop_.timer();
  ledger_.begin(host, [this] { read_again(); });
  gather(Duration::zero());  // what moved while nobody looked
  return {};
}

// Watches first and reads after, so that nothing falls in between.
Status GitRefs::open() {
  auto repository = GitRepository::open(options_.repository);
  if (!repository) return repository.error();
  if (auto status = watch(repository->folders()); !status) return status;
  if (!ledger_.knows_nothing()) return {};
  auto read = repository->references(options_.wanted, {});
  if (!read) return read.error();
  return ledger_.take_up(read->tips, options_.from_nothing);
}

Status GitRefs::watch(const GitFolders& folders) {
  if (hub_ == nullptr) {
    auto hub = InotifyHub::make(loop_);
    if (!hub) return hub.error();
    hub_ = std::move(hub).value();
  }
  auto made = RefWatch::start({options_.repository, options_.wanted}, folders, hub_, [this](RefWatch::Change change) { changed(change); });
  if (!made) return made.error();
  watch_ = std::move(made).value();
  watched_ = folders;
  registration_ = desk_.listen(folders.common, [this](const std::vector<RefMove>& moves) { told(moves); });
  watch_is_stale_ = false;
  return {};
}

void GitRefs::stop() {
  if (life_ != nullptr) *life_ = false;
  life_.reset();
  watch_.reset();
  registration_.reset();
  steps_.clear();
  steps_used_.clear();
  read_timer_.reset();
  ledger_.end();
  host_ = nullptr;
  state_ = State::stopped;
  noticed_.reset();
  noticed_next_.reset();
  changed_again_ = watch_is_stale_ = degraded_ = trouble_is_known_ = false;
  failed_reads_ = 0;
}

void GitRefs::changed(RefWatch::Change change) {
  if (change == RefWatch::Change::structure) watch_is_stale_ = true;
  if (!noticed_next_) noticed_next_ = clock_.now().wall;
  if (state_ == State::idle) return gather(limits::kGitGather);
  changed_again_ = true;
}

// Read at once: what a hook says is whole.
void GitRefs::told(const std::vector<RefMove>& moves) {
  for (const auto& move : moves) {
    if (options_.wanted.fits(move.ref) && steps_.size() < limits::kGitSteps) steps_.push_back(move);
  }
  if (!noticed_next_) noticed_next_ = clock_.now().wall;
  if (state_ == State::idle || state_ == State::gathering) return gather(Duration::zero());
  changed_again_ = true;
}

void GitRefs::gather(Duration pause) {
  state_ = State::gathering;
  read_timer_->at(clock_.now().steady + pause, [this] { read(); });
}

void GitRefs::read() {
  state_ = State::reading;
  changed_again_ = false;
  steps_given_ = steps_.size();
  noticed_ = std::exchange(noticed_next_, std::nullopt);
  GitReadRequest request{options_.repository.string(), options_.wanted, ledger_.known(), ledger_.held(), steps_};
  workers_.post([request = std::move(request), &loop = loop_, life = life_, this]() mutable {
    auto reading = std::make_shared<Result<GitReading>>(read_on_worker(request));
    request = {};
    // `life` is looked at on the loop only, and says there whether `this` is still one to touch.
    loop.post([life = std::move(life), reading, this] {
      if (*life) read_done(std::move(*reading));
    });
  });
}

void GitRefs::read_done(Result<GitReading> result) {
  state_ = State::idle;
  if (!result) {
    if (!try_again()) fail(result.error());
    return;
  }
  GitReading reading = std::move(result).value();
  if (watch_is_stale_ || reading.folders != watched_) {
    if (auto status = watch(reading.folders); !status) {
      if (!try_again()) fail(status.error());
      return;
    }
    return gather(Duration::zero());  // what happened before the new watch was set
  }
  const bool troubled = !reading.unreadable.empty() || std::any_of(reading.movements.begin(), reading.movements.end(),
                                                                   [](const auto& m) { return m.incomplete; });
  if (troubled && !trouble_is_known_ && try_again()) return;
  trouble_is_known_ = troubled;
  failed_reads_ = 0;

  // The host may stop this source whenever it is called.
  const Life life = life_;
  tell_health(reading.unreadable);
  if (!*life) return;
  more_ = reading.more;
  if (more_) changed_again_ = true;
  steps_used_.clear();
  for (const auto& movement : reading.movements) steps_used_[movement.ref] = movement.steps;
  state_ = State::offering;
  ledger_.tell(std::move(reading.movements), !reading.more, noticed_.value_or(clock_.now().wall), [this] { settled(); });
}

// A reading that failed may have met the repository in the middle of something: false once that can no longer be the reason.
bool GitRefs::try_again() {
  if (++failed_reads_ >= limits::kGitReadTries) {
    failed_reads_ = 0;
    return false;
  }
  gather(Backoff{limits::kGitReadRetry, limits::kGitReadRetry * 16, 0}.pause(failed_reads_, 0));
  return true;
}

void GitRefs::tell_health(const std::vector<std::string>& unreadable) {
  if (unreadable.empty()) {
    if (std::exchange(degraded_, false)) host_->healthy();
    return;
  }
  degraded_ = true;
  const std::string others = unreadable.size() == 1 ? "" : ", and " + std::to_string(unreadable.size() - 1) + " more";
  host_->degraded({"repository " + options_.repository.string() + ": " + unreadable.front() + others,
                   "git fsck there says more; git update-ref sets a branch anew"});
}

void GitRefs::settled() {
  state_ = State::idle;
  use_up_steps();
  if (changed_again_) gather(limits::kGitGather);
}

// Those of a reference up to the one that was taken, so that a branch that went back and forth is told in order; and when all is told, the
// others too: they came too late, and must not be taken for what happens later.
void GitRefs::use_up_steps() {
  std::size_t number = 0;
  std::erase_if(steps_, [&](const RefMove& step) {
    if (++number > steps_given_ || ledger_.held().contains(step.ref)) return false;
    const auto used = steps_used_.find(step.ref);
    return !more_ || (used != steps_used_.end() && number <= used->second);
  });
}

void GitRefs::read_again() {
  if (state_ == State::idle) return gather(Duration::zero());
  changed_again_ = true;
}

void GitRefs::fail(Error error) {
  SourceHost* host = host_;
  stop();
  host->failed(std::move(error));
}

}  // namespace

std::unique_ptr<Source> make_git_refs(GitRefsOptions options, Loop& loop, const Clock& clock, Workers& workers, Marks& marks, PushDesk& desk, std::shared_ptr<InotifyHub> hub) {
  return std::make_unique<GitRefs>(std::move(options), loop, clock, workers, marks, desk, std::move(hub));
}

}  // namespace hark
