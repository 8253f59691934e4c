#include <fcntl.h>

#include <memory>
#include <utility>

#include "core/limits.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "sources/change_offers.h"
#include "sources/folder_listing.h"
#include "sources/known_files.h"
#include "sources/marks.h"
#include "sources/source.h"
#include "sources/watch_plan.h"
#include "sources/watched_tree.h"

namespace hark {
namespace {

class PolledWatcher final : public Source {
 public:
  PolledWatcher(const FileWatcherOptions& options, WatchPlan plan, FileWatcherParts parts)
      : options_(options),
        plan_(std::move(plan)),
        parts_(parts),
        tree_(std::make_shared<WatchedTree>(plan_.root, plan_.selection, parts.clock)),
        offers_({options_.name, options_.events, options_.gather, options_.still_for, options_.catch_up ? &parts.marks : nullptr},
                {[this](std::string_view path) { return stamp(path).looked_at(); },
                 [this](std::string_view path) { return tree_->absolute(path); }, [this](std::string_view path) { return stamp(path); }},
                parts.loop, parts.clock),
        pause_(plan_.look_through) {}
  ~PolledWatcher() override { stop(); }

  Status start(SourceHost& host) override;
  std::string note() const override {
    if (!known_) return "not looked through yet";  // what changes meanwhile may not be told
    return "polled every " + to_string(pause_) + (plan_.shared.empty() ? "" : ": " + plan_.shared);
  }
  void hand_over() override;
  void stop() override;

 private:
  struct Look {
    Status status;
    Differences differences;
    Duration took{};
  };
  static Look look_through(WatchedTree& tree, bool known, const Clock& clock);

  Status take_up();
  FileStamp stamp(std::string_view path) const;
  void poll();
  void on_looked(Look look);

  const FileWatcherOptions options_;
  const WatchPlan plan_;
  FileWatcherParts parts_;
  std::shared_ptr<WatchedTree> tree_;  // a worker's while busy_
  bool busy_ = false;
  bool known_ = false;  // looked through once, here or before
  bool taken_up_ = false;
  ChangeOffers offers_;
  SourceHost* host_ = nullptr;  // null: stopped
  std::unique_ptr<Timer> timer_;
  Duration pause_;
  Duration took_{};
  std::string degraded_;  // what the host was told last
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

PolledWatcher::Look PolledWatcher::look_through(WatchedTree& tree, bool known, const Clock& clock) {
  const auto begun = clock.now().steady;
  Look look;
  look.status = tree.open(nullptr, known ? &look.differences : nullptr);
  look.took = clock.now().steady - begun;
  return look;
}

Status PolledWatcher::take_up() {
  if (taken_up_) return {};
  if (options_.catch_up) {
    const auto loaded = load_known_files(parts_.marks, options_.name, plan_.tree, tree_->snapshot());
    if (!loaded) return loaded.error();
    if (!*loaded && plan_.is_new) keep_known_files(parts_.marks, options_.name, plan_.tree, tree_->snapshot());  // nothing yet
    known_ = *loaded;
  } else if (auto done = forget_known_files(parts_.marks, options_.name); !done) {
    return done;
  }
  known_ = known_ || plan_.is_new;
  taken_up_ = true;
  return {};
}

Status PolledWatcher::start(SourceHost& host) {
  if (!busy_) {
    if (auto taken = take_up(); !taken) return taken;
  }
  host_ = &host;
  timer_ = parts_.loop.timer();
  offers_.start(host);
  if (!busy_) poll();
  return {};
}

void PolledWatcher::poll() {
  busy_ = true;
  parts_.workers.post([this, tree = tree_, known = known_, parts = parts_, alive = std::weak_ptr(alive_)] {
    auto look = std::make_shared<Look>(look_through(*tree, known, parts.clock));
    parts.loop.post([this, alive, look] {
      if (!alive.expired()) on_looked(std::move(*look));
    });
  });
}

void PolledWatcher::on_looked(Look look) {
  busy_ = false;
  took_ = look.took;
  tell(look.differences, offers_.changes());  // also what a look found that did not come to its end: it is known now
  if (options_.catch_up) {
    std::vector<std::pair<std::string, std::string>> marks;
    for (const auto& file : look.differences.went_out_of_sight) marks.emplace_back(file.path, std::string());
    if (!marks.empty()) parts_.marks.note_marks(options_.name, std::move(marks));
  }
  if (host_ == nullptr) return;
  if (!look.status) {
    offers_.flush();
    return host_->failed(look.status.error());  // may call stop()
  }
  if (!known_ && options_.catch_up) keep_known_files(parts_.marks, options_.name, plan_.tree, tree_->snapshot());
  known_ = true;
  offers_.end_turn();
  const auto incomplete = tree_->incomplete();
  if (incomplete && incomplete->message != degraded_) host_->degraded(*incomplete);
  if (!incomplete && !degraded_.empty()) host_->healthy();
  degraded_ = incomplete ? incomplete->message : std::string();
  pause_ = poll_pause(plan_.look_through, took_);
  timer_->at(parts_.clock.now().steady + pause_, [this] { poll(); });
}

void PolledWatcher::hand_over() {
  if (host_ == nullptr) return;
  if (!busy_ && known_ && took_ <= limits::kPollHandOver) {
    const auto look = look_through(*tree_, true, parts_.clock);
    tell(look.differences, offers_.changes());
  }
  offers_.hand_over();
}

void PolledWatcher::stop() {
  host_ = nullptr;
  timer_.reset();
  offers_.stop();
  degraded_.clear();
}

// Not looked at: it is not there. A worker may have the tree: then the disk says it.
FileStamp PolledWatcher::stamp(std::string_view path) const {
  if (busy_) return look(AT_FDCWD, tree_->absolute(path).c_str()).stamp;
  const auto* known = tree_->snapshot().file(path);
  return known == nullptr ? FileStamp{} : *known;
}

}  // namespace

std::unique_ptr<Source> make_polled_watcher(const FileWatcherOptions& options, WatchPlan plan, FileWatcherParts parts) {
  return std::make_unique<PolledWatcher>(options, std::move(plan), parts);
}

}  // namespace hark
