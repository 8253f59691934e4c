#include <fcntl.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "core/backoff.h"
#include "core/limits.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "sources/change_offers.h"
#include "sources/fanotify.h"
#include "sources/inotify.h"
#include "sources/known_files.h"
#include "sources/marks.h"
#include "sources/tree_events.h"
#include "sources/watch_plan.h"

namespace hark {
namespace {

class NotifiedWatcher final : public Source {
 public:
  NotifiedWatcher(const FileWatcherOptions& options, WatchPlan plan, FileWatcherParts parts)
      : options_(options),
        plan_(std::move(plan)),
        loop_(parts.loop),
        clock_(parts.clock),
        workers_(parts.workers),
        marks_(parts.marks),
        tree_(plan_.root, plan_.selection, clock_),
        offers_({options_.name, options_.events, options_.gather, options_.still_for, options_.catch_up ? &marks_ : nullptr},
                {[this](std::string_view path) { return tree_.knows(path); },
                 [this](std::string_view path) { return tree_.absolute(path); },
                 [this](std::string_view path) { return stamp(path); }},
                loop_, clock_) {}
  ~NotifiedWatcher() override { stop(); }

  Status start(SourceHost& host) override;
  std::string note() const override;
  std::size_t watches() const override { return tree_.watches(); }
  void hand_over() override;
  void stop() override;

 private:
  FileStamp stamp(std::string_view path);
  Result<std::unique_ptr<Notifier>> notifier() const;
  Status open();
  Status open_somehow();
  Status take_up();
  void on_readable();
  void on_settle();
  void on_retry_unwatched();
  void on_look();
  void arm_look();
  void on_look_through();
  void on_looked_through(WatchedTree& seen);
  void arm_look_through(Duration in);

  void end_turn();
  void recover();
  void tell();
  void keep_unsaid();
  void fail(Error error);
  void arm_settle();
  void report_health();
  void arm_retry_unwatched();

  const FileWatcherOptions options_;
  const WatchPlan plan_;
  Loop& loop_;
  const Clock& clock_;
  Workers& workers_;
  Marks& marks_;
  TreeEvents tree_;  // kept over stop and start, so that what changes between the two is noticed
  ChangeOffers offers_;
  bool taken_up_ = false;        // what was known before this object
  bool begins_ = false;          // nothing was: what the first scan finds is known from then on
  bool needs_fanotify_ = false;  // inotify had not enough watches

