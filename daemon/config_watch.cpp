#include "daemon/config_watch.h"

#include <sys/inotify.h>

#include <utility>

#include "core/limits.h"
#include "platform/clock.h"

namespace hark {

namespace {

using std::filesystem::path;

// Not IN_MODIFY: half a file is no configuration. IN_ATTRIB: it can be read now.
constexpr std::uint32_t kMask = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
// The folder itself went, or the kernel lost count: anything may have happened.
constexpr std::uint32_t kAnything = IN_Q_OVERFLOW | IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF;

}  // namespace

ConfigWatch::ConfigWatch(Loop& loop, const Clock& clock, std::function<void()> changed, std::function<void(const Error&)> failed)
    : loop_(loop), clock_(clock), changed_(std::move(changed)), failed_(std::move(failed)), quiet_(loop.timer()) {}

void ConfigWatch::fail(const Error& error) {
  if (std::exchange(failure_, error.text()) != failure_) failed_({"reload = \"auto\": " + error.message, error.cure});
}

bool ConfigWatch::begin() {
  if (inotify_) return true;
  auto opened = Inotify::open();
  if (!opened) {
    fail(opened.error());
    return false;
  }
  inotify_.emplace(std::move(*opened));
  readable_ = loop_.watch(inotify_->descriptor(), [this] { read(); });
  return true;
}

void ConfigWatch::watch(const std::vector<path>& files, const std::vector<path>& more) {
  std::set<path> wanted(files.begin(), files.end());
  wanted.insert(more.begin(), more.end());
  const bool same = std::exchange(watched_, std::move(wanted)) == watched_;
  if (!begin()) return;
  arm();
  if (!same) look_soon();  // a file that is new here may have changed between its reading and this
}

// Before it is read, so that what happens meanwhile is seen.
void ConfigWatch::look_soon() {
  quiet_->at(clock_.now().steady + limits::kConfigQuiet, [this, changed = changed_] {
    arm();
    changed();
  });
}

// Anew each time, as a folder may be another one under its old name. The kernel gives the same folder the same watch.
void ConfigWatch::arm() {
  auto before = std::exchange(names_, {});
  for (const auto& file : watched_) {
    add(file);
    std::error_code failure;
    if (const auto real = std::filesystem::weakly_canonical(file, failure); !failure && real != file) add(real);
  }
  for (const auto& [old, names] : before) {
    if (!names_.contains(old)) inotify_->remove(old);
  }
}

void ConfigWatch::add(const path& file) {
  int added = -ENOENT;
  for (auto at = file; at.has_relative_path(); at = at.parent_path()) {
    added = inotify_->add(at.parent_path().string(), kMask);
    if (added >= 0) {
      names_[added].insert(at.filename().string());
      std::error_code failure;
      if (at == file || !std::filesystem::is_directory(at, failure)) return;
      at = file / "x";  // it came while it was being missed: once more from the file
    } else if (added != -ENOENT && added != -ENOTDIR) {
      break;
    }
  }
  fail(watch_error(-added, file.parent_path().string()));
}

void ConfigWatch::read() {
  bool matters = false;
  while (inotify_->read([&](const Inotify::Event& event) {
    const auto folder = names_.find(event.watch);
    // Of a watch that was given up nothing matters; of all of them -1, the overflow, does.
    const bool known = event.watch < 0 || folder != names_.end();
    matters |= known && ((event.mask & kAnything) != 0 || (folder != names_.end() && folder->second.contains(std::string(event.name))));
  })) {
  }
  if (matters) look_soon();
}

}  // namespace hark
