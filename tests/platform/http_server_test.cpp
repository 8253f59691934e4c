#include "platform/http_parser.h"
#include "platform/http_server.h"

#include "platform/listen_socket.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>
#include <optional>
#include <random>
#include <vector>

#include "tests/support/loop_thread.h"
#include "tests/support/raw_client.h"
#include "tests/support/temporary_folder.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::RawClient;

namespace {

HttpResponse text(std::string body, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  response.content_type = "text/plain";
  return response;
}

// A server with a few routes, on a loop of its own. "/later" keeps its responders until the test answers them.
struct Served {
  explicit Served(HttpServerOptions options = {}) {
    thread.run([&] {
      server.emplace(thread.loop(), options);
      REQUIRE(server->listen("127.0.0.1", 0).ok());
      port = server->port();
      server->add({"GET", "/hello", 0, [](HttpRequest, HttpResponder answer) { answer(text("hello")); }});
      server->add({"POST", "/echo", 1000, [this](HttpRequest request, HttpResponder answer) {
                     std::string body = request.body;
                     requests.push_back(std::move(request));
                     answer(text(std::move(body)));
                   }});
      server->add({"GET", "/later", 0, [this](HttpRequest, HttpResponder answer) { waiting.push_back(std::move(answer)); }});
      server->add({"GET", "/lost", 0, [](HttpRequest, HttpResponder) {}});
      server->add({"GET", "/thrown", 0, [](HttpRequest, HttpResponder) { throw std::runtime_error("secret"); }});
      server->add({"GET", "/runs/{id}", 0, [](HttpRequest request, HttpResponder answer) {
                     answer(text(path_parameter("/runs/{id}", request.path, "id") + "?" + request.query));
                   }});
      server->add({"GET", "/who", 0, [](HttpRequest request, HttpResponder answer) {
                     answer(text(request.peer + (request.control ? " control" : "")));
                   }});
      server->add({"GET", "/large", 0, [](HttpRequest, HttpResponder answer) { answer(text(std::string(4'000'000, 'x'))); }});
      server->add({"POST", "/control", 100, [](HttpRequest, HttpResponder answer) { answer(text("done")); }}, true);
    });
  }
  ~Served() {
    thread.run([&] {
      waiting.clear();
      server.reset();
    });
  }
  RawClient client() const { return RawClient(port); }
  bool until_connections(std::size_t count) {
    return thread.until([&] { return server->connections() == count; });
  }

  test::LoopThread thread;
  std::optional<HttpServer> server;
  std::uint16_t port = 0;
  std::vector<HttpRequest> requests;
  std::vector<HttpResponder> waiting;
};

std::string get(const std::string& target, const std::string& more = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
}
std::string post(const std::string& target, const std::string& body, const std::string& more = {}) {
  return "POST " + target + " HTTP/1.1\r\nHost: localhost\r\n" + more + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

TEST_CASE("listener: which hosts only this machine reaches") {
  for (const char* host : {"127.0.0.1", "127.1", "127.255.0.9", "::1", "[::1]", "0:0::1", "localhost"}) CHECK_MESSAGE(is_loopback(host), std::string(host));
  for (const char* host : {"0.0.0.0", "::", "10.0.0.127", "127.example.org", "localhost.example.org", "128.0.0.1", "::127", ""}) {
    CHECK_MESSAGE(!is_loopback(host), std::string(host));
  }
}

}  // namespace

TEST_CASE("http server: answers, keeps the connection and answers again") {
  Served served;
  auto client = served.client();
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.ask(get("/hello"));
    CHECK(answer.status == 200);
    CHECK(answer.body == "hello");
    CHECK(answer.headers.get("content-type") == "text/plain");
    CHECK(answer.headers.get("Date").value_or("").ends_with(" GMT"));
  }
}

TEST_CASE("http server: a body arrives as it was sent, whatever the pieces it comes in") {
  Served served;
  auto client = served.client();
  const std::string body("a\0b\xff\r\n\r\n", 8);
  CHECK(client.ask(post("/echo", body)).body == body);

  const auto bytes = post("/echo", body) + "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
                     "3;ext=1\r\nabc\r\n5\r\ndefgh\r\n0\r\nX-Trailer: 1\r\n\r\n";
  for (const char byte : bytes) REQUIRE(client.send(std::string_view(&byte, 1)));
  CHECK(client.read().body == body);
  CHECK(client.read().body == "abcdefgh");
  served.thread.run([&] { CHECK_FALSE(served.requests.back().headers.get("X-Trailer").has_value()); });
}

