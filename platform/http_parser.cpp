#include <utility>  // Asio 1.74 needs it before its own headers in C++20

#include "platform/http_parser.h"

#include <algorithm>
#include <limits>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "core/limits.h"
#include "platform/http_target.h"

namespace hark {
namespace http = boost::beast::http;

namespace {

using ErrorCode = boost::beast::error_code;
using Text = boost::beast::string_view;

// A body that is announced may not come: no more than this is asked of the allocator ahead of it.
constexpr std::uint64_t kReserveBody = 1024 * 1024;
constexpr std::size_t kUsualHeaders = 12;

std::string_view view(Text text) { return {text.data(), text.size()}; }

class BeastParser final : public http::basic_parser<true> {
 public:
  explicit BeastParser(std::size_t max_head) {
    header_limit(static_cast<std::uint32_t>(max_head));
    // Both limits on the body are ours (bytes are counted as they come): this one is not asked about announced lengths when
    // it is set after the head, and refuses every announced length when it is unset (boostorg/beast #2070).
    body_limit(std::numeric_limits<std::uint64_t>::max());
    eager(false);
  }

  HttpRequest request;
  std::uint64_t max_body = 0;
  bool http_1_0 = false;
  bool expects_continue = false;
  bool head_seen = false;
  int failure = 0;
  std::string_view failure_text;

 private:
  void fail(ErrorCode& error, int status, std::string_view text) {
    failure = status;
    failure_text = text;
    error = http::error::bad_value;
  }

  void on_request_impl(http::verb, Text method, Text target, int version, ErrorCode& error) override {
    request.method.assign(method.data(), method.size());
    http_1_0 = version < 11;
    if (!parse_http_target(view(target), target_)) return fail(error, 400, "the request target is not well-formed");
    request.path = std::move(target_.path);
    request.query = std::move(target_.query);
    request.headers.reserve(kUsualHeaders);
  }
  void on_response_impl(int, Text, int, ErrorCode&) override {}

  void on_field_impl(http::field field, Text name, Text value, ErrorCode& error) override {
    if (head_seen) return;  // a trailer: nobody here expects one, and none may pass for a header
    if (field == http::field::host) {
      ++hosts_;
      host_.assign(value.data(), value.size());
    } else if (field == http::field::content_length) {
      // Beast lets equal ones pass; another reader of the same bytes may not agree.
      if (++lengths_ > 1 || value.find(',') != Text::npos) return fail(error, 400, "Content-Length given twice");
    } else if (field == http::field::transfer_encoding) {
      if (http_1_0) return fail(error, 400, "Transfer-Encoding in HTTP/1.0");
      if (!equal_ignoring_case(view(value), "chunked")) return fail(error, 501, "the only transfer encoding known is chunked");
    } else if (field == http::field::expect) {
      if (!equal_ignoring_case(view(value), "100-continue"))
        return fail(error, 417, "the only expectation known is 100-continue");
      expects_continue = !http_1_0;
    }
    request.headers.add(std::string(name), std::string(value));
  }

  void on_header_impl(ErrorCode& error) override {
    head_seen = true;
    if (hosts_ > 1 || (hosts_ == 0 && !http_1_0)) return fail(error, 400, "exactly one Host header is needed");
    if (!target_.authority.empty() && hosts_ == 1 && !equal_ignoring_case(target_.authority, host_)) {
      return fail(error, 400, "the target's host is not the Host header's");
    }
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode&) override {
    if (length) request.body.reserve(static_cast<std::size_t>(std::min({*length, max_body, kReserveBody})));
  }
  std::size_t append(Text piece, ErrorCode& error) {
    if (piece.size() > max_body - request.body.size()) {
      fail(error, 413, "the body is too large");
      return 0;
    }
    request.body.append(piece.data(), piece.size());
    return piece.size();
  }
  std::size_t on_body_impl(Text piece, ErrorCode& error) override { return append(piece, error); }
  void on_chunk_header_impl(std::uint64_t size, Text, ErrorCode& error) override {
    if (size > max_body - request.body.size()) fail(error, 413, "the body is too large");
  }
  std::size_t on_chunk_body_impl(std::uint64_t, Text piece, ErrorCode& error) override { return append(piece, error); }
  void on_finish_impl(ErrorCode&) override {}

