#include "platform/http_client.h"

#include <fcntl.h>
#include <httplib.h>

#include <array>
#include <cstring>
#include <exception>
#include <utility>

#include "core/limits.h"
#include "platform/http_response.h"
#include "platform/http_url.h"
#include "platform/outgoing_stream.h"
#include "platform/tls.h"

namespace hark {

namespace {

// cpp-httplib's view of our stream. It reads heads byte by byte without a bound, so both the buffer and the bounds are here.
class BoundedStream final : public httplib::Stream {
 public:
  BoundedStream(OutgoingStream& stream, std::size_t max_body) : stream_(stream), max_bytes_(max_body) {}

  void head_done() { in_head_ = false; }
  // Of the final answer. cpp-httplib percent-decodes the values it hands out, which can put line breaks into them.
  HttpHeaders headers() const {
    HttpHeaders headers;
    std::string_view rest = head_text_;
    rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);  // the status line
    while (!rest.empty()) {
      const auto end = std::min(rest.find('\n'), rest.size() - 1) + 1;
      const auto line = rest.substr(0, end);
      rest.remove_prefix(end);
      const auto colon = line.find(':');
      if (colon == std::string_view::npos) continue;
      const auto name = line.substr(0, colon);
      const auto value = trimmed(line.substr(colon + 1));
      if (valid_header(name, value)) headers.add(std::string(name), std::string(value));
    }
    return headers;
  }

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* bytes, std::size_t size) override {
    if (at_ == end_ && !fill()) return failed_ ? -1 : 0;
    const auto count = std::min(size, end_ - at_);
    if (in_head_ && !bounded_head(buffer_.data() + at_, count)) return -1;
    std::memcpy(bytes, buffer_.data() + at_, count);
    at_ += count;
    return static_cast<ssize_t>(count);
  }
  // Head and body of a request become one segment where they fit: they are sent when the answer is first asked for.
  ssize_t write(const char* bytes, std::size_t size) override {
    pending_.append(bytes, size);
    if (pending_.size() >= 64 * 1024 && !send_pending()) return -1;
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return stream_.descriptor(); }

 private:
  bool send_pending() {
    const bool sent = stream_.write(pending_.data(), pending_.size());
    pending_.clear();
    return sent;
  }

  bool fill() {
    // Where sending failed, the server may have answered before it had read everything ("413"): what it said is worth more.
    if (!pending_.empty()) send_pending();
    const auto got = stream_.read(buffer_.data(), buffer_.size());
    failed_ = got < 0;
    if (got <= 0) return false;
    at_ = 0;
    end_ = static_cast<std::size_t>(got);
    bytes_ += end_;
    // A chunk of one byte has six; more framing than that is no answer, and lines of it are kept in memory.
    if (bytes_ > limits::kHttpAnswerHead + max_bytes_ * 8) return too_large("the answer is too large");
    return true;
  }

  static std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const auto first = text.find_first_not_of(kSpace);
    return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
  }

  bool bounded_head(const char* bytes, std::size_t size) {
    head_ += size;
    for (std::size_t i = 0; i < size; ++i) {
      if (first_line_ && line_ == 0) head_text_.clear();
      head_text_ += bytes[i];
      if (bytes[i] == '\n') {
        first_line_ = line_ <= 1;  // behind an interim answer (100) comes another status line
        line_ = 0;
      } else if (++line_ > (first_line_ ? limits::kHttpAnswerStatusLine : limits::kHttpAnswerLine)) {
        return too_large("a line of the answer's head is too long");
      }
    }
    return head_ <= limits::kHttpAnswerHead || too_large("the answer's head is too large");
  }

  bool too_large(const char* what) {
    failed_ = true;
    return stream_.fail(what);
  }

  OutgoingStream& stream_;
  std::size_t max_bytes_;
  std::array<char, 16 * 1024> buffer_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::size_t bytes_ = 0;
  std::size_t head_ = 0;
  std::size_t line_ = 0;
  bool first_line_ = true;
  bool in_head_ = true;
  bool failed_ = false;
  std::string head_text_;
  std::string pending_;
};

// cpp-httplib writes requests and reads answers; connecting, TLS, deadlines and bounds are ours, by the two functions that it
// leaves to classes derived from its client.
class Exchange final : public httplib::ClientImpl {
 public:
  Exchange(const std::string& host, int port, OutgoingStream& stream, std::size_t max_body)
      : ClientImpl(host, port), stream_(stream), bounded_(stream, max_body) {
    set_follow_location(false);
    set_url_encode(false);
    set_keep_alive(false);
  }
  BoundedStream& bounded() { return bounded_; }

