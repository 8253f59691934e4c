#include "sources/git_refs.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <map>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "sources/git_movement.h"
#include "sources/marks.h"
#include "sources/ref_watch.h"

namespace hark {
namespace {

Duration doubled(Duration first, Duration max, int times) { return std::min(first * (1 << std::min(times, 16)), max); }

// A job must not throw; what memory or the standard library has to say about it is an error like any other.
Result<GitReading> read_on_worker(const GitReadRequest& request) {
  try {
    return read_movements(request);
  } catch (const std::exception& failure) {
    return Error{"repository " + request.repository.string() + " cannot be read: " + failure.what(), {}};
  }
}

// Where a branch stood when it was told last, and the number of its next movement.
std::string mark(const std::string& tip, std::uint64_t number) { return tip + " " + std::to_string(number); }

std::optional<std::pair<std::string, std::uint64_t>> read_mark(const std::string& text) {
  const auto blank = std::min(text.find(' '), text.size());
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  if (blank == text.size() || std::from_chars(text.data() + blank + 1, end, number).ptr != end) return std::nullopt;
  return std::pair(text.substr(0, blank), number);
}

class GitRefs final : public Source {
 public:
  GitRefs(GitRefsOptions options, Loop& loop, const Clock& clock, Workers& workers, Marks& marks)
      : options_(std::move(options)), loop_(loop), clock_(clock), workers_(workers), marks_(marks) {
    prepare_libgit2();
  }
  ~GitRefs() override { stop(); }

  Status start(SourceHost& host) override;
  void stop() override;

 private:
  // stopped ─start─▶ idle ─change─▶ gathering ─timer─▶ reading ─▶ offering ─all answered─▶ idle
  enum class State { stopped, idle, gathering, reading, offering };

  // What an answer or a reading that comes back must find unchanged; one per start(), so that nothing of an earlier one is
  // believed.
  using Life = std::shared_ptr<bool>;

  Status open();
  Status take_up(const BranchTips& now);
  std::uint64_t number_of(const std::string& ref);
  Status watch(const GitFolders& folders);
  void changed(RefWatch::Change change);
  void gather(Duration pause);
  void read();
  void read_done(Result<GitReading> reading);
  bool try_again();
  void tell_health(const std::vector<std::string>& unreadable);
  void offer(const GitMovement& movement);
  void answered(const std::string& ref, const std::string& after, bool taken);
  void settle();
  void forget_unmoved(const GitReading& reading);
  void release_held();
  void fail(Error error);

  const GitRefsOptions options_;
  Loop& loop_;
  const Clock& clock_;
  Workers& workers_;
  Marks& marks_;

  // Kept across stop() and start().
  std::shared_ptr<BranchTips> known_;  // null: never started; changed only while no reading is under way
  std::map<std::string, std::uint64_t> numbers_;  // by reference: that of its next movement
  std::set<std::string> offered_;                 // not known to be taken: the same movement keeps its number

