// Publishes events of 1 KB and reads them, over hark's HTTP, Redis' streams or NATS' JetStream, with one thread for all clients.
//   bus_load PROTOCOL PORT publish CLIENTS SECONDS   ->  events per second, each client sending its next when the last is acknowledged
//   bus_load PROTOCOL PORT wait READERS COUNT        ->  "p50_us p99_us" from the publish to a reader that waits for the next event
//   bus_load PROTOCOL PORT stream READERS COUNT      ->  "p50_us p99_us" from the publish to the last of the readers that stay subscribed
//   bus_load hark PORT hold READERS SECONDS          ->  "events p50_us p99_us most_us": as many streams and as many polls read along together,
//                                                        twenty events a second; fails when one reader does not get each event once, in order
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/stamp.h"

namespace {

constexpr std::string_view kEnd = "end-of-event";  // the last word of each event: where it is there, the event is

std::string payload(std::size_t envelope) {
  std::string text(1024 - envelope - kEnd.size(), 'x');
  return text.append(kEnd);
}

// What one client says to one kind of server. `size of an answer`: 0 while it is not whole.
struct Protocol {
  std::string greeting;    // sent once
  std::string publish;     // one event
  std::size_t (*acknowledged)(std::string_view received);
  std::string subscribe;   // sent once by a reader that stays
  std::function<std::string(const std::string& cursor)> wait;  // sent for each event by one that waits
  std::size_t (*event)(std::string_view received);
  std::string (*cursor)(std::string_view answer);  // of one's event, for the next wait
};

std::size_t http_answer(std::string_view received) {
  const auto head = received.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  if (received.compare(9, 1, "2") != 0) {
    std::fprintf(stderr, "answered: %.*s\n", int(std::min<std::size_t>(received.size(), 400)), received.data());
    std::exit(1);
  }
  const auto at = received.find("Content-Length: ");
  const auto length = at == std::string_view::npos || at > head ? 0 : std::size_t(std::atol(received.data() + at + 16));
  return received.size() >= head + 4 + length ? head + 4 + length : 0;
}

std::size_t line(std::string_view received) {
  const auto end = received.find("\r\n");
  if (!received.empty() && received[0] == '-') {
    std::fprintf(stderr, "answered: %.*s\n", int(std::min<std::size_t>(received.size(), 200)), received.data());
    std::exit(1);
  }
  return end == std::string_view::npos ? 0 : end + 2;
}

std::size_t to_end(std::string_view received) {
  const auto at = received.find(kEnd);
  return at == std::string_view::npos ? 0 : at + kEnd.size();
}

Protocol hark() {
  Protocol protocol;
  const std::string body = R"({"topic":"bench","data":{"filler":")" + payload(38) + "\"}}";
  protocol.publish = "POST /api/events/bench HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  protocol.acknowledged = http_answer;
  protocol.subscribe = "GET /api/stream?types=bench HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  protocol.wait = [](const std::string& cursor) {
    return "GET /api/events/wait/bench?timeout=60000" + (cursor.empty() ? "" : "&after=" + cursor) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  };
  protocol.event = http_answer;
  protocol.cursor = [](std::string_view answer) {
    const auto at = answer.rfind("\"cursor\":") + 9;
    return std::string(answer.substr(at, answer.find_first_not_of("0123456789", at) - at));
  };
  return protocol;
}

// A bulk string ends with \r\n after its last word; an answer to XADD is "$15\r\n1700000000000-0\r\n".
Protocol redis() {
  Protocol protocol;
  const auto value = payload(1);
  protocol.publish = "*5\r\n$4\r\nXADD\r\n$5\r\nbench\r\n$1\r\n*\r\n$1\r\nd\r\n$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  protocol.acknowledged = [](std::string_view received) {
    const auto first = line(received);
    return first == 0 ? 0 : line(received.substr(first)) == 0 ? 0 : first + line(received.substr(first));
  };
  protocol.wait = [](const std::string& cursor) {
    const auto from = cursor.empty() ? std::string("$") : cursor;
    return "*6\r\n$5\r\nXREAD\r\n$5\r\nBLOCK\r\n$1\r\n0\r\n$7\r\nSTREAMS\r\n$5\r\nbench\r\n$" + std::to_string(from.size()) + "\r\n" + from + "\r\n";
  };
  protocol.event = [](std::string_view received) {
    const auto end = to_end(received);
    return end != 0 && received.size() >= end + 2 ? end + 2 : 0;
  };
  // *1 *2 $5 bench *1 *2 $15 ID
  protocol.cursor = [](std::string_view answer) {
    for (int i = 0; i < 7; ++i) answer.remove_prefix(line(answer));
    return std::string(answer.substr(0, line(answer) - 2));
  };
  return protocol;
}

