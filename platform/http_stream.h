// The way to write an answer without an end (server-sent events, a log that is followed): see HttpResponse::stream.
//
// A handle for the loop thread only. The connection is the server's and lives as long as its peer: the handle does not keep it, and
// outlives it (and the server) without harm; dropping the last one is close(), so that no answer stays open that nobody writes. Callbacks
// may hold the handle: they go with the connection. None of them is ever called from within a call of this class.
//
// Over HTTP/1.1 each write is one chunk; over HTTP/1.0 the bytes go as they are and the connection's end is theirs. Requests that come
// behind the one that is answered so are not read, and the head says so ("Connection: close").
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace hark {

class HttpStream {
 public:
  virtual ~HttpStream() = default;

  // Queued, and sent after the current callback of the loop, as the peer takes it; nothing happens when the stream is closed. There is no
  // bound here: whoever writes looks at pending(). A peer that takes nothing of it for limits::kHttpWriteDeadline is dropped.
  virtual void write(std::string bytes) = 0;
  // Bytes, with their framing, that the peer's connection has not taken yet (what the kernel has is not among them); 0 when closed.
  virtual std::size_t pending() const = 0;
  // The orderly end, behind what is pending. on_closed still tells when it is over.
  virtual void close() = 0;

  // Called whenever pending() has come back to 0, also when what was written went out at once; first when the head and the body are out.
  virtual void on_drained(std::function<void()> call) = 0;
  // Called once, when nothing more can be written: the peer has gone or was dropped, or close() is through. To be set where the handle is
  // handed over: one that is set after the end is not called; nor is any when the server is destroyed.
  virtual void on_closed(std::function<void()> call) = 0;
};

}  // namespace hark
