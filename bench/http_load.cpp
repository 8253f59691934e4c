// Posts one signed body of 1 KB over keep-alive connections, each sending its next request when the last was answered.
//   http_load PORT PATH HEADER SECRET CONNECTIONS SECONDS        ->  accepted requests per second
//   http_load PORT PATH HEADER SECRET --stamp SOCKET COUNT [PROGRAM]  ->  "p50_us p99_us" from the post to the handler's first instruction
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/hmac.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/stamp.h"

namespace {

std::string signed_request(const char* path, const char* header, const char* secret) {
  std::string body = R"({"ref":"refs/heads/main","filler":")";
  while (body.size() < 1022) body += 'x';
  body += "\"}";
  unsigned char digest[32];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret, int(std::strlen(secret)), reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest, &size);
  std::string request = std::string("POST ") + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" + header + ": sha256=";
  for (const auto byte : digest) {
    request += "0123456789abcdef"[byte >> 4];
    request += "0123456789abcdef"[byte & 15];
  }
  return request + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

int connect_to(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(std::uint16_t(port));
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) bench::die("connect");
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return fd;
}

void send_all(int fd, const std::string& request) {
  if (write(fd, request.data(), request.size()) != ssize_t(request.size())) bench::die("write");
}

// Whether `answer` holds a whole response; it must be a success.
bool whole(const std::string& answer) {
  const auto head = answer.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  if (answer.compare(9, 1, "2") != 0) {
    std::fprintf(stderr, "answered: %s\n", answer.substr(0, 200).c_str());
    std::exit(1);
  }
  auto at = answer.find("Content-Length: ");
  if (at == std::string::npos || at > head) at = answer.find("content-length: ");
  const auto length = at == std::string::npos ? 0 : std::size_t(std::atol(answer.c_str() + at + 16));
  return answer.size() >= head + 4 + length;
}

void read_answer(int fd) {
  std::string answer;
  char buffer[4096];
  while (!whole(answer)) {
    const auto got = read(fd, buffer, sizeof buffer);
    if (got <= 0) bench::die("read");
    answer.append(buffer, std::size_t(got));
  }
}

void start(const char* program, const char* argument) {
  char* words[] = {const_cast<char*>(program), const_cast<char*>(argument), nullptr};
  pid_t child = 0;
  if (posix_spawn(&child, program, nullptr, nullptr, words, environ) != 0) bench::die(program);
  waitpid(child, nullptr, 0);
}

// `program`: started from here as soon as the post is answered, the least that has to happen; null: the other side starts it.
void latency(int port, const std::string& request, const char* socket_path, int count, const char* program) {
  const bench::StampReceiver receiver(socket_path);
  const int fd = connect_to(port);
  std::vector<std::int64_t> took;
  for (int i = -20; i < count; ++i) {
    const auto sent = bench::now_ns();
    send_all(fd, request);
    if (program != nullptr) {
      read_answer(fd);
      start(program, socket_path);
    }
    const auto stamp = receiver.wait();
    if (program == nullptr) read_answer(fd);
    if (i >= 0) took.push_back(stamp - sent);
    usleep(5000);
  }
  std::sort(took.begin(), took.end());
  std::printf("%.1f %.1f\n", double(took[took.size() / 2]) / 1000, double(took[took.size() * 99 / 100]) / 1000);
}

void throughput(int port, const std::string& request, int connections, double seconds) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::string> answers(static_cast<std::size_t>(connections));
  std::vector<int> sockets;
  for (int i = 0; i < connections; ++i) {
    sockets.push_back(connect_to(port));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = std::uint32_t(i);
    epoll_ctl(epoll, EPOLL_CTL_ADD, sockets.back(), &event);
  }
  for (const int fd : sockets) send_all(fd, request);
  const auto begun = bench::now_ns();
  const auto until = begun + std::int64_t(seconds * 1e9);
  std::int64_t accepted = 0;
  std::vector<epoll_event> ready(256);
  char buffer[4096];
  while (bench::now_ns() < until) {
    const int count = epoll_wait(epoll, ready.data(), int(ready.size()), 1000);
    for (int i = 0; i < count; ++i) {
      const auto index = ready[std::size_t(i)].data.u32;
      const auto got = read(sockets[index], buffer, sizeof buffer);
      if (got <= 0) bench::die("read");
      answers[index].append(buffer, std::size_t(got));
      if (!whole(answers[index])) continue;
      answers[index].clear();
      ++accepted;
      send_all(sockets[index], request);
    }
  }
  std::printf("%.0f\n", double(accepted) / (double(bench::now_ns() - begun) / 1e9));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) return 2;
  const int port = std::atoi(argv[1]);
  const auto request = signed_request(argv[2], argv[3], argv[4]);
  if (std::string_view(argv[5]) == "--stamp" && argc >= 8) {
    latency(port, request, argv[6], std::atoi(argv[7]), argc > 8 ? argv[8] : nullptr);
  } else {
    throughput(port, request, std::atoi(argv[5]), std::atof(argv[6]));
  }
}