 private:
  bool create_and_connect_socket(Socket& socket, httplib::Error& error) override {
    socket.sock = ::fcntl(stream_.descriptor(), F_DUPFD_CLOEXEC, 0);  // it closes its own
    if (socket.sock >= 0) return true;
    error = httplib::Error::Connection;
    return false;
  }
  bool process_socket(const Socket&, std::function<bool(httplib::Stream&)> callback) override { return callback(bounded_); }

  OutgoingStream& stream_;
  BoundedStream bounded_;
};

Result<httplib::Request> make_request(const HttpCall& call, const std::string& target, const std::string& authority) {
  if (!valid_header(call.method, "")) return Error{"the method is no HTTP token", "GET, POST, PUT, PATCH or DELETE, say"};
  httplib::Request request;
  request.method = call.method;
  request.path = target;
  request.body = call.body;
  for (const auto& [name, value] : call.headers.entries()) {
    if (!valid_header(name, value))
      return Error{"a header cannot be sent: its name is no token or its value holds a line break", ""};
    // These say where the message ends, and that is for who writes it.
    if (equal_ignoring_case(name, "Content-Length") || equal_ignoring_case(name, "Transfer-Encoding")) continue;
    request.headers.emplace(name, value);
  }
  if (!valid_header("Content-Type", call.content_type)) return Error{"the content type holds a line break", ""};
  const auto unless_given = [&](const char* name, const std::string& value) {
    if (!value.empty() && !request.has_header(name)) request.headers.emplace(name, value);
  };
  unless_given("Host", authority);
  unless_given("Content-Type", call.content_type);
  unless_given("User-Agent", "hark");
  unless_given("Accept", "*/*");
  unless_given("Accept-Encoding", "identity");
  return request;
}

Result<HttpResponse> exchange(const HttpCall& call, httplib::Request& request, const HttpUrl& url, OutgoingStream& stream) {
  Exchange client(url.host, url.port, stream, call.max_response);
  HttpResponse response;
  std::size_t received = 0;
  bool too_large = false;
  bool enough = false;
  const auto take_head = [&](const httplib::Response& head) {
    response.status = head.status;
    response.headers = client.bounded().headers();
    response.content_type = response.headers.get("Content-Type").value_or("");
  };
  request.response_handler = [&](const httplib::Response& head) {
    client.bounded().head_done();
    take_head(head);
    return true;
  };
  request.content_receiver = [&](const char* bytes, std::size_t size, std::uint64_t, std::uint64_t total) {
    too_large = total > call.max_response || size > call.max_response - received;
    if (too_large) return false;
    received += size;
    if (!call.receive) {
      response.body.append(bytes, size);
      return true;
    }
    enough = !call.receive(response, {bytes, size});
    return !enough;
  };
  httplib::Response answer;
  httplib::Error error = httplib::Error::Success;
  const bool sent = client.send(request, answer, error);
  if (enough) return response;
  if (too_large) {
    return Error{"the answer is larger than " + std::to_string(call.max_response) + " bytes, the most that is taken", "ask for less"};
  }
  if (stream.error()) return *stream.error();
  if (!sent || error != httplib::Error::Success) {
    return Error{"the connection ended without a whole answer", "see what the server says, and that it is one of HTTP"};
  }
  take_head(answer);  // it asks nobody where there is no body (HEAD)
  return response;
}

}  // namespace

RealHttpClient::RealHttpClient(std::string ca_file) : tls_(std::make_unique<TlsAuthorities>(std::move(ca_file))) {}
RealHttpClient::~RealHttpClient() = default;

Result<HttpResponse> RealHttpClient::call(const HttpCall& call, std::stop_token stop) {
  HttpUrl url;
  std::string place = call.unix_socket;
  if (!call.unix_socket.empty() && call.url.starts_with('/')) {
    url.host = "localhost";
    url.port = 80;
    if (!escape_target(call.url, url.target)) return Error{"the path holds a control character", "percent-escape it"};
  } else {
    auto parsed = parse_http_url(call.url);
    if (!parsed) return parsed.error();
    url = std::move(*parsed);
    if (place.empty()) place = url.host + ":" + std::to_string(url.port);
  }
  const auto failed = [&](const Error& error) { return Error{call.method + " to " + place + ": " + error.message, error.cure}; };
  try {
    auto request = make_request(call, url.target, url.authority());
    if (!request) return request.error();
    OutgoingStream stream(call.timeout, std::move(stop));
    bool connected = call.unix_socket.empty() ? stream.connect_tcp(url.host, url.port) : stream.connect_unix(call.unix_socket);
    if (connected && url.tls) connected = stream.start_tls(url.host, *tls_);
    if (!connected) return failed(*stream.error());
    auto response = exchange(call, *request, url, stream);
    if (!response) return failed(response.error());
    return response;
  } catch (const std::exception& error) {
    return failed(Error{error.what(), ""});
  }
}

}  // namespace hark
