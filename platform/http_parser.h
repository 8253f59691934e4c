// One request off the wire, straight into an HttpRequest: strict, and bounded before it is believed (Boost.Beast's parser).
// Knows no socket and no clock. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "platform/http.h"

namespace hark {

class HttpParser {
 public:
  explicit HttpParser(std::size_t max_head);
  ~HttpParser();
  HttpParser(HttpParser&&) noexcept;

  // Parses what it can of `bytes` and returns how many it took; the rest must come again, with more behind it. Stops behind the
  // head, so that the caller can look at it and set a limit, and behind the body.
  std::size_t put(std::string_view bytes);
  void reset();  // for the next request

  bool started() const;    // a byte of the request was seen
  bool head_done() const;  // from here on request() has all but its body
  bool complete() const;

  // Not 0: what was sent is refused with this status, and nothing behind it on this connection can be trusted.
  int failure() const;
  std::string_view failure_text() const;

  void set_max_body(std::uint64_t bytes);  // before the first byte of the body; 0 until then
  // Only when head_done():
  std::optional<std::uint64_t> content_length() const;
  bool has_body() const;  // announced, or chunked
  bool keep_alive() const;
  bool http_1_0() const;
  bool expects_continue() const;

  HttpRequest& request();  // the caller takes it when complete()
  std::size_t body_size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hark
