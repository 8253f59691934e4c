#include "platform/outgoing_stream.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
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

bool is_address(const std::string& host) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

// OpenSSL writes to sockets with write(2), which raises SIGPIPE when the other end is gone; ours does not.
int bio_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const auto fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  const auto sent = ::send(fd, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}
int bio_read(BIO* bio, char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const auto fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  const auto got = ::recv(fd, bytes, static_cast<std::size_t>(size), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}
long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};

std::string ssl_reason() {
  const auto code = ERR_peek_last_error();
  const char* text = ERR_reason_error_string(code);
  return text != nullptr ? text : "the connection was closed";
}

}  // namespace

struct TlsSettings::State {
  std::string ca_file;
  std::mutex mutex;
  std::unique_ptr<SSL_CTX, FreeSsl> context;
  std::unique_ptr<BIO_METHOD, FreeSsl> bio;

  // Reading the authorities takes longer (about 20 ms) than a call, so it is done once.
  SSL_CTX* get() {
    std::lock_guard lock(mutex);
    if (context) return context.get();
    std::unique_ptr<SSL_CTX, FreeSsl> made(SSL_CTX_new(TLS_client_method()));
    if (!made) return nullptr;
    SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(made.get(), SSL_MODE_AUTO_RETRY);
    const int loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(made.get())
                                       : SSL_CTX_load_verify_locations(made.get(), ca_file.c_str(), nullptr);
    if (loaded != 1) return nullptr;
    bio.reset(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "hark socket"));
    if (!bio) return nullptr;
    BIO_meth_set_write(bio.get(), bio_write);
    BIO_meth_set_read(bio.get(), bio_read);
    BIO_meth_set_ctrl(bio.get(), bio_control);
    context = std::move(made);
    return context.get();
  }
};

TlsSettings::TlsSettings(std::string ca_file) : state_(std::make_unique<State>()) { state_->ca_file = std::move(ca_file); }
TlsSettings::~TlsSettings() = default;

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
    ssl.reset();
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

  // What an SSL call that did not succeed asks for. True: try again.
  bool wait_for_tls(int result) {
    switch (SSL_get_error(ssl.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return wait(fd, POLLIN, deadline);
      case SSL_ERROR_WANT_WRITE:
        return wait(fd, POLLOUT, deadline);
      default:
        return fail("TLS: " + ssl_reason());
    }
  }

  Duration limit;
  SteadyTime deadline;
  std::stop_token stop;
  int wake;
  int fd = -1;
  std::unique_ptr<SSL, FreeSsl> ssl;
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

bool OutgoingStream::start_tls(const std::string& host, TlsSettings& settings) {
  auto& state = *state_;
  ERR_clear_error();
  SSL_CTX* context = settings.state_->get();
  if (context == nullptr)
    return state.fail("the certificate authorities cannot be read: " + ssl_reason(), "install ca-certificates");
  state.ssl.reset(SSL_new(context));
  BIO* bio = state.ssl ? BIO_new(settings.state_->bio.get()) : nullptr;
  if (bio == nullptr) return state.fail("TLS: " + ssl_reason());
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(state.fd)));
  BIO_set_init(bio, 1);
  SSL_set_bio(state.ssl.get(), bio, bio);

  bool named = false;
  if (is_address(host)) {
    named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(state.ssl.get()), host.c_str()) == 1;
  } else {
    named = SSL_set1_host(state.ssl.get(), host.c_str()) == 1 && SSL_set_tlsext_host_name(state.ssl.get(), host.c_str()) == 1;
  }
  if (!named) return state.fail("TLS: " + ssl_reason());
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(state.ssl.get());
    if (result == 1) return true;
    const long verdict = SSL_get_verify_result(state.ssl.get());
    if (verdict != X509_V_OK) {
      return state.fail(std::string("the certificate is not to be trusted: ") + X509_verify_cert_error_string(verdict),
                        "have one issued for this host by an authority that this system knows");
    }
    if (!state.wait_for_tls(result)) return false;
  }
}

ssize_t OutgoingStream::read(char* bytes, std::size_t size) {
  auto& state = *state_;
  for (;;) {
    if (state.ssl) {
      ERR_clear_error();
      const int got = SSL_read(state.ssl.get(), bytes, static_cast<int>(std::min<std::size_t>(size, 1 << 20)));
      if (got > 0) return got;
      if (SSL_get_error(state.ssl.get(), got) == SSL_ERROR_ZERO_RETURN) return 0;
      if (!state.wait_for_tls(got)) return -1;
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
    if (state.ssl) {
      ERR_clear_error();
      sent = SSL_write(state.ssl.get(), bytes, static_cast<int>(std::min<std::size_t>(size, 1 << 20)));
      if (sent <= 0 && !state.wait_for_tls(static_cast<int>(sent))) return false;
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
