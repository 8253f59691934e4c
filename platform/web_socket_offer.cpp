#include "platform/web_socket_offer.h"

#include <algorithm>

#include "core/base64.h"

namespace hark {

namespace {

// Whether a comma-separated list of tokens (RFC 9110, 5.6.1) has this one.
bool lists_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const auto end = list.find(',');
    auto entry = list.substr(0, end);
    list = end == std::string_view::npos ? std::string_view{} : list.substr(end + 1);
    entry.remove_prefix(std::min(entry.find_first_not_of(" \t"), entry.size()));
    entry = entry.substr(0, entry.find_last_not_of(" \t") + 1);
    if (equal_ignoring_case(entry, token)) return true;
  }
  return false;
}

}  // namespace

WebSocketOffer web_socket_offer(const HttpRequest& request, bool http_1_0) {
  constexpr std::size_t kKeyBytes = 16;
  const auto& headers = request.headers;
  if (!headers.get("Upgrade") || !lists_token(headers.joined("Upgrade"), "websocket")) return {false, {}, "a WebSocket is to be asked for: Upgrade: websocket"};
  if (http_1_0 || request.method != "GET") return {false, {}, "a WebSocket is asked for by GET, over HTTP/1.1"};
  if (!lists_token(headers.joined("Connection"), "Upgrade")) return {true, {}, "Connection: Upgrade is missing"};
  if (!request.body.empty()) return {true, {}, "a request for a WebSocket has no body"};
  if (headers.count("Sec-WebSocket-Version") != 1 || headers.get("Sec-WebSocket-Version") != "13") return {true, {}, "Sec-WebSocket-Version is to be 13"};
  const auto key = headers.get("Sec-WebSocket-Key").value_or("");
  if (headers.count("Sec-WebSocket-Key") != 1 || from_base64(key).value_or("").size() != kKeyBytes) {
    return {true, {}, "Sec-WebSocket-Key is to be the base64 of 16 bytes"};
  }
  return {true, std::string(key), {}};
}

HttpResponse web_socket_refusal(const WebSocketOffer& offer) {
  HttpResponse refusal = problem(offer.made ? 400 : 426, {}, offer.wrong);
  refusal.headers.add("Upgrade", "websocket");
  refusal.headers.add("Sec-WebSocket-Version", "13");
  return refusal;
}

}  // namespace hark
