#include <utility>  // Asio 1.74 needs it before its own headers in C++20

#include "platform/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <list>
#include <optional>
#include <unordered_map>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "platform/clock.h"
#include "platform/http_connection.h"
#include "platform/http_response.h"
#include "platform/listen_socket.h"
#include "platform/loop.h"

namespace hark {
namespace asio = boost::asio;

namespace {

using StreamDescriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

// Connections taken in one turn, so that a burst does not keep those that are there waiting.
constexpr int kAcceptsPerTurn = 64;

std::string address_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  } else if (address.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&in6)) {
      inet_ntop(AF_INET, in6.s6_addr + 12, text, sizeof text);
    } else {
      inet_ntop(AF_INET6, &in6, text, sizeof text);
    }
  }
  return text;
}

}  // namespace

struct HttpServer::State final : HttpConnectionHost, std::enable_shared_from_this<HttpServer::State> {
  // Shared with nobody; weak in its callbacks, which may be queued when it goes.
  struct Listener : std::enable_shared_from_this<Listener> {
    Listener(asio::io_context& context, int fd, bool is_unix) : descriptor(context, fd), retry(context), unix_socket(is_unix) {}
    StreamDescriptor descriptor;
    asio::steady_timer retry;  // while there is no free descriptor
    bool unix_socket;
    std::size_t connections = 0;
  };
  using Connections = std::list<std::shared_ptr<HttpConnection>>;

  State(asio::io_context& io, HttpServerOptions with) : context(io), options_(with), timer(io) {}

  const HttpRoutes& routes() const override { return routes_; }
  const HttpServerOptions& options() const override { return options_; }
  bool stopping() const override { return stopping_; }
  void refused(const HttpRefused& refused) override {
    if (tell_refused) tell_refused(refused);
  }

  std::string_view date() override {
    const auto now = std::time(nullptr);
    if (now != date_of) {
      date_of = now;
      date_text = http_date(now);
    }
    return date_text;
  }

  Duration allowed(HttpPhase phase) const {
    switch (phase) {
      case HttpPhase::idle:
        return options_.idle_deadline;
      case HttpPhase::head:
        return options_.head_deadline;
      case HttpPhase::body:
        return options_.body_deadline;
      case HttpPhase::write:
        return options_.write_deadline;
      case HttpPhase::drain:
        return options_.drain_deadline;
      case HttpPhase::quiet:
        return options_.ping_interval;
      case HttpPhase::pong:
        return options_.pong_deadline;
      case HttpPhase::closing:
        return options_.close_deadline;
      case HttpPhase::answer:
        break;
    }
    return Duration::max();
  }

  Connections& in(HttpPhase phase) { return phases[static_cast<std::size_t>(phase)]; }

  // Everybody in a phase has the same time, so the one who entered first is due first: a list a phase is a queue of deadlines,
  // and one timer, set to the earliest, serves all connections.
  void enter(HttpConnection& connection, HttpPhase phase) override {
    auto& to = in(phase);
    to.splice(to.end(), in(connection.phase), connection.place);
    connection.phase = phase;
    if (phase == HttpPhase::answer) return;
    connection.deadline = steady_now() + allowed(phase);
    if (connection.deadline < timer_at) set_timer(connection.deadline);
  }

  void set_timer(SteadyTime at) {
    timer_at = at;
    timer.expires_at(at);
    timer.async_wait([weak = weak_from_this()](boost::system::error_code error) {
      const auto self = weak.lock();
      if (!error && self) self->expire();
    });
  }

  void expire() {
    const auto now = steady_now();
    auto next = SteadyTime::max();
    for (std::size_t phase = 0; phase < kHttpPhases; ++phase) {
      if (phase == static_cast<std::size_t>(HttpPhase::answer)) continue;
      auto& waiting = phases[phase];
      while (!waiting.empty() && waiting.front()->deadline <= now) {
        const auto connection = waiting.front();
        connection->expired();  // it leaves this list
      }
    }
    for (std::size_t phase = 0; phase < kHttpPhases; ++phase) {
      if (phase == static_cast<std::size_t>(HttpPhase::answer) || phases[phase].empty()) continue;
      next = std::min(next, phases[phase].front()->deadline);
    }
    timer_at = SteadyTime::max();
    if (next != SteadyTime::max()) set_timer(next);
  }

