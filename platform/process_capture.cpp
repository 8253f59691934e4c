#include "platform/process_capture.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "core/limits.h"

namespace hark {

void Capture::read_once(int pipe) { read_some(pipe); }

void Capture::drain(int pipe) {
  int waiting = 0;
  if (ioctl(pipe, FIONREAD, &waiting) != 0) return;
  for (auto left = static_cast<std::size_t>(std::max(waiting, 0)); left > 0;) {
    const std::size_t got = read_some(pipe);
    if (got == 0) return;
    left -= std::min(left, got);
  }
}

Captured Capture::take() {
  keep(stream_.rest());
  return std::move(captured_);
}

std::size_t Capture::read_some(int pipe) {
  std::array<char, 64 * 1024> buffer;  // a pipe's capacity; left uninitialised on purpose
  const ssize_t got = read(pipe, buffer.data(), buffer.size());
  if (got <= 0) return 0;
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  keep(stream_.next(bytes));
  return bytes.size();
}

void Capture::keep(std::string_view bytes) {
  captured_.bytes += bytes.size();
  const std::size_t room = limits::kOutputInMemory - captured_.head.size();
  if (file_ || bytes.size() > room) overflow(bytes);
  captured_.head.append(bytes.substr(0, room));
}

void Capture::overflow(std::string_view bytes) {
  if (!trouble_.empty()) return;
  if (!file_) {
    if (file_name_.empty()) {
      trouble_ = "is cut after its first " + std::to_string(limits::kOutputInMemory / 1024) + " KiB";
      return;
    }
    auto made = OutputFile::create(file_name_);
    if (!made) {
      trouble_ = "is cut: " + made.error().message;
      return;
    }
    file_ = std::move(*made);
    captured_.file = file_name_;
    if (auto written = file_->write(captured_.head); !written) trouble_ = "is cut: " + written.error().message;
    in_file_ = captured_.head.size();
  }
  const std::string_view kept = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), limits::kOutputOnDisk - in_file_));
  in_file_ += kept.size();
  if (auto written = file_->write(kept); !written)
    trouble_ = "is cut: " + written.error().message;
  else if (kept.size() < bytes.size())
    trouble_ = "is cut after its first " + std::to_string(limits::kOutputOnDisk / (1024 * 1024)) + " MiB";
}

}  // namespace hark
