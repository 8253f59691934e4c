// The one listener: TCP for webhooks and the API, a Unix socket for control, both on the loop's thread (Boost.Beast).
//
// Slow, large or malformed senders are bounded here (core/limits.h), before any handler sees them. Every call and every
// callback is on the loop thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/limits.h"
#include "core/result.h"
#include "platform/http.h"

namespace hark {

class Loop;

// Answers one request, at once or later, on the loop thread, exactly once. Dropping it unanswered sends 500.
using HttpResponder = std::function<void(HttpResponse)>;

struct HttpRoute {
  std::string method;  // "GET", "POST", ...; another method on the same path is answered 405 with Allow
  std::string path;    // exact, or with {name} segments: "/api/runs/{id}" (read them with path_parameter)
  std::uint64_t max_body = limits::kHttpBodyDefault;  // larger: 413, whether announced, chunked or lied about
  std::function<void(HttpRequest, HttpResponder)> handle;
};

// The segment of `path` that stands where `pattern` has {name}; empty when they do not fit.
std::string path_parameter(std::string_view pattern, std::string_view path, std::string_view name);

class HttpServer {
 public:
  explicit HttpServer(Loop& loop);
  ~HttpServer();  // closes everything, removes the socket file it made
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Starts to listen; fine when it already does. Port 0 takes a free one: see port().
  Status listen(const std::string& host, std::uint16_t port);
  std::uint16_t port() const;  // 0: not listening on TCP
  // Owner only (0600), peer's uid checked against this process's and root's. A socket file nobody listens on is replaced.
  Status listen_unix(const std::filesystem::path& path);

  // Adds a route; false when method and path are taken. `control_only` routes exist on the Unix socket alone.
  bool add(HttpRoute route, bool control_only = false);
  void remove(std::string_view method, std::string_view path);

  // Takes no new connections; those that wait for an answer still get it. For a drain.
  void stop_accepting();

  std::size_t connections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hark