TEST_CASE("http server: header values are handed on as they came, never decoded") {
  Served served;
  auto client = served.client();
  CHECK(client.ask(post("/echo", "x", "X-Sig: a%2Bb%0d%0aZ+\xc3\xa4\r\nx-two: 1\r\nX-Two: 2\r\n")).status == 200);
  served.thread.run([&] {
    const auto& request = served.requests.at(0);
    CHECK(request.headers.get("x-sig") == "a%2Bb%0d%0aZ+\xc3\xa4");
    CHECK(request.headers.count("X-TWO") == 2);
    CHECK(request.peer == "127.0.0.1");
    CHECK_FALSE(request.control);
  });
}

TEST_CASE("http server: pipelined requests are answered in their order, in one go") {
  Served served;
  auto client = served.client();
  client.send(get("/runs/1") + post("/echo", "two") + get("/later") + get("/runs/4") + "GET /runs/5 HT");
  CHECK(client.read().body == "1?");
  CHECK(client.read().body == "two");
  REQUIRE(served.thread.until([&] { return served.waiting.size() == 1; }));
  served.thread.run([&] { served.waiting[0](text("three")); });
  CHECK(client.read().body == "three");
  CHECK(client.read().body == "4?");
  client.send("TP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.read().body == "5?");
}

TEST_CASE("http server: thousands of pipelined requests for large answers do not fill the memory, and all are answered") {
  Served served;
  auto client = served.client();
  std::string burst;
  for (int i = 0; i < 20; ++i) burst += get("/large");
  for (int i = 0; i < 3000; ++i) burst += get("/hello");
  std::thread sender([&] { client.send(burst); });
  for (int i = 0; i < 20; ++i) CHECK(client.read().body.size() == 4'000'000);
  int answered = 0;
  for (int i = 0; i < 3000; ++i) answered += client.read().status == 200 ? 1 : 0;
  CHECK(answered == 3000);
  sender.join();
}

TEST_CASE("http server: an unknown path is 404, another method 405 with Allow, and both keep the connection") {
  Served served;
  auto client = served.client();
  CHECK(client.ask(get("/nowhere")).status == 404);
  const auto answer = client.ask(get("/echo"));
  CHECK(answer.status == 405);
  CHECK(answer.headers.get("Allow") == "POST");
  CHECK(answer.headers.get("Content-Type") == "application/problem+json");
  CHECK(client.ask("OPTIONS /hello HTTP/1.1\r\nHost: x\r\n\r\n").headers.get("Allow") == "GET, HEAD");
  CHECK(client.ask(get("/hello")).status == 200);
}

TEST_CASE("http server: HEAD is served from the GET route, without the body") {
  Served served;
  auto client = served.client();
  client.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answer = client.read(true);
  CHECK(answer.status == 200);
  CHECK(answer.headers.get("Content-Length") == "5");
  CHECK(client.ask(get("/hello")).body == "hello");
}

TEST_CASE("http server: a chunked body is read alike however it is cut") {
  const std::string request = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n04\r\n0123\r\n0\r\nX-Trailer: t\r\n\r\n";
  const std::string empty = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (const auto& [bytes, body] : {std::pair(request, std::string("abc0123")), std::pair(empty, std::string())}) {
    for (std::size_t piece = 1; piece <= 7; ++piece) {
      CAPTURE(piece);
      HttpParser parser(4096);
      std::size_t used = 0;
      for (std::size_t offered = piece; !parser.complete() && parser.failure() == 0 && used < bytes.size(); offered = std::min(offered + piece, bytes.size())) {
        used += parser.put(std::string_view(bytes).substr(used, offered - used));
        if (parser.head_done()) parser.set_max_body(100);
      }
      REQUIRE(parser.complete());
      CHECK(parser.request().body == body);
    }
  }
}

TEST_CASE("http server: a body over the route's limit is 413, whether announced, chunked or grown past its limit") {
  Served served;
  SUBCASE("announced: answered before the body is sent") {
    auto client = served.client();
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
    CHECK(client.read().status == 413);
  }
  SUBCASE("announced and sent all the same: the sender still sees the answer") {
    auto client = served.client();
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n");
    CHECK(client.send(std::string(8'000'000, 'x')));
    CHECK(client.read().status == 413);
    CHECK(client.closed_by_peer());
  }
  SUBCASE("one chunk") {
    auto client = served.client();
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\nxx");
    CHECK(client.read().status == 413);
  }
  SUBCASE("many chunks") {
    auto client = served.client();
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1001; ++i) client.send("1\r\nx\r\n");
    CHECK(client.read().status == 413);
  }
  SUBCASE("exactly the limit is taken") {
    auto client = served.client();
    CHECK(client.ask(post("/echo", std::string(1000, 'x'))).status == 200);
  }
  CHECK(served.until_connections(0));
}

