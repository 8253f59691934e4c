#include <utility>  // Asio 1.74 needs it before its own headers in C++20

#include "platform/web_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <list>
#include <optional>

#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "core/limits.h"
#include "core/printable.h"
#include "platform/http_connection.h"
#include "platform/http_response.h"
#include "platform/web_socket_session.h"

namespace hark {
namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

namespace {

// A message's bytes are taken in pieces of at most this, so that what all have on their way in can be bounded while it comes.
constexpr std::size_t kPieceOfMessage = 64 * 1024;
// A message's buffer that grew beyond this is given back.
constexpr std::size_t kKeepMessage = 4 * 1024;
// Written at once: what a TLS record holds. A frame's head and a small payload go together.
constexpr std::size_t kWrittenAtOnce = 16 * 1024;

constexpr int kNoCode = 1005;        // RFC 6455, 7.1.5: the peer's close frame had none
constexpr int kWithoutGoodbye = 1006;

// Who is told what becomes of the bytes.
class WireWatcher {
 public:
  virtual ~WireWatcher() = default;
  virtual void heard() = 0;
  virtual void blocked(bool now) = 0;  // the peer takes nothing; it takes some again
};

// The socket, with TLS or without, as Beast wants a stream: one type, so that all there is to a WebSocket is compiled and tested once.
class Wire {
 public:
  using executor_type = asio::io_context::executor_type;
  using Wait = asio::posix::descriptor_base;

  Wire(asio::io_context& context, int fd, std::unique_ptr<TlsSession> tls, std::string begun, WireWatcher& watcher)
      : descriptor_(context, fd), tls_(std::move(tls)), begun_(std::move(begun)), watcher_(watcher) {}

  executor_type get_executor() noexcept { return descriptor_.get_executor(); }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return transfer([this, buffers] { return read_into(buffers); }, Wait::wait_read, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return transfer([this, buffers] { return write_from(buffers); }, Wait::wait_write, std::forward<Token>(token));
  }

  // Says that nothing more comes; what the peer still sends can be read.
  void shut() {
    if (std::exchange(shut_, true) || !descriptor_.is_open()) return;
    if (tls_) tls_->close_notify();
    ::shutdown(descriptor_.native_handle(), SHUT_WR);
  }
  void close() {
    if (!descriptor_.is_open()) return;
    if (tls_ && !std::exchange(shut_, true)) tls_->close_notify();
    boost::system::error_code ignored;
    descriptor_.close(ignored);
  }
  bool gone() const { return gone_ || !descriptor_.is_open(); }  // there is no other end

  // Throws away what still comes, and calls at its end. Not while something else reads.
  void discard(std::array<char, 64 * 1024>& scratch, std::function<void()> then) {
    descriptor_.async_wait(Wait::wait_read, [this, &scratch, then = std::move(then)](boost::system::error_code error) mutable {
      const auto size = error ? -1 : ::recv(descriptor_.native_handle(), scratch.data(), scratch.size(), MSG_DONTWAIT);
      if (size > 0 || (!error && size < 0 && errno == EAGAIN)) return discard(scratch, std::move(then));
      then();
    });
  }

 private:
  // Tries first and waits then: TLS may hold bytes that the socket no longer has.
  template <class Attempt>
  struct Transfer {
    Wire& wire;
    Attempt attempt;
    Wait::wait_type wait;
    bool waited = false;  // a handler must not be called from where the operation begins
    bool done = false;
    std::size_t size = 0;
    boost::system::error_code failure = {};

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}) {
      if (done) return self.complete(failure, size);
      if (!error && !wire.descriptor_.is_open()) error = asio::error::operation_aborted;
      const auto moved = error ? -1 : attempt();
      if (!error && moved < 0 && (errno == EAGAIN || errno == EINTR)) {
        waited = true;
        return wire.descriptor_.async_wait(wire.tls_ ? (wire.tls_->wants_write() ? Wait::wait_write : Wait::wait_read) : wait, std::move(self));
      }
      done = true;
      size = moved > 0 ? static_cast<std::size_t>(moved) : 0;
      failure = error;
      if (!error && moved < 0) failure.assign(errno, boost::system::system_category());
      if (!error && moved == 0) failure = asio::error::eof;
      if (failure) wire.gone_ = true;
      if (waited) return self.complete(failure, size);
      asio::post(wire.get_executor(), std::move(self));
    }
  };
  template <class Attempt, class Token>
  auto transfer(Attempt attempt, Wait::wait_type wait, Token&& token) {
    return asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(Transfer<Attempt>{*this, std::move(attempt), wait}, token, descriptor_);
  }

