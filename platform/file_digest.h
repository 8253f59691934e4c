// What a file holds, as its SHA-256. Any thread; reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace hark {

struct FileDigest {
  std::string digest;
  std::uint64_t inode = 0;
};
// nullopt: it is no regular file (a link is none), cannot be read, or holds more than `budget` bytes, which shrinks by what was read.
std::optional<FileDigest> file_digest(const std::string& path, std::uint64_t& budget);

}  // namespace hark