TEST_CASE("http server: whoever has a route is told of each request that does not reach it, and a throw of his harms nobody") {
  HttpServerOptions options;
  options.body_deadline = 200ms;
  Served served(options);
  std::vector<std::string> told;
  served.thread.run([&] {
    served.server->add({"POST", "/small", 10, [](HttpRequest, HttpResponder answer) { answer(text("taken")); },
                        [&](const HttpRequest& head, int status, const std::string& reason) {
                          told.push_back(head.peer + " " + std::string(head.headers.get("X-Id").value_or("-")) + " " + std::to_string(status) + " " + reason);
                          throw std::runtime_error("secret");
                        }});
  });
  const std::string head = "POST /small HTTP/1.1\r\nHost: x\r\n";
  CHECK(served.client().ask(head + "X-Id: 1\r\nContent-Length: 11\r\n\r\n").status == 413);
  CHECK(served.client().ask(head + "X-Id: 2\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n").status == 413);
  CHECK(served.client().ask(head + "X-Id: 3\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n").status == 413);
  CHECK(served.client().ask(head + "X-Id: 4\r\nContent-Length: 10\r\n\r\n1234567890").status == 200);
  CHECK(served.client().ask(head + "X-Id: 5\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n").status == 400);
  CHECK(served.client().ask(head + "X-Id: 6\r\nContent-Length: 10\r\n\r\n12345").status == 408);
  served.thread.run([&] {
    REQUIRE(told.size() == 5);
    CHECK(told[0] == "127.0.0.1 1 413 11 bytes, at most 10");
    CHECK(told[1] == "127.0.0.1 2 413 12 bytes, at most 10");
    CHECK(told[2] == "127.0.0.1 3 413 more than 10 bytes, at most 10");
    CHECK(told[3].starts_with("127.0.0.1 5 400 "));
    CHECK(told[4] == "127.0.0.1 6 408 the request did not arrive in time");
  });
}

TEST_CASE("http server: the record is told of what comes to no route, but not of a person's on the control socket") {
  HttpServerOptions options;
  options.max_connections = 2;
  options.head_deadline = 200ms;
  Served served(options);
  const test::TemporaryFolder folder;
  std::vector<std::string> told;
  served.thread.run([&] {
    served.server->on_refused([&](const HttpRefused& refused) {
      told.push_back(refused.peer + " " + std::to_string(refused.status) + " " + refused.method + " " + refused.path);
      throw std::runtime_error("secret");
    });
    REQUIRE(served.server->listen_unix(folder / "socket").ok());
  });
  CHECK(served.client().ask("POST /hok?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").status == 404);
  CHECK(served.client().ask("PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").status == 405);
  CHECK(served.client().ask("nonsense\r\n\r\n").status == 400);
  CHECK(served.client().ask("POST /echo HT").status == 408);
  CHECK(served.until_connections(0));
  {
    auto one = served.client(), two = served.client();
    CHECK(one.ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").status == 200);
    CHECK(two.ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").status == 200);
    CHECK(served.client().read().status == 503);
  }
  RawClient control((folder / "socket").string());
  CHECK(control.ask("POST /hok HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").status == 404);
  served.thread.run([&] {
    CHECK(told == std::vector<std::string>{"127.0.0.1 404 POST /hok", "127.0.0.1 405 PUT /echo", "127.0.0.1 400  ", "127.0.0.1 408  ", "127.0.0.1 503  "});
  });
}

TEST_CASE("http server: requests that can be read in two ways are refused and the connection ends") {
  const std::vector<std::pair<std::string, int>> cases = {
      {"nonsense\r\n\r\n", 400},
      {"GET /hello HTTP/1.1\r\n\r\n", 400},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n", 400},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", 400},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n", 400},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nX: " + std::string("a\0b", 3) + "\r\n\r\n", 400},
      {"GET /hello%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /../hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET http://b/hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: magic\r\n\r\nabc", 417},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
      {"GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", 431},
  };
  Served served;
  for (const auto& [bytes, status] : cases) {
    CAPTURE(bytes.substr(0, 120));
    auto client = served.client();
    client.send(bytes);
    CHECK(client.read().status == status);
    client.finish_sending();
    CHECK(client.closed_by_peer());
  }
  CHECK(served.until_connections(0));
  served.thread.run([&] { CHECK(served.requests.empty()); });
}

