// A disk in memory that can be full and can lose its power. What replace() does is modelled in its four steps (write beside, sync,
// rename, sync the folder), so that a cut between them leaves what a real disk may: unsynced bytes and unsynced names are lost.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "platform/file_system.h"

namespace hark::test {

class FakeFileSystem final : public FileSystem {
 public:
  enum class Step { written, synced, renamed, folder_synced };

  Result<std::optional<std::string>> read(const std::filesystem::path& path, std::uint64_t max_bytes) override {
    const auto found = visible_.find(path);
    if (found == visible_.end()) return std::optional<std::string>();
    if (found->second.size() > max_bytes) return Error{path.string() + " is larger than " + std::to_string(max_bytes), ""};
    return std::optional(found->second);
  }

  Status replace(const std::filesystem::path& path, std::string_view content) override {
    ++replaced;
    if (full) return Error{"cannot write " + path.string() + ": No space left on device", "free space there"};
    auto temporary = path;
    temporary += ".new";
    visible_[temporary] = content;  // its bytes are not on the disk yet: a cut leaves nothing of it
    if (cut_after == Step::written) return cut();
    const std::string synced(content);
    if (cut_after == Step::synced) return cut();
    visible_.erase(temporary);
    visible_[path] = content;
    if (cut_after == Step::renamed) return cut();
    durable_[path] = synced;
    if (cut_after == Step::folder_synced) return cut();
    return {};
  }

  Status rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    const auto found = visible_.find(from);
    if (found == visible_.end()) return Error{"cannot rename " + from.string() + ": No such file or directory", ""};
    visible_[to] = found->second;
    durable_[to] = found->second;
    visible_.erase(from);
    durable_.erase(from);
    return {};
  }

  // The power goes and comes back: what was not synced is gone.
  void drop_unsynced() { visible_ = durable_; }

  void put(const std::filesystem::path& path, std::string content) {
    durable_[path] = content;
    visible_[path] = std::move(content);
  }
  const std::map<std::filesystem::path, std::string>& files() const { return visible_; }

  bool full = false;               // ENOSPC
  std::optional<Step> cut_after;   // the power goes after this step of replace()
  int replaced = 0;                // calls of replace(), refused ones included

 private:
  Status cut() {
    drop_unsynced();
    return Error{"the power went", ""};
  }
  std::map<std::filesystem::path, std::string> visible_;
  std::map<std::filesystem::path, std::string> durable_;
};

}  // namespace hark::test
