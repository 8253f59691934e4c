#include "platform/http_connection.h"

#include <sys/socket.h>

#include <cerrno>
#include <exception>

#include <boost/asio/posix/descriptor_base.hpp>
#include <boost/asio/post.hpp>

#include "core/limits.h"
#include "platform/http_response.h"
#include "platform/http_stream.h"

namespace hark {
namespace asio = boost::asio;

namespace {

// Answers are gathered up to this and then written: a client that pipelines small requests for large answers must read them.
constexpr std::size_t kGatherAnswers = 256 * 1024;
// Buffers of a connection that grew beyond this are given back.
constexpr std::size_t kKeepBuffer = 16 * 1024;

// Owned by the responder and all its copies: whoever drops the last one unanswered has answered 500.
class PendingAnswer {
 public:
  PendingAnswer(std::weak_ptr<HttpConnection> connection, std::uint64_t turn) : connection_(std::move(connection)), turn_(turn) {}
  ~PendingAnswer() {
    if (connection_.expired()) return;
    try {
      answer(problem(500, "Internal Server Error", "the request was not answered"));
    } catch (const std::exception&) {
      // Out of memory: the connection stays unanswered and its client gives up.
    }
  }
  PendingAnswer(const PendingAnswer&) = delete;
  PendingAnswer& operator=(const PendingAnswer&) = delete;

  void answer(const HttpResponse& response) {
    const auto connection = std::exchange(connection_, {}).lock();
    if (connection) connection->respond(turn_, response);
  }

 private:
  std::weak_ptr<HttpConnection> connection_;
  std::uint64_t turn_;
};

// Of an answer without an end.
class ConnectionStream final : public HttpStream {
 public:
  explicit ConnectionStream(std::weak_ptr<HttpConnection> connection) : connection_(std::move(connection)) {}
  ~ConnectionStream() override { end(); }
  void write(std::string bytes) override {
    if (const auto connection = connection_.lock()) connection->stream_write(bytes);
  }
  std::size_t pending() const override {
    const auto connection = connection_.lock();
    return connection ? connection->stream_pending() : 0;
  }
  void close() override { end(); }
  void on_drained(std::function<void()> call) override {
    if (const auto connection = connection_.lock()) connection->stream_on_drained(std::move(call));
  }
  void on_closed(std::function<void()> call) override {
    if (const auto connection = connection_.lock()) connection->stream_on_closed(std::move(call));
  }

 private:
  void end() {
    if (const auto connection = connection_.lock()) connection->stream_close();
  }

  std::weak_ptr<HttpConnection> connection_;
};

void give_back(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeepBuffer) std::string().swap(buffer);
}

}  // namespace

HttpConnection::HttpConnection(asio::io_context& context, int fd, std::unique_ptr<TlsSession> tls, std::shared_ptr<HttpConnectionHost> host,
                               std::string peer, bool control)
    : descriptor_(context, fd),
      tls_(std::move(tls)),
      host_(std::move(host)),
      parser_(host_->options().max_head),
      peer_(std::move(peer)),
      control_(control) {}

void HttpConnection::start() {
  host_->enter(*this, HttpPhase::head);  // whoever connects has something to say
  wait_readable();
}

void HttpConnection::turn_away() {
  if (tls_) {
    tell_refused(503, "too many connections");
    return close();
  }
  HttpResponse response = problem(503, "Service Unavailable", "too many connections");
  response.headers.add("Retry-After", "1");
  tell_refused(503, "too many connections");
  refuse(response);
  go_on();
}

void HttpConnection::expired() {
  if (is_handed_over()) return web_socket_->expired();
  const bool incomplete = phase == HttpPhase::head || phase == HttpPhase::body;
  if (!incomplete || is_silent()) return close();
  tell_refused(408, "the request did not arrive in time");
  refuse(problem(408, "Request Timeout", "the request did not arrive in time"));
  go_on();
}

// Between requests, or before the first: nothing of one is here yet.
bool HttpConnection::is_silent() const { return phase == HttpPhase::idle || (phase == HttpPhase::head && !parser_.started()); }

void HttpConnection::stop() {
  if (web_socket_) return web_socket_->stop();
  if (stream_) return stream_close();
  if (is_silent()) close();
}

void HttpConnection::close() {
  if (closed_) return;
  closed_ = true;
  release_body();
  if (web_socket_) web_socket_->drop();
  if (stream_) {
    tell_later(std::exchange(stream_->closed, nullptr));
    stream_->drained = nullptr;
  }
  if (tls_) tls_->close_notify();
  boost::system::error_code ignored;
  descriptor_.close(ignored);
  route_.reset();
  host_->closed(*this);
}

