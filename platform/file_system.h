// The seam to the disk for the small files hark reads and writes whole (configuration, state.json). Faked where faults are
// the point. The watcher and SQLite go to the kernel themselves: their subject is the real disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/limits.h"
#include "core/result.h"
#include "core/time.h"

namespace hark {

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // The whole file; nullopt: there is none. Refuses what is larger than `max_bytes`.
  virtual Result<std::optional<std::string>> read(const std::filesystem::path& path, std::uint64_t max_bytes) = 0;

  // Replaces `path` whole: temporary file beside it (0600), fsync, rename, fsync of the folder. After a crash or power cut the
  // file is the old one or the new one. Folders that lack are made (0700).
  virtual Status replace(const std::filesystem::path& path, std::string_view content) = 0;

  virtual Status rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
};

class RealFileSystem final : public FileSystem {
 public:
  // A pipe that nobody has opened for writing yet is waited for so long, and then an error.
  explicit RealFileSystem(Duration pipe_patience = limits::kPipePatience) : pipe_patience_(pipe_patience) {}

  Result<std::optional<std::string>> read(const std::filesystem::path& path, std::uint64_t max_bytes) override;
  Status replace(const std::filesystem::path& path, std::string_view content) override;
  Status rename(const std::filesystem::path& from, const std::filesystem::path& to) override;

 private:
  Duration pipe_patience_;
};

// Makes a folder that only its owner may enter, with its parents. Fine when it is there already.
Status make_private_folder(const std::filesystem::path& path);

// The same for one in a place where anybody may put something under its name (/tmp): what is there already must be a folder, no
// link, of this user, closed to all others; else an Error.
Status make_folder_in_public(const std::filesystem::path& path);

}  // namespace hark