TEST_CASE("http server: a head that comes line by line is bounded too") {
  Served served;
  auto client = served.client();
  client.send("GET /hello HTTP/1.1\r\nHost: a\r\n");
  const std::string line = "X-Line: " + std::string(90, 'x') + "\r\n";
  for (int i = 0; i < 400 && client.send(line); ++i) {
  }
  CHECK(client.read().status == 431);
}

TEST_CASE("http server: the absolute form of a target, an escaped path and an empty line before the request are understood") {
  Served served;
  auto client = served.client();
  CHECK(client.ask("\r\nGET http://localhost/runs/a?x=%20 HTTP/1.1\r\nHost: localhost\r\n\r\n").body == "a?x=%20");
  CHECK(client.ask(get("/runs/a%20b%C3%A4")).body == "a b\xc3\xa4?");
}

TEST_CASE("http server: Expect: 100-continue is answered where the body is wanted, and 413 stands in its place where not") {
  Served served;
  auto client = served.client();
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  CHECK(client.read(true).status == 100);
  client.send("abc");
  CHECK(client.read().body == "abc");
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n");
  CHECK(client.read().status == 413);
}

TEST_CASE("http server: HTTP/1.0 and Connection: close end after the answer") {
  Served served;
  SUBCASE("1.0") {
    auto client = served.client();
    CHECK(client.ask("GET /hello HTTP/1.0\r\n\r\n").status == 200);
    CHECK(client.closed_by_peer());
  }
  SUBCASE("1.0 with keep-alive") {
    auto client = served.client();
    CHECK(client.ask("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").headers.get("Connection") == "keep-alive");
    CHECK(client.ask("GET /hello HTTP/1.0\r\n\r\n").status == 200);
  }
  SUBCASE("close") {
    auto client = served.client();
    CHECK(client.ask(get("/hello", "Connection: close\r\n")).headers.get("Connection") == "close");
    CHECK(client.closed_by_peer());
  }
  SUBCASE("a client that stops sending is still answered") {
    auto client = served.client();
    client.send(get("/hello") + get("/later"));
    client.finish_sending();
    CHECK(client.read().status == 200);
    REQUIRE(served.thread.until([&] { return served.waiting.size() == 1; }));
    served.thread.run([&] { served.waiting[0](text("late")); });
    CHECK(client.read().body == "late");
    CHECK(client.closed_by_peer());
  }
}

TEST_CASE("http server: slow and silent senders are cut off at their phase's deadline") {
  HttpServerOptions options;
  options.head_deadline = options.body_deadline = options.idle_deadline = options.drain_deadline = 30ms;
  Served served(options);
  SUBCASE("nothing at all") {
    auto client = served.client();
    CHECK(client.closed_by_peer());
  }
  SUBCASE("half a head, byte by byte") {
    auto client = served.client();
    client.send("GET /hello HTTP/1.1\r\nX: ");
    while (client.send("x")) {
    }
    CHECK(served.until_connections(0));
  }
  SUBCASE("half a head") {
    auto client = served.client();
    client.send("GET /hello HT");
    CHECK(client.read().status == 408);
    CHECK(client.closed_by_peer());
  }
  SUBCASE("a body shorter than it was said to be") {
    auto client = served.client();
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    CHECK(client.read().status == 408);
    CHECK(client.closed_by_peer());
  }
  SUBCASE("a sender that was refused and goes on for ever") {
    auto client = served.client();
    client.send("POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (client.send("1\r\nx\r\n")) {
    }
    CHECK(served.until_connections(0));
  }
  SUBCASE("while a handler works no deadline runs") {
    auto client = served.client();
    client.send(get("/later"));
    auto other = served.client();
    CHECK(other.closed_by_peer());  // its idle deadline came, and ours would have
    served.thread.run([&] { served.waiting.at(0)(text("late")); });
    CHECK(client.read().body == "late");
  }
}