// The other end has gone. Nobody is there to be told, but that it had begun to say something is for the record.
void HttpConnection::break_off() {
  if (!answering_ && !finishing_ && parser_.started() && parser_.failure() == 0) tell_refused(400, "the connection ended before the request did");
  close();
}

void HttpConnection::wait_readable() {
  if (closed_ || reading_ || end_of_input_) return;
  if (in_.size() - in_used_ >= limits::kHttpPipelined) return;
  wait_to_read(asio::posix::descriptor_base::wait_read);
}

void HttpConnection::wait_to_read(asio::posix::descriptor_base::wait_type what) {
  reading_ = true;
  descriptor_.async_wait(what, [self = shared_from_this()](boost::system::error_code error) {
    self->reading_ = false;
    if (!error && self->descriptor_.is_open()) self->on_readable();
  });
}

ssize_t HttpConnection::receive() {
  auto& into = host_->scratch;
  return tls_ ? tls_->receive(into.data(), into.size()) : ::recv(descriptor_.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
}

ssize_t HttpConnection::send(std::string_view bytes) {
  return tls_ ? tls_->send(bytes.data(), bytes.size()) : ::send(descriptor_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void HttpConnection::wait_writable() {
  if (closed_ || writing_) return;
  writing_ = true;
  descriptor_.async_wait(asio::posix::descriptor_base::wait_write, [self = shared_from_this()](boost::system::error_code error) {
    self->writing_ = false;
    if (error || !self->descriptor_.is_open()) return;
    self->flush();
    self->go_on();
  });
}

void HttpConnection::on_readable() {
  const auto size = receive();
  if (size < 0) {
    if (errno != EAGAIN && errno != EINTR) return break_off();
    return tls_ && tls_->wants_write() ? wait_to_read(asio::posix::descriptor_base::wait_write) : wait_readable();  // a handshake
  }
  if (size == 0) end_of_input_ = true;
  if (end_of_input_ && stream_) return close();
  if (draining_) return end_of_input_ ? close() : wait_readable();
  consume(std::string_view(host_->scratch.data(), static_cast<std::size_t>(size)));
}

// Parses from the shared buffer where nothing was left over, which is the usual case, and keeps what is left.
void HttpConnection::consume(std::string_view bytes) {
  if (in_.empty()) {
    const auto used = process(bytes);
    in_.append(bytes.substr(used));
  } else {
    in_.append(bytes);
    process_kept();
  }
  write_and_wait();
}

// Something changed: an answer is there, or the peer reads again.
void HttpConnection::go_on() {
  if (closed_ || processing_ || is_handed_over()) return;
  const auto self = shared_from_this();
  process_kept();
  write_and_wait();
}

void HttpConnection::process_kept() {
  if (in_.empty()) return;
  in_used_ += process(std::string_view(in_).substr(in_used_));
  if (in_used_ == in_.size()) {
    give_back(in_);
    in_used_ = 0;
  } else if (in_used_ > kKeepBuffer) {
    in_.erase(0, in_used_);
    in_used_ = 0;
  }
}

void HttpConnection::write_and_wait() {
  while (!closed_ && out_.size() > kGatherAnswers) {
    flush();
    if (closed_ || !out_.empty()) break;
    process_kept();  // it had stopped for the answers it had gathered
  }
  if (!closed_) flush();
  if (closed_) return;
  if (end_of_input_ && !answering_ && out_.empty()) return break_off();
  if (web_socket_ && out_.empty()) return hand_over();
  settle();
  wait_readable();
  if (stream_ && out_.empty()) tell_drained();
}

std::size_t HttpConnection::process(std::string_view bytes) {
  processing_ = true;
  std::size_t used = 0;
  while (!closed_ && !answering_ && !finishing_ && !writing_ && out_.size() <= kGatherAnswers) {
    if (used == bytes.size()) break;
    const auto taken = parser_.put(bytes.substr(used));
    used += taken;
    count_body();
    if (parser_.failure() != 0) {
      tell_refused(parser_.failure(), std::string(parser_.failure_text()));
      refuse(problem(parser_.failure(), {}, parser_.failure_text()));
      break;
    }
    if (parser_.head_done() && !head_taken_) {
      if (!take_head()) continue;
      head_taken_ = true;
      if (!parser_.complete()) continue;
    }
    if (parser_.complete()) {
      dispatch();
    } else if (taken == 0 || host_->buffered > limits::kHttpBuffered) {
      break;
    }
  }
  if (!closed_ && !finishing_ && host_->buffered > limits::kHttpBuffered && counted_ > 0) {
    HttpResponse response = problem(503, "Service Unavailable", "too many requests at once");
    response.headers.add("Retry-After", "1");
    tell_refused(503, "too many requests at once");
    refuse(response);
  }
  processing_ = false;
  return closed_ || finishing_ || stream_ ? bytes.size() : used;
}

// Chooses the route as soon as the head is there. False: answered, or refused.
bool HttpConnection::take_head() {
  const auto& request = parser_.request();
  auto match = host_->routes().find(request.method, request.path, control_);
  HttpResponse refusal;
  if (match.entry) {
    const auto max_body = match.entry->route.max_body;
    route_ = std::move(match.entry);
    if (parser_.content_length().value_or(0) <= max_body) {
      parser_.set_max_body(max_body);
      if (parser_.expects_continue() && parser_.has_body()) out_.append("HTTP/1.1 100 Continue\r\n\r\n");
      return true;
    }
    refusal = problem(413, {}, "the body is larger than " + std::to_string(max_body) + " bytes");
    tell_refused(413, {});
    route_.reset();
  } else if (match.allow.empty()) {
    refusal = problem(404, {}, {});
    tell_refused(404, "nothing is there");
  } else {
    refusal = problem(405, {}, "allowed here: " + match.allow);
    refusal.headers.add("Allow", match.allow);
    tell_refused(405, "allowed there: " + match.allow);
  }
  head_only_ = request.method == "HEAD";
  if (parser_.has_body()) {
    refuse(refusal);
  } else {
    answering_ = true;
    respond(turn_, refusal);
  }
  return false;
}

// Of the route's affair the route is told, of others whoever keeps the record.
void HttpConnection::tell_refused(int status, const std::string& reason) {
  auto& request = parser_.request();
  request.peer = peer_;
  request.control = control_;
  try {
    if (route_) {
      const auto most = std::to_string(route_->route.max_body);
      const auto size = parser_.content_length() ? std::to_string(*parser_.content_length()) : "more than " + most;
      if (!route_->removed && route_->route.on_refused) route_->route.on_refused(request, status, status == 413 ? size + " bytes, at most " + most : reason);
    } else if (!control_) {
      host_->refused({peer_, request.method, request.path, status, reason});
    }
  } catch (const std::exception&) {
    // It was for the record only: the sender is answered all the same.
  }
}

void HttpConnection::dispatch() {
  release_body();
  HttpRequest request = std::move(parser_.request());
  request.peer = peer_;
  request.control = control_;
  head_only_ = request.method == "HEAD";
  offer_ = web_socket_offer(request, parser_.http_1_0());
  answering_ = true;
  auto entry = std::exchange(route_, nullptr);
  if (entry->removed) entry = host_->routes().find(request.method, request.path, control_).entry;  // another has its path by now
  if (!entry) return respond(turn_, problem(404, {}, {}));
  auto pending = std::make_shared<PendingAnswer>(weak_from_this(), turn_);
  HttpResponder responder = [pending = std::move(pending)](const HttpResponse& response) { pending->answer(response); };
  try {
    entry->route.handle(std::move(request), std::move(responder));
  } catch (const std::exception&) {
    // The responder, dropped on the way here, has answered 500; the server goes on.
  }
}

void HttpConnection::respond(std::uint64_t turn, const HttpResponse& response) {
  if (closed_ || !answering_ || turn != turn_) return;
  const bool endless = response.stream && !head_only_ && !has_no_body(response.status);
  if ((endless || response.websocket) && host_->stopping()) return respond(turn, problem(503, {}, "the listener is closing down"));
  if (endless) return begin_stream(response);
  if (response.websocket) return begin_web_socket(response);
  const auto end = response.stream ? stream_end() : BodyEnd::length;
  const bool keep = parser_.keep_alive() && !host_->stopping() && end != BodyEnd::connection;
  append_response(out_, response, {keep, parser_.http_1_0(), head_only_, host_->date(), end});
  answering_ = false;
  head_taken_ = false;
  finishing_ = !keep;
  ++turn_;
  parser_.reset();
  go_on();
}

BodyEnd HttpConnection::stream_end() const { return parser_.http_1_0() ? BodyEnd::connection : BodyEnd::last_chunk; }

// The request stays the one that is answered, so that none behind it is.
void HttpConnection::begin_stream(const HttpResponse& response) {
  if (end_of_input_) return close();
  const auto end = stream_end();
  append_response(out_, response, {false, parser_.http_1_0(), false, host_->date(), end});
  ++turn_;
  stream_ = std::make_unique<Stream>();
  stream_->chunked = end == BodyEnd::last_chunk;
  stream_write(response.body);
  wake();
  response.stream(std::make_shared<ConnectionStream>(weak_from_this()));
}

void HttpConnection::stream_write(std::string_view bytes) {
  if (closed_ || finishing_) return;
  if (stream_->chunked) {
    append_chunk(out_, bytes);
  } else {
    out_.append(bytes);
  }
  stream_->undrained = true;
  wake();
}

std::size_t HttpConnection::stream_pending() const { return closed_ ? 0 : out_.size() - out_used_; }

void HttpConnection::stream_close() {
  if (closed_ || finishing_) return;
  if (stream_->chunked) out_.append(kLastChunk);
  finishing_ = true;
  wake();
}

void HttpConnection::stream_on_drained(std::function<void()> call) {
  if (!closed_) stream_->drained = call ? std::make_shared<std::function<void()>>(std::move(call)) : nullptr;
}

void HttpConnection::stream_on_closed(std::function<void()> call) {
  if (!closed_) stream_->closed = std::move(call);
}

// What is written in one callback of the loop goes out together.
void HttpConnection::wake() {
  if (std::exchange(stream_->wakes, true)) return;
  asio::post(descriptor_.get_executor(), [self = shared_from_this()] {
    self->stream_->wakes = false;
    self->go_on();
  });
}

void HttpConnection::tell_drained() {
  if (!std::exchange(stream_->undrained, false) || !stream_->drained) return;
  const auto call = stream_->drained;
  try {
    (*call)();
  } catch (const std::exception&) {
    close();
  }
}

void HttpConnection::tell_later(std::function<void()> call) {
  if (!call || host_->abandoned) return;
  asio::post(descriptor_.get_executor(), [host = host_, call = std::move(call)] {
    if (host->abandoned) return;
    try {
      call();
    } catch (const std::exception&) {
      // The connection is gone already: there is nothing to be done about it.
    }
  });
}

void HttpConnection::begin_web_socket(const HttpResponse& response) {
  if (offer_.key.empty()) return respond(turn_, web_socket_refusal(offer_));
  if (end_of_input_) return close();
  ++turn_;
  web_socket_ = make_web_socket(weak_from_this(), std::exchange(offer_.key, {}), response);
  response.websocket(web_socket_->handle());
  go_on();
}

// Once the answers before it are written; with what its peer has sent already.
void HttpConnection::hand_over() {
  std::string begun = in_.substr(in_used_);
  std::string().swap(in_);
  in_used_ = 0;
  web_socket_->start(descriptor_.get_executor().context(), descriptor_.release(), std::move(tls_), std::move(begun));
}

// Its socket is the WebSocket's.
bool HttpConnection::is_handed_over() const { return web_socket_ && !descriptor_.is_open(); }

// Answers what cannot be read to its end; the connection ends with it.
void HttpConnection::refuse(const HttpResponse& response) {
  release_body();
  append_response(out_, response, {false, false, head_only_, host_->date()});
  finishing_ = true;
  lingering_ = true;
}

void HttpConnection::flush() {
  if (writing_) return;
  while (out_used_ < out_.size()) {
    const auto size = send(std::string_view(out_).substr(out_used_));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) {
      if (out_used_ > kKeepBuffer && out_used_ > out_.size() / 2) out_.erase(0, std::exchange(out_used_, 0));  // a stream may never be through
      return tls_ && !tls_->wants_write() ? wait_readable() : wait_writable();
    }
    if (size <= 0) return close();
    out_used_ += static_cast<std::size_t>(size);
    if (stream_) stream_->progress = true;
  }
  give_back(out_);
  out_used_ = 0;
  if (!finishing_ || draining_) return;
  if (!lingering_ || end_of_input_) return close();
  // Closing now, with bytes unread, would send a reset that can overtake the answer.
  draining_ = true;
  if (tls_) tls_->close_notify();
  ::shutdown(descriptor_.native_handle(), SHUT_WR);
}

// Says which deadline runs. One that runs is not wound up again by mere bytes: a phase has so long as a whole. Only a stream is never
// written as a whole: it goes on while its peer takes some.
void HttpConnection::settle() {
  HttpPhase next = turn_ == 0 ? HttpPhase::head : HttpPhase::idle;
  if (draining_) {
    next = HttpPhase::drain;
  } else if (!out_.empty()) {
    next = HttpPhase::write;
  } else if (answering_) {
    next = HttpPhase::answer;
  } else if (head_taken_) {
    next = HttpPhase::body;
  } else if (parser_.started()) {
    next = HttpPhase::head;
  }
  const bool renewed = stream_ && std::exchange(stream_->progress, false) && next == HttpPhase::write && !finishing_;
  if (next == phase && turn_ == settled_turn_ && !renewed) return;
  settled_turn_ = turn_;
  host_->enter(*this, next);
}

void HttpConnection::count_body() {
  const auto now = parser_.body_size();
  host_->buffered += now - counted_;
  counted_ = now;
}

void HttpConnection::release_body() {
  host_->buffered -= counted_;
  counted_ = 0;
}

}  // namespace hark
