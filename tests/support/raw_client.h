// A blocking socket that sends exactly the bytes it is told to, for what no decent HTTP client would send.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "platform/http.h"
#include "platform/tls.h"

namespace hark::test {

struct RawAnswer {
  int status = 0;  // 0: the connection ended before a whole answer
  HttpHeaders headers;
  std::string body;
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  explicit RawClient(const std::filesystem::path& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    connect(reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)), pending_(std::move(other.pending_)) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() { close(); }

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  // Ends with a reset instead of an orderly goodbye.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  // From here on with TLS; the certificate must be good for "localhost".
  void secure(TlsAuthorities& authorities) {
    Error error;
    tls_ = TlsSession::call(authorities, "localhost", fd_, error);
    if (!tls_) throw std::runtime_error(error.text());
  }
  void finish_sending() { ::shutdown(fd_, SHUT_WR); }

  // False: the other end is gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto size = tls_ ? patiently([&] { return tls_->send(bytes.data(), bytes.size()); }) : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
  }

  // The next answer; `head_only` where it has no body (HEAD, 100).
  RawAnswer read(bool head_only = false) {
    while (pending_.find("\r\n\r\n") == std::string::npos) {
      if (!fill()) return {};
    }
    const auto end = pending_.find("\r\n\r\n") + 4;
    RawAnswer answer;
    std::size_t at = pending_.find("\r\n") + 2;
    answer.status = std::stoi(pending_.substr(9, 3));
    while (at + 2 < end) {
      const auto line_end = pending_.find("\r\n", at);
      const auto colon = pending_.find(": ", at);
      answer.headers.add(pending_.substr(at, colon - at), pending_.substr(colon + 2, line_end - colon - 2));
      at = line_end + 2;
    }
    pending_.erase(0, end);
    if (head_only || answer.status == 100 || answer.status == 204) return answer;
    const auto length = answer.headers.get("Content-Length");
    const std::size_t size = length ? std::stoul(std::string(*length)) : 0;
    while (pending_.size() < size) {
      if (!fill()) return {};
    }
    answer.body = pending_.substr(0, size);
    pending_.erase(0, size);
    return answer;
  }
  RawAnswer ask(std::string_view bytes) {
    send(bytes);
    return read();
  }
  // The next so many bytes; fewer: the connection ended.
  std::string take(std::size_t size) {
    while (pending_.size() < size && fill()) {
    }
    std::string bytes = pending_.substr(0, size);
    pending_.erase(0, bytes.size());
    return bytes;
  }
  // All up to the connection's end.
  std::string rest() {
    while (fill()) {
    }
    return std::exchange(pending_, {});
  }
  // Whether the other end says goodbye, with nothing more before it.
  bool closed_by_peer() { return pending_.empty() && !fill() && pending_.empty(); }

 private:
  void connect(const sockaddr* address, socklen_t size) {
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(fd_, address, size) != 0) throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  }
  bool fill() {
    char bytes[16384];
    const auto size = tls_ ? patiently([&] { return tls_->receive(bytes, sizeof bytes); }) : ::recv(fd_, bytes, sizeof bytes, 0);
    if (size <= 0) {
      if (size < 0 && errno == EAGAIN) throw std::runtime_error("no answer in ten seconds");
      return false;
    }
    pending_.append(bytes, static_cast<std::size_t>(size));
    return true;
  }

  // TLS does not wait.
  template <class Transfer>
  ssize_t patiently(Transfer transfer) {
    for (;;) {
      const auto size = transfer();
      if (size >= 0 || errno != EAGAIN) return size;
      pollfd ready{fd_, static_cast<short>(tls_->wants_write() ? POLLOUT : POLLIN), 0};
      if (::poll(&ready, 1, 10'000) == 1) continue;
      errno = EAGAIN;
      return -1;
    }
  }

  int fd_;
  std::unique_ptr<TlsSession> tls_;
  std::string pending_;
};

}  // namespace hark::test