  void closed(HttpConnection& connection) override {
    --count(connection.control());
    if (const auto of_peer = peers.find(connection.peer()); !connection.control() && of_peer != peers.end() && --of_peer->second == 0) peers.erase(of_peer);
    if (on_closed && tcp_connections + control_connections == 0) asio::post(context, std::exchange(on_closed, nullptr));
    in(connection.phase).erase(connection.place);
    for (auto* listener : {tcp.get(), unix_listener.get()}) {
      if (listener != nullptr && listener->retry.cancel() > 0) accept_later(*listener);  // a descriptor is free now
    }
  }

  std::size_t& count(bool control) { return control ? control_connections : tcp_connections; }

  void accept_later(Listener& listener) {
    listener.descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                   [weak = weak_from_this(), waiting = listener.weak_from_this()](boost::system::error_code error) {
                                     const auto self = weak.lock();
                                     const auto it = waiting.lock();
                                     if (!error && self && it) self->accept(*it);
                                   });
  }

  void accept(Listener& listener) {
    for (int taken = 0; taken < kAcceptsPerTurn; ++taken) {
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      const int fd = ::accept4(listener.descriptor.native_handle(), reinterpret_cast<sockaddr*>(&address), &size,
                               SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) {
        take(listener, fd, address);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return pause(listener);
      } else if (errno == EAGAIN) {
        break;
      }
      // Anything else is an error of that one connection (accept(2)): it went before it was taken.
    }
    accept_later(listener);
  }

  // The listening socket stays readable, so that waiting on it would turn the loop without end.
  void pause(Listener& listener) {
    listener.retry.expires_after(limits::kHttpAcceptPause);
    listener.retry.async_wait([weak = weak_from_this(), waiting = listener.weak_from_this()](boost::system::error_code error) {
      const auto self = weak.lock();
      const auto it = waiting.lock();
      if (!error && self && it) self->accept(*it);
    });
  }

  void take(Listener& listener, int fd, const sockaddr_storage& address) {
    PeerIdentity peer;
    if (listener.unix_socket) {
      peer = unix_peer(fd);
    } else {
      peer = {address_text(address), true};
    }
    auto& taken = count(listener.unix_socket);
    const bool counted = !listener.unix_socket && !(options_.spare_loopback && is_loopback(peer.name));
    const auto known = peers.find(peer.name);
    const auto of_one = counted && known != peers.end() ? known->second : 0;
    if (!peer.trusted || taken >= options_.max_connections + limits::kHttpTurnedAway || of_one >= options_.max_of_one + limits::kHttpTurnedAway) {
      ::close(fd);
      return;
    }
    auto tls = certificate && !listener.unix_socket ? TlsSession::take(certificate, fd) : nullptr;
    if (certificate && !listener.unix_socket && !tls) {
      ::close(fd);
      return;
    }
    auto connection =
        std::make_shared<HttpConnection>(context, fd, std::move(tls), shared_from_this(), std::move(peer.name), listener.unix_socket);
    auto& idle = in(HttpPhase::idle);
    connection->place = idle.insert(idle.end(), connection);
    ++taken;
    if (counted) ++peers[connection->peer()];
    connection->start();
    if (taken > options_.max_connections || (counted && of_one >= options_.max_of_one)) connection->turn_away();
  }

  static void close_listener(Listener* listener) {
    if (listener == nullptr) return;
    boost::system::error_code ignored;
    listener->descriptor.close(ignored);
    listener->retry.cancel();
  }

  void stop_listening() {
    close_listener(tcp.get());
    close_listener(unix_listener.get());
    if (unix_file) remove_socket_file(*unix_file);
    unix_file.reset();
    port = 0;
  }

  template <class Visit>
  void each(Visit visit) {
    for (auto& list : phases) {
      const auto copy = list;  // a visit may close one
      for (const auto& connection : copy) visit(*connection);
    }
  }

  asio::io_context& context;
  HttpServerOptions options_;
  HttpRoutes routes_;
  std::array<Connections, kHttpPhases> phases;
  asio::steady_timer timer;
  SteadyTime timer_at = SteadyTime::max();
  std::time_t date_of = 0;
  std::string date_text;
  std::size_t tcp_connections = 0;
  std::unordered_map<std::string, std::size_t> peers;  // those of each address
  std::size_t control_connections = 0;
  std::function<void()> on_closed;  // wanted by stop_accepting()
  std::function<void(const HttpRefused&)> tell_refused;
  std::shared_ptr<const TlsCertificate> certificate;
  std::shared_ptr<Listener> tcp;
  std::shared_ptr<Listener> unix_listener;
  std::optional<UnixListenSocket> unix_file;
  std::string host;
  std::uint16_t port = 0;
  bool stopping_ = false;
};

