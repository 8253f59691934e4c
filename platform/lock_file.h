// One daemon a journal: a lock the kernel gives back when the process ends, however it ends (flock(2)).
#pragma once

#include <filesystem>

#include "core/result.h"

namespace hark {

class LockFile {
 public:
  // Takes the lock and writes this process's pid into the file (0600); its folder is made when it lacks. The error names who holds it.
  static Result<LockFile> take(const std::filesystem::path& path);
  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&&) = delete;
  ~LockFile();

 private:
  explicit LockFile(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace hark