// Each client has an inbox of its own for JetStream's acknowledgements.
Protocol nats(int client) {
  Protocol protocol;
  const auto value = payload(0);
  const auto inbox = "_INBOX.bench" + std::to_string(client);
  protocol.greeting = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB " + inbox + " 1\r\n";
  protocol.publish = "PUB bench " + inbox + " " + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  protocol.acknowledged = [](std::string_view received) -> std::size_t {
    const auto at = received.find("\"seq\":");
    const auto end = at == std::string_view::npos ? at : received.find("\r\n", at);
    return end == std::string_view::npos ? 0 : end + 2;
  };
  protocol.subscribe = "SUB bench 2\r\n";
  protocol.event = to_end;
  return protocol;
}

Protocol protocol_of(std::string_view name, int client) {
  if (name == "redis") return redis();
  if (name == "nats") return nats(client);
  return hark();
}

class Client {
 public:
  Client(int port, Protocol protocol) : protocol_(std::move(protocol)), fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(std::uint16_t(port));
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) bench::die("connect");
    const int yes = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (!protocol_.greeting.empty()) send(protocol_.greeting);
  }

  const Protocol& protocol() const { return protocol_; }
  int fd() const { return fd_; }

  void send(const std::string& text) const {
    if (write(fd_, text.data(), text.size()) != ssize_t(text.size())) bench::die("write");
  }
  void publish() const { send(protocol_.publish); }
  void wait() const { send(protocol_.wait(cursor_)); }

  // Reads once; whether `whole` finds what it looks for, which is then taken out.
  bool received(std::size_t (*whole)(std::string_view)) {
    char buffer[16384];
    const auto got = read(fd_, buffer, sizeof buffer);
    if (got <= 0) bench::die("read");
    text_.append(buffer, std::size_t(got));
    const auto size = whole(text_);
    if (size == 0) return false;
    answer_ = text_.substr(0, size);
    text_.erase(0, size);
    return true;
  }
  const std::string& answer() const { return answer_; }
  void keep_cursor() { cursor_ = protocol_.cursor(answer_); }

 private:
  Protocol protocol_;
  int fd_;
  std::string text_, answer_, cursor_;
};

class Poller {
 public:
  Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)), ready_(1024) {}
  void add(const Client& client, std::size_t index) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(fd_, EPOLL_CTL_ADD, client.fd(), &event);
  }
  template <typename Call>
  void turn(Call&& call) {
    const int count = epoll_wait(fd_, ready_.data(), int(ready_.size()), 10'000);
    if (count <= 0) bench::die("nothing came for ten seconds");
    for (int i = 0; i < count; ++i) call(std::size_t(ready_[std::size_t(i)].data.u64));
  }

 private:
  int fd_;
  std::vector<epoll_event> ready_;
};

// The numbers of a text's events, each of which is to be the next.
class Counted {
 public:
  // How many more; dies where one is left out or comes twice.
  int take(std::string_view text) {
    int came = 0;
    for (auto at = text.find(kNumber); at != std::string_view::npos; at = text.find(kNumber, at + 1)) {
      const int number = std::atoi(text.data() + at + kNumber.size());
      if (number != next_) {
        std::fprintf(stderr, "a reader got event %d instead of %d\n", number, next_);
        std::exit(1);
      }
      ++next_;
      ++came;
    }
    return came;
  }
  static constexpr std::string_view kNumber = "\"number\":";

 private:
  int next_ = 0;
};

std::deque<Client> clients_of(std::string_view name, int port, int count) {
  std::deque<Client> clients;
  for (int i = 0; i < count; ++i) clients.emplace_back(port, protocol_of(name, i));
  return clients;
}

void publish(std::string_view name, int port, int count, double seconds) {
  auto clients = clients_of(name, port, count);
  Poller poller;
  for (std::size_t i = 0; i < clients.size(); ++i) poller.add(clients[i], i);
  for (const auto& client : clients) client.publish();
  const auto begun = bench::now_ns();
  std::int64_t accepted = 0;
  while (bench::now_ns() < begun + std::int64_t(seconds * 1e9)) {
    poller.turn([&](std::size_t index) {
      auto& client = clients[index];
      if (!client.received(client.protocol().acknowledged)) return;
      ++accepted;
      client.publish();
    });
  }
  std::printf("%.0f\n", double(accepted) / (double(bench::now_ns() - begun) / 1e9));
}

