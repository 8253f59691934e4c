#include "core/percent.h"
#include "platform/http_client.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

#include "platform/http_server.h"
#include "platform/http_url.h"
#include "tests/support/loop_thread.h"
#include "tests/support/raw_client.h"
#include "tests/support/temporary_folder.h"

using namespace hark;
using namespace std::chrono_literals;

namespace {

// Our own server, answering what the tests of the client need.
struct Served {
  Served() {
    thread.run([&] {
      server.emplace(thread.loop());
      REQUIRE(server->listen("127.0.0.1", 0).ok());
      REQUIRE(server->listen_unix(path).ok());
      port = server->port();
      for (const char* method : {"POST", "PUT", "DELETE"}) {
        server->add({method, "/echo", 1024 * 1024, [](HttpRequest request, HttpResponder answer) {
                       HttpResponse response;
                       response.status = 201;
                       response.body = request.method + " " + request.path + "?" + request.query + " " + request.body;
                       response.content_type = "text/plain";
                       response.headers.add("X-Host", std::string(request.headers.get("Host").value_or("")));
                       response.headers.add("X-Type", std::string(request.headers.get("Content-Type").value_or("none")));
                       response.headers.add("X-Mine", std::string(request.headers.get("X-Mine").value_or("none")));
                       response.headers.add("X-Peer", request.peer);
                       answer(std::move(response));
                     }});
      }
      server->add({"GET", "/moved", 0, [](HttpRequest, HttpResponder answer) {
                     HttpResponse response;
                     response.status = 302;
                     response.headers.add("Location", "/echo");
                     answer(std::move(response));
                   }});
      server->add({"GET", "/large", 0, [](HttpRequest, HttpResponder answer) {
                     HttpResponse response;
                     response.body.assign(100'000, 'x');
                     answer(std::move(response));
                   }});
      server->add({"GET", "/never", 0, [this](HttpRequest, HttpResponder answer) {
                     waiting.push_back(std::move(answer));
                     ++asked;
                   }});
    });
  }
  ~Served() {
    thread.run([&] {
      waiting.clear();
      server.reset();
    });
  }
  std::string url(const std::string& target) const { return "http://127.0.0.1:" + std::to_string(port) + target; }

  test::TemporaryFolder folder;
  std::filesystem::path path = folder / "s.sock";
  test::LoopThread thread;
  std::optional<HttpServer> server;
  std::uint16_t port = 0;
  std::vector<HttpResponder> waiting;
  std::atomic<int> asked = 0;
};

// Accepts one connection and says what it is told to, like a server that has not read the standard.
class RudeServer {
 public:
  explicit RudeServer(std::string answer, int times = 1) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd_, 8) == 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer = std::move(answer), times] {
      const int peer = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0) return;
      char bytes[4096];
      if (::recv(peer, bytes, sizeof bytes, 0) > 0) {
        for (int i = 0; times < 0 || i < times; ++i) {
          if (::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
        }
      }
      ::close(peer);
    });
  }
  ~RudeServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/secret?token=1"; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

Result<HttpResponse> get(const std::string& url, Duration timeout = 10s, std::size_t max = 1024 * 1024) {
  HttpCall call;
  call.url = url;
  call.timeout = timeout;
  call.max_response = max;
  RealHttpClient client;
  return client.call(call, {});
}

}  // namespace

