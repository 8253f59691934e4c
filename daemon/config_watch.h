// Tells when a file of the configuration may be another one. The folders are watched, not the files: editors and git replace a file,
// or take it away for a moment. Loop thread only.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/result.h"
#include "platform/loop.h"
#include "sources/inotify.h"

namespace hark {

class Clock;

class ConfigWatch {
 public:
  // `changed` is called limits::kConfigQuiet after the last change, and may call watch(). `failed`: why something cannot be watched, each
  // reason once.
  ConfigWatch(Loop& loop, const Clock& clock, std::function<void()> changed, std::function<void(const Error&)> failed);

  // Absolute paths; a file need not be there, nor its folder: then the nearest folder that is. Links are watched at both ends.
  void watch(const std::vector<std::filesystem::path>& files, const std::vector<std::filesystem::path>& more);

 private:
  bool begin();
  void arm();
  void look_soon();
  void add(const std::filesystem::path& path);
  void read();
  void fail(const Error& error);

  Loop& loop_;
  const Clock& clock_;
  const std::function<void()> changed_;
  const std::function<void(const Error&)> failed_;
  std::optional<Inotify> inotify_;
  std::unique_ptr<ReadableWatch> readable_;
  std::unique_ptr<Timer> quiet_;
  std::map<int, std::set<std::string>> names_;        // by the watch of a folder: what matters in it
  std::set<std::filesystem::path> watched_;           // as asked for
  std::string failure_;
};

}  // namespace hark
