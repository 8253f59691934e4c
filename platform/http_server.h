// The one listener: TCP for webhooks and the API, a Unix socket for control, both on the loop's thread (Boost.Beast).
//
// Slow, large or malformed senders are bounded here (core/limits.h), before any handler sees them. Every call and every
// callback is on the loop thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/limits.h"
#include "core/result.h"
#include "core/time.h"
#include "platform/http.h"
#include "platform/http_routes.h"

namespace hark {

class Loop;
class TlsCertificate;

// The bounds of core/limits.h; tests set shorter ones.
struct HttpServerOptions {
  Duration head_deadline = limits::kHttpHeadDeadline;      // from a request's first byte, or the connection's begin, to the end of its head
  Duration body_deadline = limits::kHttpBodyDeadline;      // from there to the end of its body
  Duration write_deadline = limits::kHttpWriteDeadline;    // a peer that does not read its answer
  Duration idle_deadline = limits::kHttpIdleDeadline;      // between requests
  Duration drain_deadline = limits::kHttpDrainDeadline;    // what a refused sender still sends is thrown away for so long
  Duration ping_interval = limits::kWebSocketPing;         // a WebSocket whose peer says nothing
  Duration pong_deadline = limits::kWebSocketPong;         // ... or does not answer that
  Duration close_deadline = limits::kWebSocketClose;       // from the decision to close a WebSocket to its end
  std::size_t max_connections = limits::kHttpConnections;  // of TCP, and as many on the Unix socket; one more is answered 503
  // ... and of one address, so that nobody takes them all. This machine's own is spared: its programs share it.
  std::size_t max_of_one = limits::kHttpConnections / 4;
  bool spare_loopback = true;
  std::size_t max_head = limits::kHttpHead;
};

// A request over TCP that came to no route: it could not be read (400, 408, ...), nothing is there (404, 405), or there were too many (503).
struct HttpRefused {
  std::string peer;
  std::string method;  // with path, as far as it was read
  std::string path;
  int status = 0;
  std::string reason;
};

class HttpServer {
 public:
  explicit HttpServer(Loop& loop, HttpServerOptions options = {});
  ~HttpServer();  // closes everything, removes the socket file it made
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Starts to listen; fine when it already does on this host and port. Port 0 takes a free one: see port().
  Status listen(const std::string& host, std::uint16_t port);
  // Listens there instead; the old listener goes when the new one is bound, an Error leaves all as it was. Connections stay.
  Status move_to(const std::string& host, std::uint16_t port);
  // What connections over TCP that come from now on are greeted with; null: they are plain. Those that are there stay as they are.
  void use_certificate(std::shared_ptr<const TlsCertificate> certificate);
  void stop_listening();       // on TCP; connections stay, and it may listen again
  std::uint16_t port() const;  // 0: not listening on TCP
  // Owner only (0600), peer's uid checked against this process's and root's. A socket file nobody listens on is replaced.
  Status listen_unix(const std::filesystem::path& path);

  // Adds a route (a GET route serves HEAD too); false when method and path are taken. `control_only` routes exist on the Unix
  // socket alone.
  bool add(HttpRoute route, bool control_only = false);
  void remove(std::string_view method, std::string_view path);

  // For the record, just before it is answered.
  void on_refused(std::function<void(const HttpRefused&)> tell);

  // Takes no new connections, on neither listener, and closes the idle ones; those that wait for an answer still get it, streams get
  // their end and WebSockets 1001. `closed` is called when the last of them is gone.
  void stop_accepting(std::function<void()> closed = nullptr);

  std::size_t connections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with its connections, which may end later
};

}  // namespace hark