  // Of one start.
  State state_ = State::stopped;
  SourceHost* host_ = nullptr;
  Life life_;
  std::unique_ptr<RefWatch> watch_;
  std::unique_ptr<Timer> read_timer_, held_timer_;
  GitFolders watched_;
  bool changed_again_ = false;  // since the reading under way began
  std::optional<WallTime> noticed_, noticed_next_;  // when the first change was that the reading, or the next one, follows
  bool watch_is_stale_ = false;
  bool degraded_ = false;
  bool trouble_is_known_ = false;  // some of the repository stays unreadable: no use in trying again for it at each change
  int failed_reads_ = 0;
  int refusals_ = 0;           // pauses in a row
  bool retry_is_set_ = false;  // held_timer_
  std::size_t unanswered_ = 0;
  std::set<std::string> held_;  // refused, until held_timer_
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
  held_timer_ = loop_.timer();
  state_ = State::idle;
  if (changed_again_) gather(Duration::zero());
  return {};
}

// Watches first and reads after, so that nothing falls in between.
Status GitRefs::open() {
  auto repository = GitRepository::open(options_.repository);
  if (!repository) return repository.error();
  if (auto status = watch(repository->folders()); !status) return status;
  if (known_ != nullptr) {
    known_ = std::make_shared<BranchTips>(*known_);  // a reading of before stop() may still be looking at the old one
    changed_again_ = true;
    return {};
  }
  auto read = repository->branches({});
  if (!read) return read.error();
  return take_up(read->tips);
}

// The first start of this object: what an earlier one told last is known, of the branches that it wanted; of the others the place where
// they stand. The mark without a name says of which repository and branches the rest is told.
Status GitRefs::take_up(const BranchTips& now) {
  const auto marks = marks_.marks_of(options_.name);
  if (!marks) return marks.error();
  const auto as_text = [](const nlohmann::json& json) { return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); };
  const auto whose = as_text({{"repository", options_.repository.string()}, {"branches", options_.branches}});
  const auto told = marks->find("");
  const auto before = told == marks->end() ? nlohmann::json() : nlohmann::json::parse(told->second, nullptr, false);
  known_ = std::make_shared<BranchTips>(now);
  if (before.is_object() && as_text(before.value("repository", nlohmann::json())) == as_text(options_.repository.string())) {
    const auto branches = before.value("branches", std::vector<std::string>{});
    std::erase_if(*known_, [&](const auto& branch) { return branch_matches(branches, branch.first); });
    for (const auto& [ref, value] : *marks) {
      const auto known = read_mark(value);
      if (ref.empty() || !known || !branch_matches(options_.branches, ref)) continue;
      (*known_)[ref] = known->first;
      numbers_[ref] = known->second;
    }
    changed_again_ = true;
    if (told->second == whose) return {};
  }
  MarkSet all = {{"", whose}};
  for (const auto& [ref, tip] : *known_) {
    if (branch_matches(options_.branches, ref)) all[ref] = mark(tip, number_of(ref));
  }
  marks_.replace_marks(options_.name, std::move(all));
  return {};
}

// From the time it was first met, so that a branch which is deleted and made again does not begin with numbers it had before.
std::uint64_t GitRefs::number_of(const std::string& ref) {
  return numbers_.try_emplace(ref, std::uint64_t(clock_.now().wall.time_since_epoch().count())).first->second;
}

Status GitRefs::watch(const GitFolders& folders) {
  auto made = RefWatch::start(options_.repository, folders, loop_, [this](RefWatch::Change change) { changed(change); });
  if (!made) return made.error();
  watch_ = std::move(made).value();
  watched_ = folders;
  watch_is_stale_ = false;
  return {};
}

void GitRefs::stop() {
  if (life_ != nullptr) *life_ = false;
  life_.reset();
  watch_.reset();
  read_timer_.reset();
  held_timer_.reset();
  host_ = nullptr;
  state_ = State::stopped;
  noticed_.reset();
  noticed_next_.reset();
  changed_again_ = watch_is_stale_ = degraded_ = trouble_is_known_ = retry_is_set_ = false;
  failed_reads_ = refusals_ = 0;
  unanswered_ = 0;
  held_.clear();
}

void GitRefs::changed(RefWatch::Change change) {
  if (change == RefWatch::Change::structure) watch_is_stale_ = true;
  if (!noticed_next_) noticed_next_ = clock_.now().wall;
  if (state_ == State::idle) return gather(limits::kGitGather);
  changed_again_ = true;
}

void GitRefs::gather(Duration pause) {
  state_ = State::gathering;
  read_timer_->at(clock_.now().steady + pause, [this] { read(); });
}

void GitRefs::read() {
  state_ = State::reading;
  changed_again_ = false;
  noticed_ = std::exchange(noticed_next_, std::nullopt);
  GitReadRequest request{options_.repository, options_.branches, known_, held_};
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
  forget_unmoved(reading);
  if (reading.more) changed_again_ = true;
  state_ = State::offering;
  unanswered_ = reading.movements.size();
  for (const GitMovement& movement : reading.movements) {
    offer(movement);
    if (!*life) return;
  }
  if (unanswered_ == 0) settle();
}

// A reading that failed may have met the repository in the middle of something: false once that can no longer be the reason.
bool GitRefs::try_again() {
  if (++failed_reads_ >= limits::kGitReadTries) {
    failed_reads_ = 0;
    return false;
  }
  gather(doubled(limits::kGitReadRetry, limits::kGitReadRetry * 16, failed_reads_ - 1));
  return true;
}

void GitRefs::tell_health(const std::vector<std::string>& unreadable) {
  if (unreadable.empty()) {
    if (std::exchange(degraded_, false)) host_->healthy();
    return;
  }
  degraded_ = true;
  const std::string others = unreadable.size() == 1 ? "" : ", and " + std::to_string(unreadable.size() - 1) + " more";
  host_->degraded({"repository " + options_.repository.string() + ": branch " + unreadable.front() + others,
                   "git fsck there says more; git update-ref sets a branch anew"});
}

void GitRefs::offer(const GitMovement& movement) {
  const auto number = number_of(movement.ref);
  offered_.insert(movement.ref);
  Event event;
  event.type = "git_push";
  event.source = options_.name;
  event.subject = movement.subject;
  event.time = noticed_.value_or(clock_.now().wall);
  event.data = movement.data;
  event.dedupe_key = "git/" + options_.name + "/" + movement.subject + "/" + movement.before + "/" + movement.after + "/" + std::to_string(number);
  event.marks = {{movement.ref, movement.after == kNoCommit ? std::string{} : mark(movement.after, number + 1)}};
  host_->offer(std::move(event), [this, life = life_, ref = movement.ref, after = movement.after](const Acceptance& acceptance) {
    if (*life) answered(ref, after, acceptance.taken());
  });
}

void GitRefs::answered(const std::string& ref, const std::string& after, bool taken) {
  if (!taken) {
    held_.insert(ref);
  } else {
    offered_.erase(ref);
    if (after == kNoCommit) {
      known_->erase(ref);
      numbers_.erase(ref);
    } else {
      (*known_)[ref] = after;
      ++numbers_[ref];
    }
  }
  if (--unanswered_ == 0) settle();
}

// All that was offered is answered.
void GitRefs::settle() {
  state_ = State::idle;
  if (held_.empty()) {
    refusals_ = 0;
  } else if (!retry_is_set_) {
    retry_is_set_ = true;
    const Duration pause = doubled(limits::kOfferRetryFirst, limits::kOfferRetryMax, refusals_++);
    held_timer_->at(clock_.now().steady + pause, [this] { release_held(); });
  }
  if (changed_again_) gather(limits::kGitGather);
}

void GitRefs::release_held() {
  retry_is_set_ = false;
  held_.clear();
  if (state_ == State::idle) return gather(Duration::zero());
  changed_again_ = true;
}

// A branch that is back where it is known to be: should it move again, that is another movement.
void GitRefs::forget_unmoved(const GitReading& reading) {
  if (reading.more) return;
  std::erase_if(offered_, [&](const std::string& ref) {
    const auto is_it = [&](const GitMovement& movement) { return movement.ref == ref; };
    if (held_.contains(ref) || std::any_of(reading.movements.begin(), reading.movements.end(), is_it)) return false;
    ++numbers_[ref];
    return true;
  });
}

void GitRefs::fail(Error error) {
  SourceHost* host = host_;
  stop();
  host->failed(std::move(error));
}

}  // namespace

std::unique_ptr<Source> make_git_refs(GitRefsOptions options, Loop& loop, const Clock& clock, Workers& workers, Marks& marks) {
  return std::make_unique<GitRefs>(std::move(options), loop, clock, workers, marks);
}

}  // namespace hark