TEST_CASE("http server: a peer that does not read its answer is cut off") {
  HttpServerOptions options;
  options.write_deadline = 30ms;
  Served served(options);
  auto client = served.client();
  std::string burst;
  for (int i = 0; i < 20; ++i) burst += get("/large");
  client.send(burst);
  CHECK(served.until_connections(1));
  CHECK(served.until_connections(0));
}

TEST_CASE("http server: an answer that comes when the client is gone, or comes twice, does nothing") {
  Served served;
  auto gone = served.client();
  gone.send(get("/later"));
  REQUIRE(served.thread.until([&] { return served.waiting.size() == 1; }));
  gone.reset();
  CHECK(served.until_connections(0));
  auto client = served.client();
  client.send(get("/later"));
  REQUIRE(served.thread.until([&] { return served.waiting.size() == 2; }));
  served.thread.run([&] {
    served.waiting[0](text("to nobody"));
    served.waiting[1](text("first"));
    served.waiting[1](text("second"));
  });
  CHECK(client.read().body == "first");
  CHECK(client.ask(get("/hello")).body == "hello");
  served.thread.run([&] {
    served.waiting[1](text("third"));
    served.waiting.clear();
  });
  CHECK(client.ask(get("/hello")).body == "hello");
}

TEST_CASE("http server: a request that is dropped or whose handler throws is 500, without a word of why") {
  Served served;
  auto client = served.client();
  CHECK(client.ask(get("/lost")).status == 500);
  const auto answer = client.ask(get("/thrown"));
  CHECK(answer.status == 500);
  CHECK(answer.body.find("secret") == std::string::npos);
  client.send(get("/later"));
  REQUIRE(served.thread.until([&] { return served.waiting.size() == 1; }));
  served.thread.run([&] { served.waiting.clear(); });
  CHECK(client.read().status == 500);
  CHECK(client.ask(get("/hello")).status == 200);
}

TEST_CASE("http server: a responder may outlive its server") {
  std::optional<HttpResponder> kept;
  {
    Served served;
    auto client = served.client();
    client.send(get("/later"));
    REQUIRE(served.thread.until([&] { return served.waiting.size() == 1; }));
    served.thread.run([&] {
      kept = served.waiting[0];
      served.server.reset();
      (*kept)(text("nobody hears"));
      served.server.emplace(served.thread.loop());
    });
    CHECK(client.closed_by_peer());
  }
  kept.reset();
}

TEST_CASE("http server: a header value of a handler's cannot break out of its line") {
  Served served;
  served.thread.run([&] {
    served.server->add({"GET", "/split", 0, [](HttpRequest, HttpResponder answer) {
                          auto response = text("ok");
                          response.headers.add("X-Good", "1");
                          response.headers.add("X-Bad", "1\r\nSet-Cookie: a");
                          response.headers.add("Content-Length", "99");
                          answer(std::move(response));
                        }});
  });
  auto client = served.client();
  const auto answer = client.ask(get("/split"));
  CHECK(answer.body == "ok");
  CHECK(answer.headers.get("X-Good") == "1");
  CHECK_FALSE(answer.headers.get("X-Bad").has_value());
  CHECK_FALSE(answer.headers.get("Set-Cookie").has_value());
}

TEST_CASE("http server: who connects and says nothing is let go when the head would have been due") {
  HttpServerOptions options;
  options.head_deadline = 50ms;
  Served served(options);
  std::size_t told = 0;
  served.thread.run([&] { served.server->on_refused([&](const HttpRefused&) { ++told; }); });
  CHECK(served.client().closed_by_peer());
  auto blank = served.client();
  blank.send("\r\n");
  CHECK(blank.closed_by_peer());
  auto kept = served.client();
  CHECK(kept.ask(get("/hello")).status == 200);
  auto other = served.client();
  CHECK(other.closed_by_peer());
  CHECK(kept.ask(get("/hello")).status == 200);  // between requests there is more time
  served.thread.run([&] { CHECK(told == 0); });
}

