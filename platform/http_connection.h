// One connection of the server, from its first byte to its close. For http_server.cpp and http_connection.cpp only, which are
// where Asio is.
//
// At any time it waits to read (also while a handler has the request, so that a client who goes is noticed), or to write, or is
// closed; requests of one connection are answered one after another. An answer without an end is its last, and a WebSocket takes its
// socket over: it stands for it in the server's lists then.
#pragma once

#include <utility>  // Asio 1.74 needs it before its own headers in C++20

#include <array>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "platform/http_parser.h"
#include "platform/http_response.h"
#include "platform/http_routes.h"
#include "platform/http_server.h"
#include "platform/tls.h"
#include "platform/web_socket_offer.h"
#include "platform/web_socket_session.h"

namespace hark {

class HttpConnection;

// What a connection waits for, each with a deadline of its own. `answer` has none: how long a handler takes is its affair, and so is a
// stream with nothing to send. The last three are a WebSocket's: its peer says nothing, is to answer a ping, is to say goodbye.
enum class HttpPhase { idle, head, body, answer, write, drain, quiet, pong, closing };
inline constexpr std::size_t kHttpPhases = 9;

// What the connections of one server share. The server implements it.
class HttpConnectionHost {
 public:
  virtual ~HttpConnectionHost() = default;
  virtual const HttpRoutes& routes() const = 0;
  virtual const HttpServerOptions& options() const = 0;
  virtual std::string_view date() = 0;
  virtual bool stopping() const = 0;  // answer what is there, then close
  virtual void refused(const HttpRefused& refused) = 0;
  virtual void enter(HttpConnection& connection, HttpPhase phase) = 0;
  virtual void closed(HttpConnection& connection) = 0;
  std::uint64_t buffered = 0;             // bytes of bodies and messages on their way in, over all connections
  bool abandoned = false;                 // the server is destroyed: those who wrote on its streams may be as well
  std::array<char, 64 * 1024> scratch{};  // what was just read: only what is left over is kept by its connection
};

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  // `tls`: over `fd`; null: plain.
  HttpConnection(boost::asio::io_context& context, int fd, std::unique_ptr<TlsSession> tls, std::shared_ptr<HttpConnectionHost> host,
                 std::string peer, bool control);

  void start();
  void turn_away();  // answers 503 and closes: the server is full (with TLS without an answer, which would need a handshake)
  void expired();    // the deadline of its phase has passed
  void stop();       // the server closes down: the silent go now, what has no end gets one, answers are waited for
  void close();

  // The answer to request number `turn`; nothing happens when it was answered or the client is gone.
  void respond(std::uint64_t turn, const HttpResponse& response);

  bool control() const { return control_; }
  const std::string& peer() const { return peer_; }

  // What HttpStream promises; its handle has a weak pointer to this connection.
  void stream_write(std::string_view bytes);
  std::size_t stream_pending() const;
  void stream_close();
  void stream_on_drained(std::function<void()> call);
  void stream_on_closed(std::function<void()> call);

  // For the WebSocket that it has become.
  HttpConnectionHost& host() { return *host_; }
  void enter(HttpPhase next) { host_->enter(*this, next); }
  void tell_later(std::function<void()> call);  // after this callback of the loop, unless the server is destroyed by then

  // Of the server's list of the phase this connection is in.
  HttpPhase phase = HttpPhase::idle;
  std::list<std::shared_ptr<HttpConnection>>::iterator place;
  SteadyTime deadline{};

 private:
  // Of an answer without an end.
  struct Stream {
    std::shared_ptr<std::function<void()>> drained;  // shared with a call under way, which may set another
    std::function<void()> closed;
    bool chunked = true;
    bool wakes = false;     // go_on() is posted
    bool undrained = true;  // drained is to be called when all is written
    bool progress = false;  // the peer has taken some since the write deadline began
  };

  void break_off();
  void begin_stream(const HttpResponse& response);
  void begin_web_socket(const HttpResponse& response);
  BodyEnd stream_end() const;
  void wake();
  void tell_drained();
  void hand_over();
  bool is_handed_over() const;
  void wait_readable();
  void wait_to_read(boost::asio::posix::descriptor_base::wait_type what);
  void wait_writable();
  ssize_t receive();  // into the shared buffer; as recv(2)
  ssize_t send(std::string_view bytes);
  void on_readable();
  void consume(std::string_view bytes);
  std::size_t process(std::string_view bytes);
  bool take_head();
  void dispatch();
  void tell_refused(int status, const std::string& reason);
  void refuse(const HttpResponse& response);
  void flush();
  void settle();
  bool is_silent() const;
  void go_on();
  void process_kept();
  void write_and_wait();
  void count_body();
  void release_body();

  boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> descriptor_;
  std::unique_ptr<TlsSession> tls_;
  std::shared_ptr<HttpConnectionHost> host_;
  HttpParser parser_;
  HttpRoutes::EntryPtr route_;
  std::string peer_;
  std::string in_;  // read and not yet parsed, from in_used_ on
  std::size_t in_used_ = 0;
  std::string out_;  // to be written, from out_used_ on
  std::size_t out_used_ = 0;
  std::uint64_t turn_ = 0;  // number of the request that is read or answered
  std::uint64_t settled_turn_ = 0;
  std::uint64_t counted_ = 0;  // of host_->buffered
  std::unique_ptr<Stream> stream_;                // the answer has no end
  WebSocketOffer offer_;                          // of the request that a handler has
  std::shared_ptr<WebSocketSession> web_socket_;  // it is to become one, or has
  bool control_;
  bool head_taken_ = false;  // the route was chosen
  bool answering_ = false;   // a handler has the request
  bool head_only_ = false;   // ... which is a HEAD
  bool processing_ = false;
  bool reading_ = false;  // a wait is under way
  bool writing_ = false;
  bool end_of_input_ = false;
  bool finishing_ = false;  // close when out_ is written
  bool lingering_ = false;  // ... but first throw away what the sender still sends
  bool draining_ = false;   // that is under way
  bool closed_ = false;
};

}  // namespace hark
