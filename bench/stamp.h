// How a handler tells a probe when its first instruction ran: its monotonic clock, as a datagram to a Unix socket.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {

inline std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

inline sockaddr_un address_of(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  return address;
}

[[noreturn]] inline void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

// The probe's end: waits at most five seconds for a stamp.
class StampReceiver {
 public:
  explicit StampReceiver(const char* path) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    unlink(path);
    const auto address = address_of(path);
    if (fd_ < 0 || bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("bind");
    const timeval patience{5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  std::int64_t wait() const {
    std::int64_t stamp = 0;
    if (recv(fd_, &stamp, sizeof stamp, 0) != ssize_t(sizeof stamp)) die("no stamp came");
    return stamp;
  }

 private:
  int fd_;
};

}  // namespace bench
