// Whether a request asks for a WebSocket as it should (RFC 6455, 4.2.1). Pure.
#pragma once

#include <string>
#include <string_view>

#include "platform/http.h"

namespace hark {

struct WebSocketOffer {
  bool made = false;       // "Upgrade: websocket" in a request that can be upgraded
  std::string key;         // Sec-WebSocket-Key where all is as it should be
  std::string_view wrong;  // else what is not
};

WebSocketOffer web_socket_offer(const HttpRequest& request, bool http_1_0);

// What one without a key is answered: 426 where it was not made, else 400 with the version that is understood (4.4).
HttpResponse web_socket_refusal(const WebSocketOffer& offer);

}  // namespace hark