TEST_CASE("http server: a thousand idle connections are held, and one more asks in between") {
  Served served;
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const rlimit more{std::min<rlim_t>(files.rlim_max, 8192), files.rlim_max};
  setrlimit(RLIMIT_NOFILE, &more);
  const std::size_t count = more.rlim_cur >= 4096 ? 1000 : 100;
  std::vector<RawClient> clients;
  for (std::size_t i = 0; i < count; ++i) clients.push_back(served.client());
  REQUIRE(served.until_connections(count));
  CHECK(clients[7].ask(get("/hello")).status == 200);
  auto client = served.client();
  CHECK(client.ask(get("/hello")).status == 200);
  clients.clear();
  CHECK(served.until_connections(1));
}

TEST_CASE("http server: a connection over the bound is told 503, and there is room again when one goes") {
  HttpServerOptions options;
  options.max_connections = 2;
  options.drain_deadline = 30ms;
  Served served(options);
  auto first = served.client();
  auto second = served.client();
  CHECK(first.ask(get("/hello")).status == 200);
  CHECK(second.ask(get("/hello")).status == 200);
  auto third = served.client();
  const auto answer = third.read();
  CHECK(answer.status == 503);
  CHECK(answer.headers.get("Retry-After").has_value());
  CHECK(third.closed_by_peer());
  second.close();
  REQUIRE(served.until_connections(1));
  CHECK(served.client().ask(get("/hello")).status == 200);
}

TEST_CASE("http server: without a free descriptor accepting waits, and goes on when there is one") {
  Served served;
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  std::vector<int> hogs;
  rlimit low = before;
  low.rlim_cur = 64;
  std::optional<RawClient> client(served.client());
  REQUIRE(client->ask(get("/hello")).status == 200);
  std::optional<RawClient> next;
  setrlimit(RLIMIT_NOFILE, &low);
  for (int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC); fd >= 0; fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC))
    hogs.push_back(fd);
  if (!hogs.empty()) {
    ::close(hogs.back());
    hogs.pop_back();
    next.emplace(served.client());  // takes the last one: the kernel completes it, nobody can accept it
    CHECK(client->ask(get("/hello")).status == 200);
    next->send(get("/hello"));
    for (const int fd : hogs) ::close(fd);
    CHECK(next->read().status == 200);
  }
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST_CASE("http server: accepted sockets are not inherited by children and do not wait to send") {
  Served served;
  auto client = served.client();
  CHECK(client.ask(get("/hello")).status == 200);
  int sockets = 0;
  for (int fd = 3; fd < 256; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || peer.sin_family != AF_INET) continue;
    if (ntohs(peer.sin_port) != served.port) continue;
    ++sockets;
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    int on = 0;
    size = sizeof on;
    ::getsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, &size);
    CHECK(on == 1);
  }
  CHECK(sockets == 2);
}

TEST_CASE("http server: routes come and go; the same one twice is refused") {
  Served served;
  auto client = served.client();
  served.thread.run([&] {
    CHECK_FALSE(served.server->add({"GET", "/hello", 0, [](HttpRequest, HttpResponder) {}}));
    CHECK(served.server->add({"POST", "/hello", 10, [](HttpRequest, HttpResponder answer) { answer(text("posted")); }}));
    served.server->remove("GET", "/hello");
  });
  CHECK(client.ask(get("/hello")).status == 405);
  CHECK(client.ask(post("/hello", "")).body == "posted");
  served.thread.run([&] { served.server->remove("POST", "/hello"); });
  CHECK(client.ask(get("/hello")).status == 404);
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab");
  CHECK(served.client().ask(get("/who")).status == 200);
  served.thread.run([&] { served.server->remove("POST", "/echo"); });
  client.send("c");
  CHECK(client.read().status == 404);
}

TEST_CASE("http server: a request on its way in meets the route that has its path by the time it is all there") {
  Served served;
  auto client = served.client();
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab");
  CHECK(served.client().ask(get("/who")).status == 200);
  served.thread.run([&] {
    served.server->remove("POST", "/echo");
    served.server->add({"POST", "/echo", 10, [](HttpRequest request, HttpResponder answer) { answer(text("now " + request.body)); }});
  });
  client.send("c");
  CHECK(client.read().body == "now abc");
}