TEST_CASE("http client: method, query, headers and body arrive; status, headers and body come back") {
  Served served;
  RealHttpClient client;
  HttpCall call;
  call.method = "POST";
  call.url = served.url("/echo?a=b%20c&d=\xc3\xa4 e#fragment");
  call.headers.add("X-Mine", "1%0a2");
  call.content_type = "application/json";
  call.body = "{\"a\": 1}";
  const auto response = client.call(call, {});
  REQUIRE_MESSAGE(response.ok(), (response.ok() ? "" : response.error().text()));
  CHECK(response->status == 201);
  CHECK(response->body == "POST /echo?a=b%20c&d=%C3%A4%20e {\"a\": 1}");
  CHECK(response->headers.get("x-host") == "127.0.0.1:" + std::to_string(served.port));
  CHECK(response->headers.get("X-Type") == "application/json");
  CHECK(response->headers.get("X-Mine") == "1%0a2");
  CHECK(response->content_type == "text/plain");

  call.method = "DELETE";
  call.body.clear();
  CHECK(client.call(call, {})->body.starts_with("DELETE /echo"));
  call.method = "PUT";
  call.body.assign(500'000, 'y');
  CHECK(client.call(call, {})->body.size() > 500'000);
}

TEST_CASE("http client: calls over a Unix socket, with and without a host in the URL") {
  Served served;
  RealHttpClient client;
  HttpCall call;
  call.method = "POST";
  call.url = "/echo?x";
  call.unix_socket = served.path;
  call.body = "hi";
  auto response = client.call(call, {});
  REQUIRE_MESSAGE(response.ok(), (response.ok() ? "" : response.error().text()));
  CHECK(response->body == "POST /echo?x hi");
  CHECK(response->headers.get("X-Peer") == "unix:uid=" + std::to_string(geteuid()));
  CHECK(response->headers.get("X-Host") == "localhost");
  call.url = "http://daemon/echo";
  CHECK(client.call(call, {})->headers.get("X-Host") == "daemon");
  call.unix_socket = served.folder / "none.sock";
  response = client.call(call, {});
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().message.find("none.sock: cannot connect: No such file") != std::string::npos);
}

TEST_CASE("http client: statuses are values and redirects are not followed") {
  Served served;
  CHECK(get(served.url("/nowhere"))->status == 404);
  const auto moved = get(served.url("/moved"));
  CHECK(moved->status == 302);
  CHECK(moved->headers.get("location") == "/echo");
}

TEST_CASE("http client: header values of an answer come as they were sent, behind interim answers too") {
  RudeServer server("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A:  a%0d%0aB: c \r\nContent-Length: 2\r\n\r\nok");
  const auto response = get(server.url());
  REQUIRE(response.ok());
  CHECK(response->body == "ok");
  CHECK(response->headers.get("X-A") == "a%0d%0aB: c");
  CHECK(response->headers.count("X-A") == 1);
}

TEST_CASE("http client: a body is handed over while it comes, with its head, until it is enough") {
  const std::string head = "HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string chunk = "5\r\nhello\r\n";
  RealHttpClient client;
  HttpCall call;
  std::string body;
  RudeServer whole(head + chunk + chunk + "0\r\n\r\n");
  call.url = whole.url();
  call.receive = [&](const HttpResponse& response, std::string_view piece) {
    CHECK(response.status == 429);
    CHECK(response.headers.get("Retry-After") == "3");
    CHECK(response.content_type == "text/event-stream");
    body += piece;
    return true;
  };
  const auto response = client.call(call, {});
  REQUIRE_MESSAGE(response.ok(), (response.ok() ? "" : response.error().text()));
  CHECK(response->status == 429);
  CHECK(response->body.empty());
  CHECK(body == "hellohello");

  RudeServer cut(head + chunk);
  call.url = cut.url();
  CHECK_FALSE(client.call(call, {}).ok());

  RudeServer endless(head + chunk, 1);
  call.url = endless.url();
  call.receive = [](const HttpResponse&, std::string_view) { return false; };
  CHECK(client.call(call, {}).ok());

  RudeServer large(head + "186a0\r\n" + std::string(100'000, 'x') + "\r\n0\r\n\r\n");
  call.url = large.url();
  call.max_response = 99'999;
  call.receive = [](const HttpResponse&, std::string_view) { return true; };
  const auto refused = client.call(call, {});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("larger than 99999 bytes") != std::string::npos);
}

TEST_CASE("http client: HEAD, and a body of exactly the bound") {
  Served served;
  RealHttpClient client;
  HttpCall call;
  call.method = "HEAD";
  call.url = served.url("/large");
  const auto head = client.call(call, {});
  CHECK(head->status == 200);
  CHECK(head->body.empty());
  CHECK(head->headers.get("Content-Length") == "100000");
  CHECK(get(served.url("/large"), 10s, 100'000)->body.size() == 100'000);
}

TEST_CASE("http client: an answer over the bound is an error, announced or not") {
  Served served;
  const auto announced = get(served.url("/large"), 10s, 99'999);
  REQUIRE_FALSE(announced.ok());
  CHECK(announced.error().message.find("larger than 99999 bytes") != std::string::npos);
  RudeServer endless(std::string(4096, 'x'), -1);
  CHECK_FALSE(get(endless.url()).ok());
  RudeServer until_close("HTTP/1.1 200 OK\r\n\r\n" + std::string(200'000, 'x'));
  CHECK_FALSE(get(until_close.url(), 10s, 100'000).ok());
}

TEST_CASE("http client: an answer that is no HTTP, or endless where it should not be, is an error without the URL's secrets") {
  for (const auto& [answer, times] : std::vector<std::pair<std::string, int>>{
           {"", 1},
           {"hello\r\n\r\n", 1},
           {"HTTP/1.1 200 " + std::string(100'000, 'x'), -1},
           {"HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'), -1},
           {"HTTP/1.1 200 OK\r\n" + std::string("X: y\r\nX: y\r\n"), 100'000},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(100'000, '1'), -1},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 1},
           {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 1},
           {"HTTP/1.1 100 Continue\r\n\r\n", 100'000},
       }) {
    CAPTURE(answer.substr(0, 60));
    RudeServer server(answer, times);
    const auto response = get(server.url());
    REQUIRE_FALSE(response.ok());
    CHECK(response.error().text().find("secret") == std::string::npos);
    CHECK(response.error().text().find("token") == std::string::npos);
    CHECK(response.error().message.find("GET to 127.0.0.1:") == 0);
  }
}

TEST_CASE("http client: the longest status line that is let through is matched without harm") {
  RudeServer server("HTTP/1.1 200 " + std::string(480, 'x') + "\r\nContent-Length: 2\r\n\r\nok");
  CHECK(get(server.url())->body == "ok");
}

TEST_CASE("http client: the timeout is for the whole call, also against a server that drips") {
  Served served;
  const auto silent = get(served.url("/never"), 50ms);
  REQUIRE_FALSE(silent.ok());
  CHECK(silent.error().message.find("no answer within 50ms") != std::string::npos);
  RudeServer drip("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", -1);
  CHECK_FALSE(get(drip.url(), 50ms, std::size_t{2'000'000'000}).ok());
}

TEST_CASE("http client: a stop request ends a hanging call, and one that has not begun") {
  Served served;
  RealHttpClient client;
  std::stop_source stop;
  HttpCall call;
  call.url = served.url("/never");
  call.timeout = 1h;
  auto result = std::async(std::launch::async, [&] { return client.call(call, stop.get_token()); });
  REQUIRE(served.thread.until([&] { return served.asked == 1; }));
  stop.request_stop();
  const auto response = result.get();
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().message.find("cancelled") != std::string::npos);
  CHECK_FALSE(client.call(call, stop.get_token()).ok());
}

TEST_CASE("http client: a refused connection and an unknown host are errors that say so") {
  std::uint16_t port = 0;
  {
    Served served;
    port = served.port;
  }
  const auto refused = get("http://127.0.0.1:" + std::to_string(port) + "/");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message == "GET to 127.0.0.1:" + std::to_string(port) + ": cannot connect: Connection refused");
  CHECK_FALSE(get("http://no-such-host.invalid/", 5s).ok());
}

TEST_CASE("http client: what would break out of the request is refused before anything is sent") {
  RealHttpClient client;
  HttpCall call;
  call.url = "http://127.0.0.1:1/";
  call.headers.add("X", "a\r\nY: b");
  CHECK(client.call(call, {}).error().message.find("header") != std::string::npos);
  call = {};
  call.url = "http://127.0.0.1:1/a\r\nX: y";
  CHECK(client.call(call, {}).error().message.find("control character") != std::string::npos);
  call = {};
  call.url = "http://127.0.0.1:1/";
  call.method = "GET / HTTP/1.1\r\n";
  CHECK(client.call(call, {}).error().message.find("method") != std::string::npos);
}

TEST_CASE("http client: URLs") {
  const auto plain = parse_http_url("HTTP://Example.org");
  REQUIRE(plain.ok());
  CHECK(plain->host == "Example.org");
  CHECK(plain->port == 80);
  CHECK(plain->target == "/");
  CHECK(plain->authority() == "Example.org");
  const auto v6 = parse_http_url("https://[::1]:8443?q#f");
  REQUIRE(v6.ok());
  CHECK(v6->tls);
  CHECK(v6->host == "::1");
  CHECK(v6->target == "/?q");
  CHECK(v6->authority() == "[::1]:8443");
  for (const char* bad :
       {"", "example.org", "ftp://a/", "http://", "http:///x", "http://u:p@h/", "http://h:0/", "http://h:70000/", "http://h:x/",
        "http://[::1/", "http://[", "http://a b/", "http://h/\n", "http://h:", "http://a%41/"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_http_url(bad).ok());
  }
  CHECK(percent_encoded("aZ09-._~") == "aZ09-._~");
  CHECK(percent_encoded("a b/\xc3\xa4?&") == "a%20b%2F%C3%A4%3F%26");
}

TEST_CASE("http client: a certificate must be known and for the host") {
  test::TemporaryFolder folder;
  const auto certificate = (folder / "cert.pem").string();
  const auto key = (folder / "key.pem").string();
  if (std::system(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
                   "-addext subjectAltName=DNS:localhost -keyout " +
                   key + " -out " + certificate + " >/dev/null 2>&1")
                      .c_str()) != 0) {
    MESSAGE("no openssl command: not tested");
    return;
  }
  // openssl s_server answers with a page of its own; it says its port on standard output.
  const auto said = (folder / "said").string();
  ::mkfifo(said.c_str(), 0600);
  const auto pid_file = (folder / "pid").string();
  REQUIRE(std::system(("openssl s_server -accept 127.0.0.1:0 -www -key " + key + " -cert " + certificate + " >" + said +
                       " 2>/dev/null </dev/null & echo $! >" + pid_file)
                          .c_str()) == 0);
  int pid = 0;
  std::ifstream(pid_file) >> pid;
  std::ifstream output(said);
  std::string port;
  for (std::string line; port.empty() && std::getline(output, line);) {
    if (line.starts_with("ACCEPT 127.0.0.1:")) port = line.substr(17);
  }
  REQUIRE_FALSE(port.empty());
  std::thread reader([&] {
    for (std::string line; std::getline(output, line);) {
    }
  });

  HttpCall call;
  call.url = "https://localhost:" + port + "/";
  RealHttpClient system;
  const auto unknown = system.call(call, {});
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().message.find("certificate") != std::string::npos);

  RealHttpClient trusting(certificate);
  const auto response = trusting.call(call, {});
  REQUIRE_MESSAGE(response.ok(), (response.ok() ? "" : response.error().text()));
  CHECK(response->status == 200);
  call.url = "https://127.0.0.1:" + port + "/";
  const auto other = trusting.call(call, {});
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().message.find("mismatch") != std::string::npos);
  ::kill(pid, SIGTERM);
  reader.join();
}
