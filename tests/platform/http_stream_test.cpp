#include "platform/http_stream.h"

#include <doctest/doctest.h>

#include <deque>
#include <string>
#include <vector>

#include "platform/clock.h"
#include "tests/support/served_ways.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::RawClient;
using hark::test::Way;

namespace {

// "/events" answers without an end and keeps the handles; "/hello" answers as usual.
struct Streams : test::ServedWays {
  explicit Streams(Way way = Way::tcp, HttpServerOptions options = {}) : ServedWays(way, options) {
    thread.run([&] {
      server->add({"GET", "/hello", 0, [this](HttpRequest, HttpResponder answer) {
                     ++asked;
                     HttpResponse response;
                     response.body = "hello";
                     answer(response);
                   }});
      server->add({"GET", "/later", 0, [this](HttpRequest, HttpResponder answer) { waiting.push_back(std::move(answer)); }});
      server->add({"GET", "/events", 0, [this](HttpRequest, HttpResponder answer) { answer(stream()); }});
    });
  }
  ~Streams() {
    thread.run([&] {
      waiting.clear();
      streams.clear();
      server.reset();
    });
  }

  HttpResponse stream() {
    HttpResponse response;
    response.content_type = "text/event-stream";
    response.body = begin;
    response.stream = [this](std::shared_ptr<HttpStream> stream) {
      stream->on_drained([this] { ++drained; });
      stream->on_closed([this] { ++closed; });
      streams.push_back(std::move(stream));
    };
    return response;
  }
  std::shared_ptr<HttpStream> wait_for_stream(std::size_t which = 0) {
    REQUIRE(thread.until([&] { return streams.size() > which; }));
    std::shared_ptr<HttpStream> stream;
    thread.run([&] { stream = streams[which]; });
    return stream;
  }
  void write(std::string bytes, std::size_t which = 0) {
    thread.run([&] { streams[which]->write(bytes); });
  }

  std::vector<std::shared_ptr<HttpStream>> streams;
  std::vector<HttpResponder> waiting;
  std::string begin;
  int asked = 0;
  int drained = 0;
  int closed = 0;
};

std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n"; }

}  // namespace

TEST_CASE("http stream: head, begin, each write as a chunk and the last one, over TCP, TLS and the Unix socket") {
  for (const auto way : {Way::tcp, Way::tls, Way::unix_socket}) {
    CAPTURE(static_cast<int>(way));
    Streams served(way);
    served.begin = ": here\n\n";
    auto client = served.client();
    client.send(get("/events"));
    const auto head = client.read();
    CHECK(head.status == 200);
    CHECK(head.headers.get("Content-Type") == "text/event-stream");
    CHECK(head.headers.get("Transfer-Encoding") == "chunked");
    CHECK(head.headers.get("Connection") == "close");
    CHECK_FALSE(head.headers.get("Content-Length"));
    CHECK(client.take(13) == "8\r\n: here\n\n\r\n");
    served.wait_for_stream();
    served.write("data: 1\n\n");
    CHECK(client.take(14) == "9\r\ndata: 1\n\n\r\n");
    served.thread.run([&] {
      served.streams[0]->write(std::string(26, 'x'));
      served.streams[0]->write("");
      served.streams[0]->write("y");
      CHECK(served.streams[0]->pending() == 26 + 6 + 6);
    });
    CHECK(client.take(32 + 6) == "1a\r\n" + std::string(26, 'x') + "\r\n1\r\ny\r\n");
    CHECK(served.thread.until([&] { return served.streams[0]->pending() == 0 && served.drained == 3; }));
    served.thread.run([&] {
      served.streams[0]->write("z");
      served.streams[0]->close();
      served.streams[0]->write("too late");
      served.streams[0]->close();
      CHECK(served.closed == 0);
    });
    CHECK(client.take(11) == "1\r\nz\r\n0\r\n\r\n");
    CHECK(client.closed_by_peer());
    CHECK(served.until_connections(0));
    served.thread.run([&] {
      CHECK(served.closed == 1);
      CHECK(served.streams[0]->pending() == 0);
      served.streams[0]->write("nobody");
    });
  }
}

