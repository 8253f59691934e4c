#include "platform/file_digest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "platform/descriptor.h"
#include "platform/digest.h"

namespace hark {

std::optional<FileDigest> file_digest(const std::string& path, std::uint64_t& budget) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat status;
  if (!file || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  Sha256 digest;
  std::array<char, 64 * 1024> buffer;
  for (;;) {  // it may grow meanwhile
    const auto size = ::read(file.get(), buffer.data(), buffer.size());
    if (size < 0 || static_cast<std::uint64_t>(size) > budget) return std::nullopt;
    if (size == 0) return FileDigest{digest.finish(), status.st_ino};
    budget -= static_cast<std::uint64_t>(size);
    digest.add({buffer.data(), static_cast<std::size_t>(size)});
  }
}

}  // namespace hark
