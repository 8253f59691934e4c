#include "platform/outgoing_stream.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "platform/clock.h"
#include "platform/errno_text.h"
#include "platform/listen_socket.h"
#include "platform/thread.h"
#include "platform/tls.h"

namespace hark {

namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

struct Lookup {
  std::mutex mutex;
  std::condition_variable_any done;
  bool finished = false;
  int code = 0;
  std::vector<Address> addresses;
};

int look_up(const std::string& host, std::uint16_t port, int flags, std::vector<Address>& addresses) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) return code;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    Address address;
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.size = each->ai_addrlen;
    addresses.push_back(address);
  }
  freeaddrinfo(found);
  return 0;
}

// Root asks a user's daemon: whoever owns the folder could have put anything there anyway.
bool owns_folder_and_we_are_root(uid_t user, const std::filesystem::path& path) {
  struct stat folder {};
  return ::geteuid() == 0 && ::stat(path.parent_path().c_str(), &folder) == 0 && folder.st_uid == user;
}

}  // namespace

struct OutgoingStream::State {
  State(Duration timeout, std::stop_token token)
      : limit(timeout),
        deadline(steady_now() + std::min<Duration>(timeout, std::chrono::hours(24 * 365))),
        stop(std::move(token)),
        wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (wake < 0) return;
    on_stop.emplace(stop, [fd = wake] { ::eventfd_write(fd, 1); });
  }
  ~State() {
    on_stop.reset();  // before its descriptor goes
    tls.reset();
    if (fd >= 0) ::close(fd);
    if (wake >= 0) ::close(wake);
  }

  // Waits until `events` can be done, at most until `until`. False: it is over, and error says why (not for a mere `until`).
  bool wait(int on, short events, SteadyTime until) {
    for (;;) {
      if (stop.stop_requested()) return fail("cancelled");
      const auto now = steady_now();
      if (now >= deadline) return timed_out();
      if (now >= until) return false;
      const auto left = std::min(until, deadline) - now;
      const timespec patience{std::chrono::duration_cast<std::chrono::seconds>(left).count(),
                              (left % std::chrono::seconds(1)).count()};
      pollfd waiting[] = {{on, events, 0}, {wake, POLLIN, 0}};
      const int ready = ::ppoll(waiting, 2, &patience, nullptr);
      if (ready > 0 && waiting[0].revents != 0 && waiting[1].revents == 0) return true;
    }
  }

  bool timed_out() {
    return fail("no answer within " + to_string(limit), "check that the other end works, or set a longer timeout");
  }

  bool fail(std::string message, std::string cure = {}) {
    if (!error) error = Error{std::move(message), std::move(cure)};
    return false;
  }

  // Addresses need no name server and no thread. A lookup cannot be cancelled: where it takes too long, its thread is left to
  // itself.
  bool resolve(const std::string& host, std::uint16_t port, std::vector<Address>& addresses) {
    if (look_up(host, port, AI_NUMERICHOST, addresses) == 0) return true;
    auto lookup = std::make_shared<Lookup>();
    start_thread("hark-lookup", Scheduling::normal, [lookup, host, port] {
      std::vector<Address> found;
      const int code = look_up(host, port, AI_ADDRCONFIG, found);
      std::lock_guard lock(lookup->mutex);
      lookup->code = code;
      lookup->addresses = std::move(found);
      lookup->finished = true;
      lookup->done.notify_all();
    }).detach();
    std::unique_lock lock(lookup->mutex);
    if (!lookup->done.wait_until(lock, stop, deadline, [&] { return lookup->finished; })) {
      return stop.stop_requested() ? fail("cancelled") : timed_out();
    }
    if (lookup->code != 0)
      return fail("unknown host: " + std::string(gai_strerror(lookup->code)), "check the name, and the network");
    addresses = lookup->addresses;
    return true;
  }

  // 0: connected; else the errno.
  int connect(const sockaddr* address, socklen_t size, SteadyTime until) {
    if (fd >= 0) ::close(fd);
    fd = ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return errno;
    const int on = 1;
    if (address->sa_family != AF_UNIX) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd, address, size) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    if (!wait(fd, POLLOUT, until)) return ETIMEDOUT;
    int number = 0;
    socklen_t length = sizeof number;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &length);
    return number;
  }

  // After a call of the session that did not succeed. True: try again.
  bool wait_for_tls() {
    if (errno == EAGAIN) return wait(fd, tls->wants_write() ? POLLOUT : POLLIN, deadline);
    return fail(tls->error().message, tls->error().cure);
  }

  Duration limit;
  SteadyTime deadline;
  std::stop_token stop;
  int wake;
  int fd = -1;
  std::unique_ptr<TlsSession> tls;
  std::optional<Error> error;
  std::optional<std::stop_callback<std::function<void()>>> on_stop;
};