TEST_CASE("http stream: HTTP/1.0 gets the bytes as they are, up to the connection's end") {
  Streams served;
  served.begin = "one";
  auto client = served.client();
  client.send("GET /events HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
  const auto head = client.read();
  CHECK_FALSE(head.headers.get("Transfer-Encoding"));
  CHECK_FALSE(head.headers.get("Content-Length"));
  CHECK(head.headers.get("Connection") == "close");
  served.wait_for_stream();
  served.thread.run([&] {
    served.streams[0]->write("two");
    served.streams[0]->close();
  });
  CHECK(client.rest() == "onetwo");
}

TEST_CASE("http stream: HEAD gets the head alone, and the connection stays") {
  Streams served;
  auto client = served.client();
  client.send("HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto head = client.read(true);
  CHECK(head.headers.get("Transfer-Encoding") == "chunked");
  CHECK(head.headers.get("Content-Type") == "text/event-stream");
  CHECK(client.ask(get("/hello")).body == "hello");
  served.thread.run([&] { CHECK(served.streams.empty()); });
}

TEST_CASE("http stream: answers that are due before it come before it, and no request behind it is answered") {
  Streams served;
  auto client = served.client();
  client.send(get("/hello") + get("/events") + get("/hello"));
  CHECK(client.read().body == "hello");
  CHECK(client.read().status == 200);
  served.wait_for_stream();
  client.send(get("/hello"));
  served.write("a");
  CHECK(client.take(6) == "1\r\na\r\n");
  served.thread.run([&] { served.streams[0]->close(); });
  CHECK(client.rest() == "0\r\n\r\n");
  served.thread.run([&] { CHECK(served.asked == 1); });
}

TEST_CASE("http stream: a peer that goes is noticed without a write, whether it resets or says goodbye, and told once") {
  Streams served;
  auto reset = served.client(), finished = served.client();
  CHECK(reset.ask(get("/events")).status == 200);
  CHECK(finished.ask(get("/events")).status == 200);
  served.wait_for_stream(1);
  reset.reset();
  CHECK(served.thread.until([&] { return served.closed == 1; }));
  finished.finish_sending();
  CHECK(served.thread.until([&] { return served.closed == 2; }));
  CHECK(served.until_connections(0));
  served.write("nobody");
  served.thread.run([&] { served.streams.clear(); });
  CHECK(served.closed == 2);
}

TEST_CASE("http stream: what a peer does not take stays pending, and one that takes nothing is dropped, another is not") {
  HttpServerOptions options;
  options.write_deadline = 300ms;
  Streams served(Way::tcp, options);
  const std::string large(8'000'000, 'x');
  auto deaf = served.client(), hearing = served.client();
  CHECK(deaf.ask(get("/events")).status == 200);
  served.wait_for_stream(0);
  CHECK(hearing.ask(get("/events")).status == 200);
  served.wait_for_stream(1);
  served.write(large, 0);
  served.write("short", 1);
  CHECK(hearing.take(10) == "5\r\nshort\r\n");
  served.thread.run([&] { CHECK(served.streams[0]->pending() > 0); });
  CHECK(served.thread.until([&] { return served.closed == 1; }));  // by the deadline
  served.thread.run([&] { CHECK(served.streams[0]->pending() == 0); });
  served.write("more", 1);
  CHECK(hearing.take(9) == "4\r\nmore\r\n");
}

TEST_CASE("http stream: a peer that takes some all the time is not dropped, however long it takes") {
  HttpServerOptions options;
  options.write_deadline = 1s;
  Streams served(Way::unix_socket, options);  // whose buffer is small, so that each read makes room
  auto client = served.client();
  CHECK(client.ask(get("/events")).status == 200);
  served.wait_for_stream();
  served.write(std::string(8'000'000, 'x'));
  for (int i = 0; i < 220; ++i) {
    CHECK(client.take(30'000).size() == 30'000);
    served.thread.until([next = steady_now() + 10ms] { return steady_now() >= next; });  // so that it lasts more than twice the deadline
  }
  served.thread.run([&] {
    CHECK(served.closed == 0);
    CHECK(served.streams[0]->pending() > 0);
  });
}

TEST_CASE("http stream: one that is read again goes on, and tells when all is taken") {
  for (const auto way : {Way::tcp, Way::tls}) {
    Streams served(way);
    auto client = served.client();
    CHECK(client.ask(get("/events")).status == 200);
    served.wait_for_stream();
    CHECK(served.thread.until([&] { return served.drained == 1; }));
    const std::string large(4'000'000, 'x');
    for (int i = 0; i < 3; ++i) served.write(large);
    served.thread.run([&] { CHECK(served.streams[0]->pending() > 0); });
    for (int i = 0; i < 3; ++i) CHECK(client.take(8 + 4'000'000 + 2) == "3d0900\r\n" + large + "\r\n");
    CHECK(served.thread.until([&] { return served.drained >= 2 && served.streams[0]->pending() == 0; }));
  }
}

TEST_CASE("http stream: dropping the handle ends it, and a callback may hold it or drop it") {
  Streams served;
  auto client = served.client();
  CHECK(client.ask(get("/events")).status == 200);
  served.wait_for_stream();
  served.thread.run([&] { served.streams.clear(); });
  CHECK(client.rest() == "0\r\n\r\n");

  std::weak_ptr<HttpStream> held;
  served.thread.run([&] {
    served.server->add({"GET", "/own", 0, [&](HttpRequest, HttpResponder answer) {
                          HttpResponse response;
                          response.stream = [&](std::shared_ptr<HttpStream> stream) {
                            held = stream;
                            stream->on_drained([stream, round = 0]() mutable {
                              if (++round == 4) return stream->on_drained(nullptr);
                              stream->write(std::to_string(round));
                            });
                          };
                          answer(response);
                        }});
  });
  auto own = served.client();
  CHECK(own.ask(get("/own")).status == 200);
  CHECK(own.rest() == "1\r\n1\r\n1\r\n2\r\n1\r\n3\r\n0\r\n\r\n");
  CHECK(served.until_connections(0));
  CHECK(held.expired());
}

TEST_CASE("http stream: stop_accepting ends it in order, tells it, and then that all are gone; a later one is refused") {
  for (const auto way : {Way::tcp, Way::tls, Way::unix_socket}) {
    Streams served(way);
    auto client = served.client(), late = served.client();
    CHECK(client.ask(get("/events")).status == 200);
    served.wait_for_stream();
    late.send(get("/later"));
    REQUIRE(served.thread.until([&] { return served.waiting.size() == 1; }));
    std::vector<std::string> told;
    served.thread.run([&] {
      served.streams[0]->on_closed([&] { told.push_back("stream"); });
      served.streams[0]->write("last");
      served.server->stop_accepting([&] { told.push_back("all"); });
      CHECK(told.empty());
    });
    CHECK(client.rest() == "4\r\nlast\r\n0\r\n\r\n");
    CHECK(served.until_connections(1));
    served.thread.run([&] { served.waiting[0](served.stream()); });
    CHECK(late.read().status == 503);
    CHECK(served.thread.until([&] { return told.size() == 2; }));
    CHECK(told == std::vector<std::string>{"stream", "all"});
    served.thread.run([&] { CHECK(served.streams.size() == 1); });
  }
}

TEST_CASE("http stream: deadlines of requests do not cut it, and its connection counts") {
  HttpServerOptions options;
  options.head_deadline = options.body_deadline = options.write_deadline = options.idle_deadline = options.drain_deadline = 50ms;
  options.max_connections = 1;
  Streams served(Way::tcp, options);
  auto client = served.client();
  CHECK(client.ask(get("/events")).status == 200);
  served.wait_for_stream();
  auto later = served.client();
  CHECK(later.read().status == 503);
  CHECK(served.until_connections(1));  // that one's deadline is over, so the stream's would have been
  served.write("still");
  CHECK(client.take(10) == "5\r\nstill\r\n");
}

TEST_CASE("http stream: a handle outlives its server, which calls nobody any more when it is destroyed") {
  Streams served;
  auto client = served.client();
  CHECK(client.ask(get("/events")).status == 200);
  const auto stream = served.wait_for_stream();
  served.thread.run([&] { served.server.reset(); });
  CHECK(client.rest().empty());
  served.thread.run([&] {
    stream->write("nobody");
    stream->close();
    CHECK(stream->pending() == 0);
    CHECK(served.closed == 0);
  });
}

TEST_CASE("http stream: an answer that comes when the client has gone opens none") {
  Streams served;
  auto client = served.client();
  client.send(get("/later"));
  REQUIRE(served.thread.until([&] { return served.waiting.size() == 1; }));
  client.reset();
  CHECK(served.until_connections(0));
  served.thread.run([&] {
    served.waiting[0](served.stream());
    CHECK(served.streams.empty());
  });
}
