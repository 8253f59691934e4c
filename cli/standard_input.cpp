#include "cli/standard_input.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "platform/errno_text.h"

namespace hark {

namespace {

constexpr std::uint64_t kMost = 64 * 1024 * 1024;

}  // namespace

Result<std::string> read_standard_input() {
  std::string text;
  std::array<char, 65536> piece;
  while (true) {
    const auto count = read(STDIN_FILENO, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error{"standard input: " + errno_text(errno), {}};
    if (count == 0) return text;
    text.append(piece.data(), std::size_t(count));
    if (text.size() > kMost) return Error{"standard input: more than 64 MiB", {}};
  }
}

}  // namespace hark
