#include "sources/file_watcher.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "core/backoff.h"
#include "core/limits.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "sources/change_offers.h"
#include "sources/file_selection.h"
#include "sources/inotify.h"
#include "sources/tree_events.h"

namespace hark {
namespace fs = std::filesystem;
namespace {

std::string without_slash(const fs::path& path) {
  auto text = path.lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

// `path` as seen from `root`, as the two are written or as they really are; empty: it is not below it.
std::string below(const fs::path& root, const fs::path& path) {
  const auto relative = [](const fs::path& from, const fs::path& to) {
    auto text = without_slash(to.lexically_relative(from));
    return text == "." || text == ".." || text.starts_with("../") ? std::string() : text;
  };
  auto written = relative(root.lexically_normal(), path.lexically_normal());
  if (!written.empty()) return written;
  std::error_code ignored;
  return relative(fs::weakly_canonical(root, ignored), fs::weakly_canonical(path, ignored));
}

class FileWatcher final : public Source {
 public:
  FileWatcher(FileWatcherOptions options, Loop& loop, const Clock& clock)
      : options_(std::move(options)),
        loop_(loop),
        clock_(clock),
        offers_({options_.name, options_.events, options_.gather},
                {[this](std::string_view path) { return tree_->knows(path); },
                 [this](std::string_view path) { return tree_->absolute(path); }},
                loop, clock) {
    options_.path = without_slash(options_.path);
  }
  ~FileWatcher() override { stop(); }

  Status start(SourceHost& host) override;
  void hand_over() override;
  void stop() override;

 private:
  Status prepare();
  void on_readable();
  void on_settle();
  void on_retry_unwatched();
  void on_look();
  void arm_look();

  void end_turn();
  void recover();
  void tell();
  void fail(Error error);
  void arm_settle();
  void report_health();
  void arm_retry_unwatched();

  FileWatcherOptions options_;
  Loop& loop_;
  const Clock& clock_;
  // Kept over stop and start, so that what changes between the two is noticed.
  std::unique_ptr<TreeEvents> tree_;
  ChangeOffers offers_;

  SourceHost* host_ = nullptr;  // null: stopped
  std::unique_ptr<ReadableWatch> readable_;
  std::unique_ptr<Timer> settle_timer_;
  std::optional<SteadyTime> settle_at_;
  std::unique_ptr<Timer> unwatched_timer_;
  std::unique_ptr<Timer> look_timer_;
  bool retry_armed_ = false;
  int retries_ = 0;
  std::string degraded_;  // what the host was told last; empty: healthy
};

// What is watched is decided at the first start; later ones go on with what is known.
Status FileWatcher::prepare() {
  if (tree_) return {};
  std::error_code error;
  const auto status = fs::status(options_.path, error);
  if (!fs::exists(status)) {
    const bool missing = status.type() == fs::file_type::not_found;
    return Error{options_.path.string() + (missing ? " does not exist" : " cannot be looked at: " + error.message()),
                 "create it, or correct `path`"};
  }
  const bool single = !fs::is_directory(status);
  const fs::path root = single ? options_.path.parent_path() : options_.path;
  FileSelection::Options selection{options_.patterns, options_.ignore_vcs, {}, single ? options_.path.filename().string() : ""};
  for (const auto& path : options_.ignore) {
    auto relative = below(root, path);
    if (!relative.empty()) selection.ignore.push_back(std::move(relative));
  }
  auto parsed = FileSelection::parse(std::move(selection));
  if (!parsed) return parsed.error();
  tree_ = std::make_unique<TreeEvents>(root.string(), std::move(*parsed), clock_);
  return {};
}

Status FileWatcher::start(SourceHost& host) {
  if (const auto prepared = prepare(); !prepared) return prepared;
  if (const auto opened = tree_->open(clock_.now().steady, offers_.changes()); !opened) return opened;
  offers_.mark_rescan();
  host_ = &host;
  settle_timer_ = loop_.timer();
  unwatched_timer_ = loop_.timer();
  look_timer_ = loop_.timer();
  arm_look();
  readable_ = loop_.watch(tree_->descriptor(), [this] { on_readable(); });
  offers_.start(host);
  report_health();
  return {};
}

void FileWatcher::hand_over() {
  if (host_ == nullptr || tree_->lost()) return;
  on_readable();
  tree_->settle(clock_.now().steady + limits::kOpenFileWait, offers_.changes());
  offers_.flush();
}

void FileWatcher::stop() {
  if (host_ == nullptr) return;
  host_ = nullptr;
  readable_.reset();
  settle_timer_.reset();
  settle_at_.reset();
  unwatched_timer_.reset();
  look_timer_.reset();
  retry_armed_ = false;
  retries_ = 0;
  degraded_.clear();
  offers_.stop();
  tree_->close(offers_.changes());
}

void FileWatcher::on_readable() {
  tree_->read(clock_.now().steady, offers_.changes());
  end_turn();
}

void FileWatcher::on_settle() {
  // What the timer was set for is due, whatever the clock says: it must not be set for it again.
  const auto now = std::max(clock_.now().steady, *std::exchange(settle_at_, std::nullopt));
  tree_->settle(now, offers_.changes());
  end_turn();
}

void FileWatcher::on_retry_unwatched() {
  retry_armed_ = false;
  tell();
  tree_->retry_unwatched(offers_.changes());
  offers_.mark_rescan();
  end_turn();
}

void FileWatcher::on_look() {
  tree_->look_further(clock_.now().steady, offers_.changes());
  arm_look();
  end_turn();
}

// One after the other, with whatever else the loop has to do in between.
void FileWatcher::arm_look() {
  if (tree_->has_unlooked()) look_timer_->at(clock_.now().steady, [this] { on_look(); });
}

void FileWatcher::end_turn() {
  if (tree_->overflowed()) recover();
  tell();
  if (tree_->lost()) return fail(*tree_->lost());
  arm_settle();
  report_health();
}

void FileWatcher::recover() {
  degraded_ = "overflow";
  host_->degraded(
      {"events of files below " + tree_->absolute("") + " were lost: the kernel's queue was full; it is scanned again",
       queue_cure()});
  tell();  // what was read before the loss is no finding of the scan
  tree_->rescan(offers_.changes());
  offers_.mark_rescan();
}

// The handler of a lone change should not wait for its file to be looked at. Of many, the looking must not come so late that
// more may be lost meanwhile (see TreeEvents::refresh_stamps).
void FileWatcher::tell() {
  if (options_.gather > Duration::zero() || tree_->stale_stamps() > limits::kStampsAfterOffer) tree_->refresh_stamps();
  offers_.end_turn();
  tree_->refresh_stamps();
}

void FileWatcher::fail(Error error) {
  readable_.reset();
  settle_timer_->cancel();
  unwatched_timer_->cancel();
  look_timer_->cancel();
  offers_.flush();
  host_->failed(std::move(error));  // may call stop()
}

void FileWatcher::arm_settle() {
  const auto next = tree_->next_settle();
  if (!next || (settle_at_ && *settle_at_ <= *next)) return;
  settle_at_ = next;
  settle_timer_->at(*next, [this] { on_settle(); });
}

void FileWatcher::report_health() {
  auto incomplete = tree_->incomplete();
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

void FileWatcher::arm_retry_unwatched() {
  if (retry_armed_) return;
  retry_armed_ = true;
  const Backoff backoff{limits::kUnwatchedRetryFirst, limits::kUnwatchedRetryMax};
  unwatched_timer_->at(clock_.now().steady + backoff.pause(++retries_, 0), [this] { on_retry_unwatched(); });
}

}  // namespace

std::unique_ptr<Source> make_file_watcher(FileWatcherOptions options, Loop& loop, const Clock& clock) {
  return std::make_unique<FileWatcher>(std::move(options), loop, clock);
}

}  // namespace hark
