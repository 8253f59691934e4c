#include "platform/http_response.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace hark {

namespace {

bool is_token(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_framing(std::string_view name) {
  for (const std::string_view own : {"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Date", "Content-Type"}) {
    if (equal_ignoring_case(name, own)) return true;
  }
  return false;
}

void append_number(std::string& out, std::size_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

bool valid_header(std::string_view name, std::string_view value) {
  return !name.empty() && std::all_of(name.begin(), name.end(), is_token) &&
         std::none_of(value.begin(), value.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

bool may_be_sent(std::string_view name, std::string_view value) { return !is_framing(name) && valid_header(name, value); }

bool has_no_body(int status) { return status == 204 || status == 304; }

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

std::string http_date(std::time_t seconds) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm time{};
  gmtime_r(&seconds, &time);
  std::array<char, 64> text;
  const int size = std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[time.tm_wday],
                                 time.tm_mday, kMonths[time.tm_mon], time.tm_year + 1900, time.tm_hour, time.tm_min, time.tm_sec);
  return std::string(text.data(), static_cast<std::size_t>(size));
}

void append_response(std::string& out, const HttpResponse& response, const ResponseFraming& framing) {
  const int status = response.status >= 200 && response.status <= 599 ? response.status : 500;
  const bool bodiless = has_no_body(status);
  const bool counted = framing.end == BodyEnd::length;
  out.reserve(out.size() + 256 + (framing.head_only ? 0 : response.body.size()));
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::size_t>(status));
  out.append(" ").append(reason_phrase(status)).append("\r\n");
  if (!framing.date.empty()) append_header(out, "Date", framing.date);
  if (!bodiless) {
    if ((!response.body.empty() || !counted) && valid_header("Content-Type", response.content_type) && !response.content_type.empty()) {
      append_header(out, "Content-Type", response.content_type);
    }
    if (counted) {
      out.append("Content-Length: ");
      append_number(out, response.body.size());
      out.append("\r\n");
    } else if (framing.end == BodyEnd::last_chunk) {
      append_header(out, "Transfer-Encoding", "chunked");
    }
  }
  for (const auto& [name, value] : response.headers.entries()) {
    if (may_be_sent(name, value)) append_header(out, name, value);
  }
  std::string connection = !framing.keep_alive ? "close" : framing.http_1_0 ? "keep-alive" : "";
  if (response.headers.get("Upgrade")) connection += connection.empty() ? "Upgrade" : ", Upgrade";  // RFC 9110, 7.8: always both
  if (!connection.empty()) append_header(out, "Connection", connection);
  out.append("\r\n");
  if (!bodiless && !framing.head_only && counted) out.append(response.body);
}

void append_chunk(std::string& out, std::string_view bytes) {
  if (bytes.empty()) return;
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), bytes.size(), 16).ptr;
  out.append(digits.data(), end).append("\r\n").append(bytes).append("\r\n");
}

}  // namespace hark