  SourceHost* host_ = nullptr;  // null: stopped
  std::unique_ptr<ReadableWatch> readable_;
  std::unique_ptr<Timer> settle_timer_;
  std::optional<SteadyTime> settle_at_;
  std::unique_ptr<Timer> unwatched_timer_;
  std::unique_ptr<Timer> look_timer_;
  std::unique_ptr<Timer> look_through_timer_;
  Duration pause_{};  // between two times that the tree is looked through
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool retry_armed_ = false;
  int retries_ = 0;
  std::string degraded_;  // what the host was told last; empty: healthy
};

FileStamp NotifiedWatcher::stamp(std::string_view path) {
  const auto* known = tree_.tree().snapshot().file(path);
  if (known != nullptr && known->looked_at()) return *known;
  return look(AT_FDCWD, tree_.absolute(path).c_str()).stamp;
}

Result<std::unique_ptr<Notifier>> NotifiedWatcher::notifier() const {
  if (options_.backend == FileWatcherOptions::Backend::fanotify || needs_fanotify_) {
    auto opened = Fanotify::open();
    if (!opened) return opened.error();
    return std::unique_ptr<Notifier>(std::move(*opened));
  }
  auto opened = Inotify::open();
  if (!opened) return opened.error();
  return std::unique_ptr<Notifier>(std::make_unique<Inotify>(std::move(*opened)));
}

Status NotifiedWatcher::open() {
  auto made = notifier();
  if (!made) return made.error();
  return tree_.open(std::move(*made), clock_.now().steady, offers_.changes());
}

// Where the user's inotify watches do not suffice, and the process may, one mark of fanotify stands for all of them.
Status NotifiedWatcher::open_somehow() {
  auto opened = open();
  if (!opened || options_.backend != FileWatcherOptions::Backend::automatic || needs_fanotify_ || !tree_.tree().out_of_watches()) return opened;
  if (!Fanotify::open()) return opened;
  tree_.close(offers_.changes());
  needs_fanotify_ = true;
  if (opened = open(); opened && !tree_.incomplete()) return opened;
  if (opened) tree_.close(offers_.changes());
  needs_fanotify_ = false;  // a file system without handles
  return open();
}

Status NotifiedWatcher::take_up() {
  if (taken_up_) return {};
  if (!options_.catch_up) {
    taken_up_ = true;
    if (plan_.is_new) tree_.know();
    return forget_known_files(marks_, options_.name);
  }
  const auto loaded = load_known_files(marks_, options_.name, plan_.tree, tree_.tree().snapshot());
  if (!loaded) return loaded.error();
  tree_.tree().looks_at_all = true;
  if (!*loaded && plan_.is_new) keep_known_files(marks_, options_.name, plan_.tree, tree_.tree().snapshot());  // nothing yet
  if (*loaded || plan_.is_new) tree_.know();
  begins_ = !*loaded && !plan_.is_new;
  taken_up_ = true;
  return {};
}

Status NotifiedWatcher::start(SourceHost& host) {
  if (auto taken = take_up(); !taken) return taken;
  if (auto opened = open_somehow(); !opened) return opened;
  if (std::exchange(begins_, false)) keep_known_files(marks_, options_.name, plan_.tree, tree_.tree().snapshot());
  keep_unsaid();
  offers_.mark_rescan();
  host_ = &host;
  settle_timer_ = loop_.timer();
  unwatched_timer_ = loop_.timer();
  look_timer_ = loop_.timer();
  look_through_timer_ = loop_.timer();
  arm_look();
  arm_look_through(plan_.look_through);
  readable_ = loop_.watch(tree_.descriptor(), [this] { on_readable(); });
  offers_.start(host);
  report_health();
  return {};
}

std::string NotifiedWatcher::note() const {
  std::string note;
  if (needs_fanotify_) note = "fanotify: the user's inotify watches are used up";
  if (plan_.look_through > Duration::zero()) {
    note += (note.empty() ? "" : "; ") + ("looked through every " + to_string(pause_)) + " besides" + (plan_.shared.empty() ? "" : ": " + plan_.shared);
  }
  return note;
}

void NotifiedWatcher::hand_over() {
  if (host_ == nullptr || tree_.lost()) return;
  on_readable();
  tree_.settle(clock_.now().steady + limits::kOpenFileWait, offers_.changes());
  offers_.hand_over();
}

void NotifiedWatcher::stop() {
  if (host_ == nullptr) return;
  host_ = nullptr;
  readable_.reset();
  settle_timer_.reset();
  settle_at_.reset();
  unwatched_timer_.reset();
  look_timer_.reset();
  look_through_timer_.reset();
  alive_ = std::make_shared<bool>(true);  // a worker that looks through the tree does so for nobody
  retry_armed_ = false;
  retries_ = 0;
  degraded_.clear();
  offers_.stop();
  tree_.close(offers_.changes());
}

void NotifiedWatcher::on_readable() {
  tree_.read(clock_.now().steady, offers_.changes());
  end_turn();
}

void NotifiedWatcher::on_settle() {
  // What the timer was set for is due, whatever the clock says: it must not be set for it again.
  const auto now = std::max(clock_.now().steady, *std::exchange(settle_at_, std::nullopt));
  tree_.settle(now, offers_.changes());
  end_turn();
}

void NotifiedWatcher::on_retry_unwatched() {
  retry_armed_ = false;
  tell();
  tree_.retry_unwatched(offers_.changes());
  offers_.mark_rescan();
  end_turn();
}

void NotifiedWatcher::on_look() {
  tree_.look_further(clock_.now().steady, offers_.changes());
  arm_look();
  end_turn();
}

// One after the other, with whatever else the loop has to do in between.
void NotifiedWatcher::arm_look() {
  if (tree_.has_unlooked()) look_timer_->at(clock_.now().steady, [this] { on_look(); });
}

void NotifiedWatcher::arm_look_through(Duration in) {
  if (in <= Duration::zero()) return;
  pause_ = in;
  look_through_timer_->at(clock_.now().steady + in, [this] { on_look_through(); });
}

// What the kernel of this machine was not told of: a worker lists the tree, and folders that it finds to differ are scanned again here,
// which settles whether they do. (What changes while it lists is told by the notifier, and differs for that reason only.)
void NotifiedWatcher::on_look_through() {
  workers_.post([this, &loop = loop_, &clock = clock_, plan = plan_, alive = std::weak_ptr(alive_)] {
    const auto begun = clock.now().steady;
    auto seen = std::make_shared<WatchedTree>(plan.root, plan.selection, clock);
    const bool complete = seen->open(nullptr, nullptr).ok();
    const auto took = clock.now().steady - begun;
    loop.post([this, alive, seen, complete, took] {
      if (alive.expired()) return;
      if (complete) on_looked_through(*seen);
      if (look_through_timer_) arm_look_through(poll_pause(plan_.look_through, took));
    });
  });
}

void NotifiedWatcher::on_looked_through(WatchedTree& seen) {
  tell();
  tree_.doubt_what_differs(seen.snapshot());
  tree_.read(clock_.now().steady, offers_.changes());
  end_turn();
}

void NotifiedWatcher::end_turn() {
  if (tree_.overflowed()) recover();
  tell();
  if (tree_.lost()) return fail(*tree_.lost());
  arm_settle();
  report_health();
}

void NotifiedWatcher::recover() {
  degraded_ = "overflow";
  host_->degraded(
      {"events of files below " + tree_.absolute("") + " were lost: the kernel's queue was full; it is scanned again",
       queue_cure()});
  tell();  // what was read before the loss is no finding of the scan
  tree_.rescan(offers_.changes());
  offers_.mark_rescan();
}

// The handler of a lone change should not wait for its file to be looked at. Of many, the looking must not come so late that
// more may be lost meanwhile (see TreeEvents::refresh_stamps).
void NotifiedWatcher::tell() {
  if (options_.gather > Duration::zero() || options_.catch_up || tree_.stale_stamps() > limits::kStampsAfterOffer) tree_.refresh_stamps();
  keep_unsaid();
  offers_.end_turn();
  tree_.refresh_stamps();
}

void NotifiedWatcher::keep_unsaid() {
  const auto unsaid = tree_.take_unsaid();
  if (!options_.catch_up || unsaid.empty()) return;
  std::vector<std::pair<std::string, std::string>> marks;
  for (const auto& [path, stamp] : unsaid) marks.emplace_back(path, stamp ? file_mark(*stamp) : std::string());
  marks_.note_marks(options_.name, std::move(marks));
}

void NotifiedWatcher::fail(Error error) {
  readable_.reset();
  settle_timer_->cancel();
  unwatched_timer_->cancel();
  look_timer_->cancel();
  look_through_timer_->cancel();
  offers_.flush();
  host_->failed(std::move(error));  // may call stop()
}

void NotifiedWatcher::arm_settle() {
  const auto next = tree_.next_settle();
  if (!next || (settle_at_ && *settle_at_ <= *next)) return;
  settle_at_ = next;
  settle_timer_->at(*next, [this] { on_settle(); });
}

void NotifiedWatcher::report_health() {
  auto incomplete = tree_.incomplete();
  if (!incomplete) {
    retries_ = 0;
    if (!degraded_.empty()) host_->healthy();
    degraded_.clear();
    return;
  }
  arm_retry_unwatched();
  if (incomplete->message == degraded_) return;
  degraded_ = incomplete->message;
  host_->degraded(std::move(*incomplete));
}

void NotifiedWatcher::arm_retry_unwatched() {
  if (retry_armed_) return;
  retry_armed_ = true;
  const Backoff backoff{limits::kUnwatchedRetryFirst, limits::kUnwatchedRetryMax};
  unwatched_timer_->at(clock_.now().steady + backoff.pause(++retries_, 0), [this] { on_retry_unwatched(); });
}

}  // namespace

std::unique_ptr<Source> make_notified_watcher(const FileWatcherOptions& options, WatchPlan plan, FileWatcherParts parts) {
  return std::make_unique<NotifiedWatcher>(options, std::move(plan), parts);
}

}  // namespace hark