  HttpTarget target_;
  std::string host_;
  int hosts_ = 0;
  int lengths_ = 0;
};

}  // namespace

struct HttpParser::State {
  explicit State(std::size_t max) : max_head(max) { parser.emplace(max); }

  std::size_t max_head;
  std::size_t head_bytes = 0;
  bool started = false;
  std::optional<BeastParser> parser;

  void refuse(int status, std::string_view text) {
    if (parser->failure != 0) return;
    parser->failure = status;
    parser->failure_text = text;
  }

  void refuse(const ErrorCode& error) {
    if (error == http::error::header_limit) return refuse(431, "the head of the request is too large");
    if (error == http::error::bad_version) return refuse(400, "neither HTTP/1.1 nor HTTP/1.0");
    if (error == http::error::bad_content_length) return refuse(400, "Content-Length is not one number that can be");
    if (error == http::error::bad_transfer_encoding) return refuse(400, "Transfer-Encoding beside another length");
    if (error == http::error::bad_chunk || error == http::error::bad_chunk_extension) return refuse(400, "a chunk is malformed");
    refuse(400, "the request is malformed");
  }

  std::size_t put_head(std::string_view bytes) {
    std::size_t used = 0;
    if (!parser->got_some()) {
      // RFC 9112, 2.2: empty lines before a request are to be ignored.
      used = std::min(bytes.find_first_not_of("\r\n"), bytes.size());
      if (used == bytes.size()) {
        head_bytes += used;
        if (head_bytes > max_head) refuse(431, "the head of the request is too large");
        return used;
      }
    }
    started = true;
    ErrorCode error;
    used += parser->put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), error);
    head_bytes += used;
    const auto pending = parser->is_header_done() ? 0 : bytes.size() - used;
    // Beast's own limit is on what one call sees: a head that comes line by line would never reach it.
    if (head_bytes + pending > max_head) {
      refuse(431, "the head of the request is too large");
    } else if (error && error != http::error::need_more) {
      refuse(error);
    }
    return used;
  }

  std::size_t put_body(std::string_view bytes) {
    // Beast takes up the last chunk ("0\r\n\r\n") where it left off, and asserts that all of its bytes are there by then.
    constexpr std::size_t kLastChunk = 5;
    if (parser->chunked() && bytes.starts_with('0') && bytes.size() < kLastChunk) return 0;
    ErrorCode error;
    parser->eager(true);
    const auto used = parser->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    if (error && error != http::error::need_more) {
      refuse(error);
    } else if (!parser->is_done() && bytes.size() - used > max_head) {
      refuse(400, "a chunk's head or the trailer is too large");
    }
    return used;
  }
};

HttpParser::HttpParser(std::size_t max_head) : state_(std::make_unique<State>(max_head)) {}
HttpParser::~HttpParser() = default;
HttpParser::HttpParser(HttpParser&&) noexcept = default;

std::size_t HttpParser::put(std::string_view bytes) {
  if (bytes.empty() || complete() || failure() != 0) return 0;
  return head_done() ? state_->put_body(bytes) : state_->put_head(bytes);
}

void HttpParser::reset() {
  state_->parser.emplace(state_->max_head);
  state_->head_bytes = 0;
  state_->started = false;
}

bool HttpParser::started() const { return state_->started; }
bool HttpParser::head_done() const { return state_->parser->head_seen && failure() == 0; }
bool HttpParser::complete() const { return failure() == 0 && state_->parser->is_done(); }
int HttpParser::failure() const { return state_->parser->failure; }
std::string_view HttpParser::failure_text() const { return state_->parser->failure_text; }
void HttpParser::set_max_body(std::uint64_t bytes) { state_->parser->max_body = bytes; }

std::optional<std::uint64_t> HttpParser::content_length() const {
  const auto length = state_->parser->content_length();
  return length ? std::optional(*length) : std::nullopt;
}
bool HttpParser::has_body() const { return state_->parser->chunked() || content_length().value_or(0) > 0; }
bool HttpParser::keep_alive() const { return state_->parser->keep_alive(); }
bool HttpParser::http_1_0() const { return state_->parser->http_1_0; }
bool HttpParser::expects_continue() const { return state_->parser->expects_continue; }
HttpRequest& HttpParser::request() { return state_->parser->request; }
std::size_t HttpParser::body_size() const { return state_->parser->request.body.size(); }

}  // namespace hark