TEST_CASE("http server: it moves to another port, and stays where it is when that is taken") {
  Served served;
  Served other;
  auto before = served.client();
  CHECK(before.ask(get("/hello")).status == 200);
  const auto old = served.port;
  served.thread.run([&] {
    const auto taken = served.server->move_to("127.0.0.1", other.port);
    CHECK_FALSE(taken.ok());
    CHECK(served.server->port() == old);
    CHECK_FALSE(served.server->listen("127.0.0.1", other.port).ok());
  });
  CHECK(served.client().ask(get("/hello")).status == 200);
  served.thread.run([&] {
    const auto overlapping = served.server->move_to("0.0.0.0", old);
    REQUIRE_FALSE(overlapping.ok());
    CHECK(overlapping.error().cure.find("restart the daemon") != std::string::npos);
    REQUIRE(served.server->move_to("127.0.0.1", 0).ok());
    served.port = served.server->port();
  });
  CHECK(served.port != old);
  CHECK(served.client().ask(get("/hello")).status == 200);
  CHECK(before.ask(get("/hello")).status == 200);
  CHECK_THROWS(RawClient(old));
  served.thread.run([&] { served.server->stop_listening(); });
  CHECK_THROWS(served.client());
  served.thread.run([&] { REQUIRE(served.server->listen("127.0.0.1", old).ok()); });
  CHECK(before.ask(get("/hello")).status == 200);
}

TEST_CASE("http server: whoever connected before it moved is served") {
  Served served;
  std::optional<RawClient> early;
  served.thread.run([&] {
    early.emplace(served.port);  // waits in the backlog: the loop is here
    REQUIRE(served.server->move_to("127.0.0.1", 0).ok());
  });
  CHECK(early->ask(get("/hello")).status == 200);
}

TEST_CASE("http server: a handler may take its own route away") {
  Served served;
  served.thread.run([&] {
    served.server->add({"GET", "/once", 0, [&](HttpRequest request, HttpResponder answer) {
                          served.server->remove("GET", "/once");
                          answer(text(request.path));
                        }});
  });
  auto client = served.client();
  CHECK(client.ask(get("/once")).body == "/once");
  CHECK(client.ask(get("/once")).status == 404);
}

TEST_CASE("http server: path parameters") {
  CHECK(path_parameter("/api/runs/{id}/cancel", "/api/runs/42/cancel", "id") == "42");
  CHECK(path_parameter("/a/{x}/{y}", "/a/1/2", "y") == "2");
  CHECK(path_parameter("/a/{x}", "/a/1/2", "x").empty());
  CHECK(path_parameter("/a/{x}", "/b/1", "x").empty());
  CHECK(path_parameter("/a/{x}", "/a/", "x").empty());
  CHECK(path_parameter("/a/{x}", "/a/1", "y").empty());
}

TEST_CASE("http server: stop_accepting lets go of the idle, and answers those who wait") {
  Served served;
  auto idle = served.client();
  CHECK(idle.ask(get("/hello")).status == 200);
  auto waiting = served.client();
  waiting.send(get("/later"));
  REQUIRE(served.thread.until([&] { return served.waiting.size() == 1; }));
  served.thread.run([&] { served.server->stop_accepting(); });
  CHECK(idle.closed_by_peer());
  CHECK_THROWS(served.client());
  served.thread.run([&] { served.waiting[0](text("still")); });
  const auto answer = waiting.read();
  CHECK(answer.body == "still");
  CHECK(answer.headers.get("Connection") == "close");
  CHECK(waiting.closed_by_peer());
}

TEST_CASE("http server: a taken port is an error that says how to find who holds it") {
  Served served;
  served.thread.run([&] {
    HttpServer other(served.thread.loop());
    const auto status = other.listen("127.0.0.1", served.port);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().message == "cannot listen on 127.0.0.1:" + std::to_string(served.port) + ": Address already in use");
    CHECK(status.error().cure ==
          "stop the program that holds it (ss -ltnp 'sport = :" + std::to_string(served.port) + "'), or set webhook_port");
    CHECK(other.port() == 0);
    CHECK(served.server->listen("127.0.0.1", served.port).ok());
    CHECK_FALSE(served.server->listen("127.0.0.1", 1).ok());
    CHECK_FALSE(other.listen("192.0.2.1", 0).ok());
    CHECK_FALSE(other.listen("no such host", 0).ok());
    CHECK(other.listen("::1", 0).ok());
    CHECK(other.port() != 0);
  });
}

