// HTTP messages as values, for server and client alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "core/time.h"

namespace hark {

class HttpStream;
class WebSocket;

// Names compare without case; values are as they came, never decoded.
class HttpHeaders {
 public:
  void add(std::string name, std::string value) { entries_.emplace_back(std::move(name), std::move(value)); }
  void reserve(std::size_t count) { entries_.reserve(count); }
  std::optional<std::string_view> get(std::string_view name) const;  // the first of that name
  std::size_t count(std::string_view name) const;
  std::string joined(std::string_view name) const;  // all of that name as the one list that they are (RFC 9110, 5.3)
  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

struct HttpRequest {
  std::string method;  // upper case
  std::string path;    // percent-decoded and free of dot segments; a target that is not well-formed never gets here
  std::string query;   // behind '?', not decoded
  HttpHeaders headers;
  std::string body;
  std::string peer;      // address of a TCP peer; "unix:uid=1000" on the control socket
  bool control = false;  // came over the owner-only Unix socket
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;
  std::string body;
  std::string content_type = "application/json";

  // An answer without an end: the head and `body` are its begin, and this is given the way to write the rest, at once, on the loop thread,
  // from within the responder (so that nothing falls between what `body` says and the first that is written). Not called where there is
  // nobody to write to: for HEAD, for 204 and 304, for a client that has gone, and for a server that is closing down (it answers 503).
  std::function<void(std::shared_ptr<HttpStream>)> stream;

  // The request asks for a WebSocket (RFC 6455) and gets it: the answer is 101 with `headers`, and this is given the socket as `stream` is
  // given the stream; what is sent on it follows the 101. A request that is no correct upgrade is answered 426 or 400 instead. A browser
  // lets any page open one: whoever answers with it has judged the Origin (same_site).
  std::function<void(std::shared_ptr<WebSocket>)> websocket;
  std::string subprotocol;                                // one of those that the request offers (Sec-WebSocket-Protocol); empty: none
  std::size_t max_message = limits::kWebSocketMessage;  // bytes of a text that the peer may send; a longer one ends the socket (1009)
};

// RFC 9457 problem details; `detail` may hold what a caller sent.
HttpResponse problem(int status, std::string_view title, std::string_view detail = {});

// False for a request that a web page of somebody else's made a browser send: its Origin is not the host it was sent to, or the
// host is a name that could have been pointed here (DNS rebinding) rather than localhost or a literal address. What guards the
// API where it listens on loopback without a token. Always true on the control socket, which no browser can reach.
bool same_site(const HttpRequest& request);

// The value of a traceparent header that is well-formed (W3C Trace Context, 3.2), else empty: what is handed on is then known to
// be harmless.
std::string traceparent_of(const HttpHeaders& headers);
std::string checked_traceparent(std::string_view text);  // the same of a text

// Content-Type without its parameters; empty: there is none.
std::string_view media_type(const HttpHeaders& headers);

// How long a server asked to be left alone: Retry-After as seconds or as a date (RFC 9110, 10.2.3; the preferred form of 5.6.7).
std::optional<Duration> retry_after(const HttpHeaders& headers, WallTime now);

// "a" and "A" are one letter, as in names of headers and hosts (ASCII only, no locale).
bool equal_ignoring_case(std::string_view a, std::string_view b);

// One value of an application/x-www-form-urlencoded text (a query, a form body), decoded; nullopt: not there.
std::optional<std::string> form_value(std::string_view form, std::string_view name);
std::vector<std::pair<std::string, std::string>> form_values(std::string_view form);

}  // namespace hark
