#include "sources/file_watcher.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "platform/mounts.h"
#include "sources/file_selection.h"
#include "sources/watch_plan.h"

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

// Of the nearest folder that is there (statx(2)): another one for each mount, also where the same file system is mounted twice.
std::optional<std::uint64_t> mount_above(fs::path path) {
  struct statx found {};
  while (statx(AT_FDCWD, path.c_str(), AT_NO_AUTOMOUNT, STATX_MNT_ID, &found) != 0) {
    if (!path.has_relative_path()) return std::nullopt;
    path = path.parent_path();
  }
  if ((found.stx_mask & STATX_MNT_ID) == 0) return std::nullopt;
  return found.stx_mnt_id;
}

class FileWatcher final : public Source {
 public:
  FileWatcher(FileWatcherOptions options, FileWatcherParts parts) : options_(std::move(options)), parts_(parts) {
    options_.path = without_slash(options_.path);
  }

  Status start(SourceHost& host) override;
  std::string note() const override { return watcher_ ? watcher_->note() : std::string(); }
  std::size_t watches() const override { return watcher_ ? watcher_->watches() : 0; }
  void hand_over() override {
    if (watcher_) watcher_->hand_over();
  }
  void stop() override {
    mount_watch_.reset();
    host_ = nullptr;
    if (watcher_) watcher_->stop();
  }

 private:
  Status begin(SourceHost& host);
  std::vector<Mount> mounts() const;
  void on_mounts();
  Result<WatchPlan> plan() const;
  void decide_way(WatchPlan& plan) const;

  FileWatcherOptions options_;
  FileWatcherParts parts_;
  // Kept over stop and start, so that what changes between the two is noticed; unless the tree is to be watched another way by then.
  std::unique_ptr<Source> watcher_;
  WatchPlan::Way way_ = WatchPlan::Way::notified;
  std::optional<std::uint64_t> missing_on_;  // while `path` is not there: the mount that it would be made on
  SourceHost* host_ = nullptr;       // null: stopped
  std::unique_ptr<MountWatch> mount_watch_;
  std::vector<Mount> mounts_;
};

Status FileWatcher::start(SourceHost& host) {
  mount_watch_ = std::make_unique<MountWatch>(parts_.loop, [this] { on_mounts(); });
  host_ = &host;
  auto begun = begin(host);
  if (!begun) stop();
  return begun;
}

std::vector<Mount> FileWatcher::mounts() const {
  std::error_code error;
  const auto real = fs::canonical(options_.path, error);
  return error ? std::vector<Mount>() : mounts_of(real.string());
}

// What is mounted over a folder hides it, and no watch of it tells: the tree is another one now.
void FileWatcher::on_mounts() {
  if (host_ == nullptr || mounts() == mounts_) return;
  watcher_->stop();
  if (const auto begun = begin(*host_); !begun) host_->failed(begun.error());
}

Status FileWatcher::begin(SourceHost& host) {
  mounts_ = mounts();
  auto planned = plan();
  if (!planned && !watcher_) {
    std::error_code error;
    if (fs::status(options_.path, error).type() == fs::file_type::not_found) missing_on_ = mount_above(options_.path);
    return planned.error();
  }
  // What was mounted since may be as old as it likes.
  if (planned) planned->is_new = missing_on_ && mount_above(options_.path) == std::exchange(missing_on_, std::nullopt);
  if (planned && (!watcher_ || planned->way != way_)) {
    way_ = planned->way;
    const auto make = way_ == WatchPlan::Way::polled ? make_polled_watcher : make_notified_watcher;
    watcher_ = make(options_, std::move(*planned), parts_);
  }
  return watcher_->start(host);
}

Result<WatchPlan> FileWatcher::plan() const {
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
  const nlohmann::json tree = {{"path", options_.path.string()}, {"patterns", options_.patterns}, {"ignore_vcs", options_.ignore_vcs}};
  for (const auto& path : options_.ignore) {
    auto relative = below(root, path);
    if (!relative.empty()) selection.ignore.push_back(std::move(relative));
  }
  auto parsed = FileSelection::parse(std::move(selection));
  if (!parsed) return parsed.error();
  WatchPlan plan;
  plan.root = root.string();
  plan.selection = std::move(*parsed);
  plan.tree = tree.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  decide_way(plan);
  return plan;
}

void FileWatcher::decide_way(WatchPlan& plan) const {
  using Backend = FileWatcherOptions::Backend;
  if (options_.backend == Backend::poll) {
    plan.way = WatchPlan::Way::polled;
    plan.look_through = options_.poll_interval.value_or(limits::kPollInterval);
  } else if (options_.poll_interval) {
    plan.look_through = *options_.poll_interval;  // wanted besides, whatever the file system
  }
  if (options_.backend != Backend::automatic) return;
  if (mounts_.empty()) return;
  if (sharing_of(mounts_.front().type) == Sharing::machines) {
    plan.way = WatchPlan::Way::polled;
    plan.look_through = options_.poll_interval.value_or(limits::kPollInterval);
    plan.shared = mounts_.front().type;
    return;
  }
  const auto shared = std::find_if(mounts_.begin(), mounts_.end(), [](const Mount& mount) { return sharing_of(mount.type) != Sharing::none; });
  if (shared == mounts_.end()) return;
  plan.look_through = options_.poll_interval.value_or(limits::kLookThroughInterval);
  plan.shared = shared->type;
}

}  // namespace

Duration poll_pause(Duration wanted, Duration took) { return std::max(wanted, took * limits::kPollShare); }

std::unique_ptr<Source> make_file_watcher(FileWatcherOptions options, FileWatcherParts parts) {
  return std::make_unique<FileWatcher>(std::move(options), parts);
}

}  // namespace hark