HttpServer::HttpServer(Loop& loop, HttpServerOptions options) : state_(std::make_shared<State>(loop.context(), options)) {}

HttpServer::~HttpServer() {
  state_->stopping_ = true;
  state_->abandoned = true;
  state_->stop_listening();
  state_->each([](HttpConnection& connection) { connection.close(); });
  state_->timer.cancel();
}

Status HttpServer::listen(const std::string& host, std::uint16_t port) {
  auto& state = *state_;
  if (state.stopping_) return Error{"the listener is closing down", "start the daemon again"};
  if (state.tcp) {
    if (host == state.host && (port == state.port || port == 0)) return {};
    return Error{"already listening on " + state.host + ":" + std::to_string(state.port) + ", there is one listener", "name the same webhook_host and webhook_port"};
  }
  return move_to(host, port);
}

Status HttpServer::move_to(const std::string& host, std::uint16_t port) {
  auto& state = *state_;
  if (state.stopping_) return Error{"the listener is closing down", "start the daemon again"};
  auto socket = listen_tcp(host, port);
  if (!socket) {
    auto error = socket.error();
    if (state.tcp && port == state.port) error.cure = "take another webhook_port as well, or restart the daemon: it holds this port itself, on " + state.host;
    return error;
  }
  stop_listening();
  state.tcp = std::make_shared<State::Listener>(state.context, socket->fd, false);
  state.host = host;
  state.port = socket->port;
  state.accept_later(*state.tcp);
  return {};
}

void HttpServer::use_certificate(std::shared_ptr<const TlsCertificate> certificate) { state_->certificate = std::move(certificate); }

void HttpServer::stop_listening() {
  auto& state = *state_;
  if (!state.tcp) return;
  state.accept(*state.tcp);  // whoever has connected already is served
  State::close_listener(state.tcp.get());
  state.tcp.reset();
  state.port = 0;
}

std::uint16_t HttpServer::port() const { return state_->port; }

Status HttpServer::listen_unix(const std::filesystem::path& path) {
  auto& state = *state_;
  if (state.stopping_) return Error{"the listener is closing down", "start the daemon again"};
  if (state.unix_listener) {
    if (state.unix_file->path == path) return {};
    return Error{"already listening on " + state.unix_file->path.string(), "restart the daemon to change its place"};
  }
  auto socket = listen_unix_socket(path);
  if (!socket) return socket.error();
  state.unix_listener = std::make_shared<State::Listener>(state.context, socket->fd, true);
  state.unix_file = std::move(*socket);
  state.accept_later(*state.unix_listener);
  return {};
}

bool HttpServer::add(HttpRoute route, bool control_only) { return state_->routes_.add(std::move(route), control_only); }
void HttpServer::remove(std::string_view method, std::string_view path) { state_->routes_.remove(method, path); }

void HttpServer::on_refused(std::function<void(const HttpRefused&)> tell) { state_->tell_refused = std::move(tell); }

void HttpServer::stop_accepting(std::function<void()> closed) {
  state_->stopping_ = true;
  state_->stop_listening();
  state_->each([](HttpConnection& connection) { connection.stop(); });
  if (!closed) return;
  if (connections() == 0) {
    asio::post(state_->context, std::move(closed));
  } else {
    state_->on_closed = std::move(closed);
  }
}

std::size_t HttpServer::connections() const { return state_->tcp_connections + state_->control_connections; }

}  // namespace hark
