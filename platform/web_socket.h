// A WebSocket (RFC 6455) that a request was answered with: see HttpResponse::websocket. The same over TCP, TLS and the Unix socket.
//
// A handle for the loop thread only. The connection is the server's and lives as long as its peer: the handle does not keep it, and
// outlives it (and the server) without harm; dropping the last one is close(). Callbacks may hold the handle: they go with the connection.
// None of them is ever called from within a call of this class.
//
// What ends it by itself, with the code that the peer and on_closed are told: a binary message (1003), a text that is no UTF-8 (1007) or
// longer than HttpResponse::max_message (1009), a breach of the protocol (1002), a server that closes down (1001) or has too much on its
// way in (1013), a callback that throws (1011). Without a word (1006): a peer that takes nothing for limits::kHttpWriteDeadline, or that is
// silent for limits::kWebSocketPing and does not answer a ping within limits::kWebSocketPong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace hark {

class WebSocket {
 public:
  virtual ~WebSocket() = default;

  // One text message, which is to be UTF-8; queued, and sent as the peer takes it. Nothing happens when the socket is closing or closed.
  // There is no bound here: whoever sends looks at pending(), and closes with 1013 (try again later) a peer that is too slow.
  virtual void send(std::string text) = 0;
  // Bytes of messages that did not go out as a whole yet (what the kernel has is not among them); 0 when closed.
  virtual std::size_t pending() const = 0;
  // The orderly end, behind what is pending: the peer is told and has limits::kWebSocketClose to take all that and to answer. `code` is one
  // that may be sent (RFC 6455, 7.4: not 1004 to 1006 nor 1015), `reason` UTF-8, of which limits::kWebSocketReason bytes go. The first
  // call counts.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;

  // Each message as a whole, in order; those that nobody wants to hear are dropped.
  virtual void on_message(std::function<void(std::string text)> call) = 0;
  // Called whenever pending() has come back to 0.
  virtual void on_drained(std::function<void()> call) = 0;
  // Called once, when nothing more can be sent. `code` is the peer's when it was the first to close (1005: it gave none), else the one it was
  // told; 1006: it went without a word. To be set where the handle is handed over: one that is set after the end is not called; nor is any
  // when the server is destroyed.
  virtual void on_closed(std::function<void(int code, const std::string& reason)> call) = 0;
};

}  // namespace hark
