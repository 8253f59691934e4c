// What a connection becomes when it is upgraded. For http_connection.cpp and web_socket.cpp only, the latter of which is where Beast is.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "platform/http.h"
#include "platform/tls.h"
#include "platform/web_socket.h"

namespace boost::asio {
class io_context;
}

namespace hark {

class HttpConnection;

// Held by its connection, which it tells of each phase it enters, and to close when it is over.
class WebSocketSession {
 public:
  virtual ~WebSocketSession() = default;
  virtual std::shared_ptr<WebSocket> handle() = 0;  // for the one who answers; what is sent before start() waits for it

  // Takes over the socket; `begun`: what was read of it already. Answers 101.
  virtual void start(boost::asio::io_context& context, int fd, std::unique_ptr<TlsSession> tls, std::string begun) = 0;
  virtual void expired() = 0;  // the deadline of the connection's phase has passed
  virtual void stop() = 0;     // the server closes down
  virtual void drop() = 0;     // the connection is closed
};

// `key`: Sec-WebSocket-Key of a correct upgrade. `response` has the headers of the 101 and the bound of a message.
std::shared_ptr<WebSocketSession> make_web_socket(std::weak_ptr<HttpConnection> connection, std::string key, const HttpResponse& response);

}  // namespace hark