  template <class Buffers>
  ssize_t read_into(const Buffers& buffers) {
    const asio::mutable_buffer into = *asio::buffer_sequence_begin(buffers);
    ssize_t size = 0;
    if (!begun_.empty()) {
      size = static_cast<ssize_t>(asio::buffer_copy(into, asio::buffer(begun_)));
      begun_.erase(0, static_cast<std::size_t>(size));
    } else {
      size = tls_ ? tls_->receive(static_cast<char*>(into.data()), into.size()) : ::recv(descriptor_.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
    }
    if (size > 0) watcher_.heard();
    return size;
  }
  template <class Buffers>
  ssize_t write_from(const Buffers& buffers) {
    std::array<char, kWrittenAtOnce> bytes;
    const auto count = asio::buffer_copy(asio::buffer(bytes), buffers);
    const auto size = tls_ ? tls_->send(bytes.data(), count) : ::send(descriptor_.native_handle(), bytes.data(), count, MSG_DONTWAIT | MSG_NOSIGNAL);
    watcher_.blocked(size < 0 && errno == EAGAIN);
    return size;
  }

  asio::posix::basic_stream_descriptor<executor_type> descriptor_;
  std::unique_ptr<TlsSession> tls_;
  std::string begun_;  // read before it was a WebSocket
  WireWatcher& watcher_;
  bool shut_ = false;
  bool gone_ = false;
};

// What Beast finds by its names: how a wire is closed, at once and in order.
void beast_close_socket(Wire& wire) { wire.close(); }
template <class Handler>
void async_teardown(boost::beast::role_type, Wire& wire, Handler&& handler) {
  wire.shut();
  asio::post(wire.get_executor(), [handler = std::forward<Handler>(handler)]() mutable { handler(boost::system::error_code{}); });
}

// RFC 6455, 7.4.1, of what Beast finds wrong: it has told the peer the same.
int code_of(const boost::system::error_code& error) {
  if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow) return websocket::close_code::too_big;
  if (error == websocket::error::bad_frame_payload) return websocket::close_code::bad_payload;
  if (error == websocket::condition::protocol_violation) return websocket::close_code::protocol_error;
  return kWithoutGoodbye;
}

class BeastWebSocket final : public WebSocketSession, public WireWatcher, public std::enable_shared_from_this<BeastWebSocket> {
 public:
  BeastWebSocket(std::weak_ptr<HttpConnection> connection, std::string key, const HttpResponse& response)
      : connection_(std::move(connection)), key_(std::move(key)), max_message_(std::max<std::size_t>(response.max_message, 1)) {
    for (const auto& [name, value] : response.headers.entries()) {
      if (may_be_sent(name, value) && !equal_ignoring_case(name, "Upgrade")) headers_.add(name, value);
    }
    if (!response.subprotocol.empty() && valid_header("Sec-WebSocket-Protocol", response.subprotocol)) headers_.add("Sec-WebSocket-Protocol", response.subprotocol);
  }

  std::shared_ptr<WebSocket> handle() override;
  void start(asio::io_context& context, int fd, std::unique_ptr<TlsSession> tls, std::string begun) override;
  void expired() override;
  void stop() override { close(websocket::close_code::going_away, "the server closes down"); }
  void drop() override {
    end(kWithoutGoodbye, {});
    if (socket_) socket_->next_layer().close();
  }

  // What WebSocket promises.
  void send(std::string text);
  std::size_t pending() const { return over_ ? 0 : pending_; }
  void close(std::uint16_t code, std::string_view reason);
  template <class... Arguments>
  using Callback = std::shared_ptr<std::function<void(Arguments...)>>;  // shared with a call under way, which may set another
  Callback<std::string> on_message;
  Callback<> on_drained;
  std::function<void(int, const std::string&)> on_closed;

 private:
  // Without permessage-deflate: a window of 32 KiB and more a peer, and a few bytes that become a megabyte, for small texts.
  using Socket = websocket::stream<Wire, false>;

  void heard() override;
  void blocked(bool now) override;
  void settle(bool renew = false);
  void read();
  void take_piece(std::size_t size);
  void take_message();
  void go_on();
  void written(const boost::system::error_code& error);
  void closed(const boost::system::error_code& error);
  void end(int code, const std::string& reason);
  void finish();
  void release_message();
  template <class... Arguments>
  void call(Callback<Arguments...> callback, Arguments... arguments);