OutgoingStream::OutgoingStream(Duration timeout, std::stop_token stop)
    : state_(std::make_unique<State>(timeout, std::move(stop))) {}
OutgoingStream::~OutgoingStream() = default;

bool OutgoingStream::connect_tcp(const std::string& host, std::uint16_t port) {
  auto& state = *state_;
  if (state.wake < 0) return state.fail("no free descriptor", "raise the limit of open files (ulimit -n)");
  std::vector<Address> addresses;
  if (!state.resolve(host, port, addresses)) return false;
  int number = EADDRNOTAVAIL;
  for (std::size_t at = 0; at < addresses.size(); ++at) {
    // An address that swallows packets must leave time for the next one.
    const auto share = (state.deadline - steady_now()) / static_cast<int>(addresses.size() - at);
    number = state.connect(reinterpret_cast<const sockaddr*>(&addresses[at].storage), addresses[at].size, steady_now() + share);
    if (number == 0) return true;
    if (state.error) return false;
  }
  return state.fail("cannot connect: " + errno_text(number), "check that the other end runs and listens there");
}

bool OutgoingStream::connect_unix(const std::filesystem::path& path) {
  auto& state = *state_;
  if (state.wake < 0) return state.fail("no free descriptor", "raise the limit of open files (ulimit -n)");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto& name = path.native();
  if (name.empty() || name.size() >= sizeof address.sun_path) return state.fail("the path of the socket is too long");
  std::memcpy(address.sun_path, name.data(), name.size());
  const int number = state.connect(reinterpret_cast<const sockaddr*>(&address), sizeof address, state.deadline);
  if (number != 0) return state.fail("cannot connect: " + errno_text(number), "check that the daemon runs");
  const auto peer = unix_peer(state.fd);
  if (peer.trusted || owns_folder_and_we_are_root(peer.uid, path)) return true;
  return state.fail("the process that answers belongs to user " + std::to_string(peer.uid) + ", neither this one nor root: nothing was sent",
                    "end it and remove the socket, or name the right one");
}

bool OutgoingStream::start_tls(const std::string& host, TlsAuthorities& authorities) {
  auto& state = *state_;
  Error error;
  state.tls = TlsSession::call(authorities, host, state.fd, error);
  if (!state.tls) return state.fail(error.message, error.cure);
  for (;;) {
    const int done = state.tls->shake();
    if (done > 0) return true;
    if (done == 0) return state.fail("TLS: the connection was closed");
    if (!state.wait_for_tls()) return false;
  }
}

ssize_t OutgoingStream::read(char* bytes, std::size_t size) {
  auto& state = *state_;
  for (;;) {
    if (state.tls) {
      const auto got = state.tls->receive(bytes, size);
      if (got >= 0) return got;
      if (!state.wait_for_tls()) return -1;
    } else {
      const auto got = ::recv(state.fd, bytes, size, 0);
      if (got >= 0) return got;
      if (errno != EAGAIN && errno != EINTR) return state.fail("reading failed: " + errno_text(errno)) ? 0 : -1;
      if (!state.wait(state.fd, POLLIN, state.deadline)) return -1;
    }
  }
}

bool OutgoingStream::write(const char* bytes, std::size_t size) {
  auto& state = *state_;
  while (size > 0) {
    ssize_t sent = 0;
    if (state.tls) {
      sent = state.tls->send(bytes, size);
      if (sent == 0) return state.fail("sending failed: the connection was closed");
      if (sent < 0 && !state.wait_for_tls()) return false;
    } else {
      sent = ::send(state.fd, bytes, size, MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) return state.fail("sending failed: " + errno_text(errno));
      if (sent < 0 && !state.wait(state.fd, POLLOUT, state.deadline)) return false;
    }
    if (sent > 0) {
      bytes += sent;
      size -= static_cast<std::size_t>(sent);
    }
  }
  return true;
}

int OutgoingStream::descriptor() const { return state_->fd; }
const std::optional<Error>& OutgoingStream::error() const { return state_->error; }
bool OutgoingStream::fail(std::string message, std::string cure) { return state_->fail(std::move(message), std::move(cure)); }

}  // namespace hark
