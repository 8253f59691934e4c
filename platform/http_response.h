// An answer as bytes for the wire (RFC 9112). Pure.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "platform/http.h"

namespace hark {

std::string_view reason_phrase(int status);

// How a body's end is told (RFC 9112, 6.3): by its length, by a last chunk, or by the end of the connection (HTTP/1.0).
enum class BodyEnd { length, last_chunk, connection };

struct ResponseFraming {
  bool keep_alive = true;
  bool http_1_0 = false;   // the request's version: there, keeping the connection must be said
  bool head_only = false;  // HEAD: the lengths of the body, without it
  std::string_view date;   // an IMF-fixdate, see http_date; empty: none
  BodyEnd end = BodyEnd::length;  // else only the head is appended
};

// Appends head and body to `out`. Framing headers among the response's own, and values that would break out of their line, are
// left out: see may_be_sent.
void append_response(std::string& out, const HttpResponse& response, const ResponseFraming& framing);

// Appends `bytes` as one chunk (RFC 9112, 7.1); none are no chunk, for an empty one is the last.
void append_chunk(std::string& out, std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

bool has_no_body(int status);  // 204 and 304 never have one

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7), whatever the locale.
std::string http_date(std::time_t seconds);

// A header's name is a token, its value holds no line break and no NUL (RFC 9110, 5.5 and 5.6.2).
bool valid_header(std::string_view name, std::string_view value);
// ... and it is none of those that the server sets itself.
bool may_be_sent(std::string_view name, std::string_view value);

}  // namespace hark