  std::weak_ptr<HttpConnection> connection_;
  std::string key_;
  std::size_t max_message_;
  HttpHeaders headers_;  // of the 101
  std::optional<Socket> socket_;
  boost::beast::flat_buffer message_;
  std::list<std::string> queue_;  // to be sent; the first is under way while writing_
  std::size_t pending_ = 0;
  std::uint64_t counted_ = 0;  // of the host's buffered bytes
  int code_ = 0;               // of our goodbye
  std::string reason_;
  bool open_ = false;  // the 101 is sent
  bool writing_ = false;
  bool blocked_ = false;
  bool pinging_ = false;         // nothing was heard since a ping
  bool ping_under_way_ = false;  // ... which is not sent yet
  bool closing_ = false;         // by us
  bool goodbye_said_ = false;
  bool over_ = false;
};

class WebSocketHandle final : public WebSocket {
 public:
  explicit WebSocketHandle(std::weak_ptr<BeastWebSocket> socket) : socket_(std::move(socket)) {}
  ~WebSocketHandle() override { end(websocket::close_code::normal, {}); }
  void send(std::string text) override {
    if (const auto socket = socket_.lock()) socket->send(std::move(text));
  }
  std::size_t pending() const override {
    const auto socket = socket_.lock();
    return socket ? socket->pending() : 0;
  }
  void close(std::uint16_t code, std::string_view reason) override { end(code, reason); }
  void on_message(std::function<void(std::string)> call) override {
    if (const auto socket = socket_.lock()) socket->on_message = std::make_shared<decltype(call)>(std::move(call));
  }
  void on_drained(std::function<void()> call) override {
    if (const auto socket = socket_.lock()) socket->on_drained = std::make_shared<decltype(call)>(std::move(call));
  }
  void on_closed(std::function<void(int, const std::string&)> call) override {
    if (const auto socket = socket_.lock()) socket->on_closed = std::move(call);
  }

 private:
  void end(std::uint16_t code, std::string_view reason) {
    if (const auto socket = socket_.lock()) socket->close(code, reason);
  }

  std::weak_ptr<BeastWebSocket> socket_;
};

std::shared_ptr<WebSocket> BeastWebSocket::handle() { return std::make_shared<WebSocketHandle>(weak_from_this()); }

void BeastWebSocket::start(asio::io_context& context, int fd, std::unique_ptr<TlsSession> tls, std::string begun) {
  const auto connection = connection_.lock();
  auto& socket = socket_.emplace(context, fd, std::move(tls), std::move(begun), *this);
  settle();
  socket.auto_fragment(false);
  socket.read_message_max(max_message_);
  socket.set_option(websocket::stream_base::decorator([this, date = std::string(connection->host().date())](websocket::response_type& response) {
    response.set(http::field::date, date);
    for (const auto& [name, value] : headers_.entries()) response.insert(name, value);
  }));
  // The parser and the offer have judged it: this is what is left of it.
  http::request<http::empty_body> request(http::verb::get, "/", 11);
  request.set(http::field::host, "localhost");
  request.set(http::field::connection, "upgrade");
  request.set(http::field::upgrade, "websocket");
  request.set(http::field::sec_websocket_key, key_);
  request.set(http::field::sec_websocket_version, "13");
  socket.async_accept(request, [self = shared_from_this()](boost::system::error_code error) {
    if (error) return self->closed(error);
    self->open_ = true;
    self->read();
    self->go_on();
  });
}

void BeastWebSocket::heard() {
  pinging_ = false;
  settle(true);
}

void BeastWebSocket::blocked(bool now) {
  blocked_ = now;
  settle();
}

// Says which deadline runs. While it closes, one for all of that.
void BeastWebSocket::settle(bool renew) {
  const auto connection = connection_.lock();
  if (!connection) return;
  HttpPhase next = HttpPhase::quiet;
  if (over_) {
    next = HttpPhase::drain;
  } else if (closing_) {
    next = HttpPhase::closing;
  } else if (blocked_) {
    next = HttpPhase::write;
  } else if (pinging_) {
    next = HttpPhase::pong;
  }
  if (next != connection->phase || (renew && next == HttpPhase::quiet)) connection->enter(next);
}

void BeastWebSocket::expired() {
  const auto connection = connection_.lock();
  if (connection->phase != HttpPhase::quiet || !open_) {
    end(kWithoutGoodbye, {});
    return finish();
  }
  pinging_ = true;
  settle();
  if (std::exchange(ping_under_way_, true)) return;
  socket_->async_ping({}, [self = shared_from_this()](boost::system::error_code) { self->ping_under_way_ = false; });
}

// Goes on while the socket is open, also when it closes: the peer's goodbye comes this way.
void BeastWebSocket::read() {
  socket_->async_read_some(message_, kPieceOfMessage, [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
    if (error) return self->closed(error);
    self->take_piece(size);
    if (!self->over_) self->read();
  });
}