TEST_CASE("http server: the control socket is the owner's, knows its peer, and has routes of its own") {
  test::TemporaryFolder folder;
  const auto path = folder / "hark.sock";
  Served served;
  served.thread.run([&] { REQUIRE(served.server->listen_unix(path).ok()); });
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK(S_ISSOCK(status.st_mode));
  CHECK((status.st_mode & 0777) == 0600);

  RawClient control(path);
  CHECK(control.ask(get("/who")).body == "unix:uid=" + std::to_string(geteuid()) + " control");
  CHECK(control.ask(post("/control", "x")).body == "done");
  auto remote = served.client();
  CHECK(remote.ask(post("/control", "x")).status == 404);
  served.thread.run([&] { served.server->stop_accepting(); });
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("http server: a socket file is replaced only when it is one and nobody answers on it") {
  test::TemporaryFolder folder;
  const auto path = folder / "hark.sock";
  test::LoopThread thread;
  thread.run([&] {
    {
      std::ofstream(path) << "precious";
      HttpServer server(thread.loop());
      CHECK_FALSE(server.listen_unix(path).ok());
      CHECK(std::filesystem::exists(path));
      std::filesystem::remove(path);
    }
    {  // a dead one, as a crash leaves it
      const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::strcpy(address.sun_path, path.c_str());
      REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
      ::close(fd);
    }
    auto first = std::make_unique<HttpServer>(thread.loop());
    CHECK(first->listen_unix(path).ok());
    HttpServer second(thread.loop());
    const auto status = second.listen_unix(path);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().message.find("another daemon answers") != std::string::npos);
    // Somebody took the file away and another took its place: it is not ours to remove.
    std::filesystem::remove(path);
    CHECK(second.listen_unix(path).ok());
    first.reset();
    CHECK(std::filesystem::exists(path));

    HttpServer third(thread.loop());
    const auto too_long = third.listen_unix(folder / std::string(200, 'x'));
    REQUIRE_FALSE(too_long.ok());
    CHECK(too_long.error().cure.find("--socket") != std::string::npos);
    CHECK_FALSE(third.listen_unix(folder / "none" / "x.sock").ok());
  });
}

TEST_CASE("http server: whatever bytes come, in whatever pieces, it goes on serving") {
  Served served;
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string good =
      post("/echo", "hello", "X-A: 1\r\n") +
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0\r\nT: 1\r\n\r\n" +
      get("/runs/a%20b?c=d");
  for (int round = 0; round < 300; ++round) {
    std::string bytes = good;
    const auto mutations = random() % 6;
    for (unsigned i = 0; i < mutations; ++i) {
      const auto at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, random() % 8);
          break;
        case 2:
          bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 40));
          break;
        default:
          bytes.insert(at, 1, "\r\n:;, \0%"[random() % 8]);
          break;
      }
    }
    auto client = served.client();
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const auto piece = 1 + random() % 60;
      if (!client.send(std::string_view(bytes).substr(sent, piece))) break;
      sent += piece;
    }
    client.finish_sending();
    while (client.read().status != 0) {
    }
  }
  CHECK(served.client().ask(get("/hello")).status == 200);
}

TEST_CASE("http server: no address takes all connections") {
  HttpServerOptions options;
  options.max_connections = 10;
  options.max_of_one = 2;
  options.spare_loopback = false;
  Served served(options);
  const std::string hello = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
  {
    auto one = served.client(), two = served.client();
    CHECK(one.ask(hello).status == 200);
    CHECK(two.ask(hello).status == 200);
    CHECK(served.client().read().status == 503);
    CHECK(two.ask(hello).status == 200);
  }
  CHECK(served.until_connections(0));
  auto again = served.client(), more = served.client();
  CHECK(again.ask(hello).status == 200);
  CHECK(more.ask(hello).status == 200);
}