// One event at a time: the next goes out when all have the last, and everything has come to rest.
void read(std::string_view name, int port, int readers, int count, bool stays) {
  auto clients = clients_of(name, port, readers + 1);
  auto& publisher = clients[std::size_t(readers)];
  Poller poller;
  for (std::size_t i = 0; i < clients.size(); ++i) poller.add(clients[i], i);
  const bool asks = clients[0].protocol().wait && !(stays && !clients[0].protocol().subscribe.empty());
  for (int i = 0; i < readers; ++i) {
    auto& client = clients[std::size_t(i)];
    asks ? client.wait() : client.send(client.protocol().subscribe);
  }
  usleep(500'000);
  std::vector<std::int64_t> took;
  for (int round = -20; round < count; ++round) {
    std::vector<std::int64_t> came;
    bool acknowledged = false;
    const auto sent = bench::now_ns();
    publisher.publish();
    while (came.size() < std::size_t(readers) || !acknowledged) {
      poller.turn([&](std::size_t index) {
        auto& client = clients[index];
        if (&client == &publisher) {
          acknowledged = client.received(client.protocol().acknowledged) || acknowledged;
        } else if (client.received(asks ? client.protocol().event : to_end)) {
          came.push_back(bench::now_ns() - sent);
          if (asks) client.keep_cursor();
        }
      });
    }
    if (asks) {
      for (int i = 0; i < readers; ++i) clients[std::size_t(i)].wait();
    }
    usleep(readers > 50 ? 50'000 : 5000);
    if (round < 0) continue;
    if (stays) took.push_back(came.back());
    else took.insert(took.end(), came.begin(), came.end());
  }
  std::sort(took.begin(), took.end());
  std::printf("%.1f %.1f\n", double(took[took.size() / 2]) / 1000, double(took[took.size() * 99 / 100]) / 1000);
}

std::string numbered(int number) {
  const auto body = R"({"topic":"bench","data":{")" + std::string("number\":") + std::to_string(number) + ",\"filler\":\"" + payload(60) + "\"}}";
  return "POST /api/events/bench HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

void hold(int port, int readers, double seconds) {
  auto clients = clients_of("hark", port, 2 * readers + 1);
  std::vector<Counted> counted(clients.size());
  auto& publisher = clients.back();
  Poller poller;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    poller.add(clients[i], i);
    if (i < std::size_t(readers)) {
      clients[i].send(clients[i].protocol().subscribe);
    } else if (&clients[i] != &publisher) {
      clients[i].wait();
    }
  }
  usleep(1'000'000);
  std::vector<std::int64_t> took;
  const int count = int(seconds * 20);
  const auto begun = bench::now_ns();
  for (int number = 0; number < count; ++number) {
    const auto due = begun + std::int64_t(number) * 50'000'000;
    if (const auto now = bench::now_ns(); now < due) usleep(useconds_t((due - now) / 1000));
    const auto sent = bench::now_ns();
    publisher.send(numbered(number));
    bool acknowledged = false;
    for (int missing = 2 * readers; missing > 0 || !acknowledged;) {
      poller.turn([&](std::size_t index) {
        auto& client = clients[index];
        if (!client.received(index < std::size_t(readers) ? to_end : http_answer)) return;
        if (&client == &publisher) {
          acknowledged = true;
          return;
        }
        const int came = counted[index].take(client.answer());
        missing -= came;
        if (came > 0) took.push_back(bench::now_ns() - sent);
        if (index < std::size_t(readers)) return;
        client.keep_cursor();
        client.wait();
      });
    }
  }
  std::sort(took.begin(), took.end());
  std::printf("%d %.1f %.1f %.1f\n", count, double(took[took.size() / 2]) / 1000, double(took[took.size() * 99 / 100]) / 1000, double(took.back()) / 1000);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const std::string_view name = argv[1], what = argv[3];
  const int port = std::atoi(argv[2]), count = std::atoi(argv[4]);
  if (what == "publish") {
    publish(name, port, count, std::atof(argv[5]));
  } else if (what == "hold") {
    hold(port, count, std::atof(argv[5]));
  } else {
    read(name, port, count, std::atoi(argv[5]), what == "stream");
  }
}
