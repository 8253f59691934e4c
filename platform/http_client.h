// Outgoing HTTP: http steps over TCP and TLS (the system's CAs), the command line over the control socket. Blocks: call it on a
// worker thread or in the command line, never on the loop; one client serves any number of threads.
//
// A server at the other end is not trusted more than a client is: its certificate must fit the host, its answer is bounded in
// bytes and in time as a whole, redirects are answers and not followed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/time.h"
#include "platform/http.h"

namespace hark {

struct HttpCall {
  std::string method = "GET";
  std::string url;          // "http://host:port/path?query", "https://...", or with `unix_socket` just "/path?query"
  std::string unix_socket;  // path of a Unix socket to connect to instead
  HttpHeaders headers;
  std::string body;
  std::string content_type;
  Duration timeout = std::chrono::seconds(30);  // for the whole call
  std::size_t max_response = 1024 * 1024;       // a longer body is an error
  // A body that is read while it comes (a stream of events): each piece, cut anywhere, in place of HttpResponse::body; `head` has the
  // status and the headers. False: that was enough; the connection is closed, and the call is a success. On the calling thread.
  std::function<bool(const HttpResponse& head, std::string_view piece)> receive;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // An Error means that no answer came (refused, unknown host, TLS, timeout, cancelled, too large); any status is a value. It
  // names host and port, never path, query or headers, where secrets stand.
  virtual Result<HttpResponse> call(const HttpCall& call, std::stop_token stop) = 0;
};

class RealHttpClient final : public HttpClient {
 public:
  // `ca_file`: a PEM file of authorities to believe instead of the system's; empty: the system's (and $SSL_CERT_FILE).
  explicit RealHttpClient(std::string ca_file = {});
  ~RealHttpClient() override;

  Result<HttpResponse> call(const HttpCall& call, std::stop_token stop) override;

 private:
  std::unique_ptr<class TlsAuthorities> tls_;
};

}  // namespace hark