void BeastWebSocket::take_piece(std::size_t size) {
  const auto connection = connection_.lock();
  if (!connection || over_) return;
  counted_ += size;
  connection->host().buffered += size;
  if (!closing_ && !socket_->got_text()) close(websocket::close_code::unknown_data, "text only");
  if (!closing_ && connection->host().buffered > limits::kHttpBuffered) close(websocket::close_code::try_again_later, "too much at once");
  if (closing_) return release_message();
  if (socket_->is_message_done()) take_message();
}

void BeastWebSocket::take_message() {
  std::string text = boost::beast::buffers_to_string(message_.data());
  release_message();
  call(on_message, std::move(text));
}

void BeastWebSocket::release_message() {
  message_.consume(message_.size());
  if (message_.capacity() > kKeepMessage) message_.shrink_to_fit();
  const auto counted = std::exchange(counted_, 0);
  if (const auto connection = connection_.lock()) connection->host().buffered -= counted;
}

void BeastWebSocket::send(std::string text) {
  if (over_ || closing_) return;
  pending_ += text.size();
  queue_.push_back(std::move(text));
  go_on();
}

void BeastWebSocket::close(std::uint16_t code, std::string_view reason) {
  if (over_ || std::exchange(closing_, true)) return;
  while (reason.size() > limits::kWebSocketReason || !is_utf8(reason)) reason.remove_suffix(1);
  code_ = code;
  reason_ = reason;
  if (socket_) settle();
  go_on();
}

void BeastWebSocket::go_on() {
  if (!open_ || writing_ || over_) return;
  if (!queue_.empty()) {
    writing_ = true;
    socket_->async_write(asio::buffer(queue_.front()), [self = shared_from_this()](boost::system::error_code error, std::size_t) { self->written(error); });
  } else if (closing_ && !std::exchange(goodbye_said_, true)) {
    const websocket::close_reason goodbye(static_cast<websocket::close_code>(code_), boost::beast::string_view(reason_.data(), reason_.size()));
    socket_->async_close(goodbye, [self = shared_from_this()](boost::system::error_code error) { self->closed(error); });
  }
}

void BeastWebSocket::written(const boost::system::error_code& error) {
  // Aborted: the peer has closed, or is made to; whoever reads says with which code. Nothing more is written.
  if (error == asio::error::operation_aborted) return;
  if (error) return closed(error);
  writing_ = false;
  pending_ -= queue_.front().size();
  queue_.pop_front();
  if (queue_.empty() && !over_) call(on_drained);
  go_on();
}

// Either end has closed, or broken off: Beast is through with it.
void BeastWebSocket::closed(const boost::system::error_code& error) {
  if (over_) return;
  const bool by_peer = error == websocket::error::closed;
  if (goodbye_said_) {
    end(code_, reason_);
  } else if (by_peer) {
    const auto& goodbye = socket_->reason();
    end(goodbye.code == websocket::close_code::none ? kNoCode : static_cast<int>(goodbye.code), std::string(goodbye.reason.data(), goodbye.reason.size()));
  } else {
    end(code_of(error), {});
  }
  auto& wire = socket_->next_layer();
  if (by_peer || goodbye_said_ || wire.gone()) return finish();
  // The peer was told what it did wrong. Closing now, with bytes unread, would send a reset that can overtake that.
  wire.shut();
  settle();
  const auto connection = connection_.lock();
  if (connection) wire.discard(connection->host().scratch, [self = shared_from_this(), host = connection] { self->finish(); });
}

// Nothing more is sent or heard.
void BeastWebSocket::end(int code, const std::string& reason) {
  if (std::exchange(over_, true)) return;
  release_message();
  on_message = nullptr;
  on_drained = nullptr;
  const auto connection = connection_.lock();
  if (connection && on_closed) connection->tell_later([tell = std::move(on_closed), code, reason] { tell(code, reason); });
  on_closed = nullptr;
}

void BeastWebSocket::finish() {
  socket_->next_layer().close();
  if (const auto connection = connection_.lock()) connection->close();
}

// A callback may throw over what the peer has sent: that is the end of this socket alone.
template <class... Arguments>
void BeastWebSocket::call(Callback<Arguments...> callback, Arguments... arguments) {
  if (!callback || !*callback) return;
  try {
    (*callback)(std::move(arguments)...);
  } catch (const std::exception&) {
    close(websocket::close_code::internal_error, {});
  }
}

}  // namespace

std::shared_ptr<WebSocketSession> make_web_socket(std::weak_ptr<HttpConnection> connection, std::string key, const HttpResponse& response) {
  return std::make_shared<BeastWebSocket>(std::move(connection), std::move(key), response);
}

}  // namespace hark
