// What a command has of the environment this process was started with. Read by every thread.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "platform/containment.h"

namespace hark {

// Strings "NAME=value", each name once.
class BaseEnvironment {
 public:
  explicit BaseEnvironment(std::vector<std::string> strings);
  BaseEnvironment(const BaseEnvironment&) = delete;  // places_ looks into strings_
  BaseEnvironment& operator=(const BaseEnvironment&) = delete;

  const std::vector<std::string>& strings() const { return strings_; }
  // Where `name` stands in strings(); npos: nowhere.
  std::size_t find(std::string_view name) const;
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

 private:
  std::vector<std::string> strings_;
  std::unordered_map<std::string_view, std::size_t> places_;
};

// The daemon's environment as it was at the start, less what speaks to the daemon alone (sd_notify(3), sd_listen_fds(3),
// sd_watchdog_enabled(3)), and the parts of it that commands choose: each is put together once.
class DaemonEnvironment {
 public:
  explicit DaemonEnvironment(char** environ_block);
  std::shared_ptr<const BaseEnvironment> chosen(const EnvironmentChoice& choice) const;

 private:
  std::shared_ptr<const BaseEnvironment> part(const std::vector<std::string>& pass) const;

  std::shared_ptr<const BaseEnvironment> whole_;
  std::shared_ptr<const BaseEnvironment> base_;
  mutable std::mutex mutex_;
  mutable std::vector<std::pair<std::vector<std::string>, std::shared_ptr<const BaseEnvironment>>> parts_;  // guarded by mutex_
};

}  // namespace hark
