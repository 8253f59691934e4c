// The least a durable webhook receiver does: epoll, check the HMAC of the body, append it, one fdatasync for all that were ready, answer.
//   http_floor FILE SECRET   prints its port
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/hmac.h>
#include <sys/epoll.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bench/stamp.h"

namespace {

// Takes one whole request off the front; returns its body and signature. Trusts its own load: headers are spelt as http_load does.
bool take_request(std::string& input, std::string& body, std::string& signature) {
  const auto head = input.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  const auto length_at = input.find("Content-Length: ");
  const auto length = std::size_t(std::atol(input.c_str() + length_at + 16));
  if (input.size() < head + 4 + length) return false;
  const auto signature_at = input.find("sha256=");
  signature = input.substr(signature_at + 7, 64);
  body = input.substr(head + 4, length);
  input.erase(0, head + 4 + length);
  return true;
}

std::string hex_hmac(std::string_view secret, std::string_view body) {
  unsigned char digest[32];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), int(secret.size()), reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest, &size);
  std::string hex;
  for (const auto byte : digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int file = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_CLOEXEC, 0600);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 1024) != 0) bench::die("listen");
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);

  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event wanted{EPOLLIN, {.fd = listener}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &wanted);
  std::map<int, std::string> inputs;
  std::vector<epoll_event> ready(256);
  while (true) {
    const int count = epoll_wait(epoll, ready.data(), int(ready.size()), -1);
    std::string group;
    std::vector<int> answered;
    for (int i = 0; i < count; ++i) {
      const int fd = ready[std::size_t(i)].data.fd;
      if (fd == listener) {
        const int peer = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        const int yes = 1;
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        epoll_event event{EPOLLIN, {.fd = peer}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, peer, &event);
        continue;
      }
      char buffer[16384];
      const auto got = read(fd, buffer, sizeof buffer);
      if (got <= 0) {
        close(fd);
        inputs.erase(fd);
        continue;
      }
      auto& input = inputs[fd];
      input.append(buffer, std::size_t(got));
      std::string body, signature;
      while (take_request(input, body, signature)) {
        if (hex_hmac(argv[2], body) != signature) return 1;
        group += body;
        group += '\n';
        answered.push_back(fd);
      }
    }
    if (answered.empty()) continue;
    if (write(file, group.data(), group.size()) != ssize_t(group.size()) || fdatasync(file) != 0) bench::die(argv[1]);
    constexpr std::string_view answer = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    for (const int fd : answered) {
      if (write(fd, answer.data(), answer.size()) < 0) bench::die("write");
    }
  }
}
