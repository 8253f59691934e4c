#include "platform/web_socket.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "platform/clock.h"
#include "tests/support/served_ways.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::RawClient;
using hark::test::Way;

namespace {

// "/socket" becomes a WebSocket, whose handle and messages are kept; "echo ..." is answered.
struct Sockets : test::ServedWays {
  explicit Sockets(Way way = Way::tcp, HttpServerOptions options = {}) : ServedWays(way, options) {
    thread.run([&] {
      server->add({"GET", "/hello", 0, [](HttpRequest, HttpResponder answer) {
                     HttpResponse response;
                     response.body = "hello";
                     answer(response);
                   }});
      server->add({"GET", "/later", 0, [this](HttpRequest, HttpResponder answer) { waiting.push_back(std::move(answer)); }});
      server->add({"GET", "/socket", 10, [this](HttpRequest, HttpResponder answer) { answer(socket()); }});
    });
  }
  ~Sockets() {
    thread.run([&] {
      waiting.clear();
      sockets.clear();
      server.reset();
    });
  }

  HttpResponse socket() {
    HttpResponse response;
    response.subprotocol = subprotocol;
    response.headers.add("X-Own", "1");
    response.headers.add("X-Broken", "1\r\nX-Forged: 1");
    response.max_message = 100'000;
    response.websocket = [this](std::shared_ptr<WebSocket> opened) {
      auto* one = opened.get();
      opened->on_message([this, one](std::string text) {
        if (text.starts_with("echo ")) one->send(text.substr(5));
        if (text == "throw") throw std::runtime_error("secret");
        messages.push_back(std::move(text));
      });
      opened->on_drained([this] { ++drained; });
      opened->on_closed([this](int code, const std::string& reason) { closed.push_back(std::to_string(code) + " " + reason); });
      if (!greeting.empty()) opened->send(greeting);
      sockets.push_back(std::move(opened));
    };
    return response;
  }
  // A client whose socket is open.
  RawClient open();
  bool until_closed(const std::string& how) {
    return thread.until([&] { return closed == std::vector<std::string>{how}; });
  }

  std::vector<std::shared_ptr<WebSocket>> sockets;
  std::vector<HttpResponder> waiting;
  std::vector<std::string> messages;
  std::vector<std::string> closed;
  std::string greeting;
  std::string subprotocol;
  int drained = 0;
};

// RFC 6455, 1.3.
const std::string kUpgrade =
    "GET /socket HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

RawClient Sockets::open() {
  auto one = client();
  one.send(kUpgrade);
  const auto answer = one.read(true);
  REQUIRE(answer.status == 101);
  return one;
}

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text.push_back(static_cast<char>(value));
  return text;
}

// A frame of a client's, by hand: `first` is FIN, the reserved bits and the opcode.
std::string frame(int first, const std::string& payload) {
  std::string out = bytes({first});
  if (payload.size() < 126) {
    out += bytes({0x80 | static_cast<int>(payload.size())});
  } else if (payload.size() < 65536) {
    out += bytes({0x80 | 126, static_cast<int>(payload.size() >> 8), static_cast<int>(payload.size() & 0xff)});
  } else {
    out += bytes({0x80 | 127, 0, 0, 0, 0, static_cast<int>(payload.size() >> 24 & 0xff), static_cast<int>(payload.size() >> 16 & 0xff), static_cast<int>(payload.size() >> 8 & 0xff),
                  static_cast<int>(payload.size() & 0xff)});
  }
  const std::array<int, 4> mask = {0x37, 0xfa, 0x21, 0x3d};
  for (const int key : mask) out += bytes({key});
  for (std::size_t i = 0; i < payload.size(); ++i) out.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
  return out;
}
std::string text_frame(const std::string& payload) { return frame(0x81, payload); }

// What the server sends for a text of up to 125 bytes, and to say goodbye.
std::string text_of_server(const std::string& payload) { return bytes({0x81, static_cast<int>(payload.size())}) + payload; }
std::string goodbye(int code, const std::string& reason = {}) { return bytes({0x88, static_cast<int>(2 + reason.size()), code >> 8, code & 0xff}) + reason; }
std::string goodbye_of_client(int code, const std::string& reason = {}) { return frame(0x88, bytes({code >> 8, code & 0xff}) + reason); }

}  // namespace

TEST_CASE("web socket: RFC 6455's own handshake, its \"Hello\" and both goodbyes, over TCP, TLS and the Unix socket") {
  for (const auto way : {Way::tcp, Way::tls, Way::unix_socket}) {
    CAPTURE(static_cast<int>(way));
    Sockets served(way);
    served.greeting = "first";
    auto client = served.client();
    client.send(kUpgrade);
    const auto answer = client.read(true);
    CHECK(answer.status == 101);
    CHECK(answer.headers.get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    CHECK(equal_ignoring_case(answer.headers.get("Upgrade").value_or(""), "websocket"));
    CHECK(equal_ignoring_case(answer.headers.get("Connection").value_or(""), "upgrade"));
    CHECK(answer.headers.get("X-Own") == "1");
    CHECK(answer.headers.get("Date").value_or("").ends_with(" GMT"));
    CHECK_FALSE(answer.headers.get("X-Broken"));
    CHECK_FALSE(answer.headers.get("X-Forged"));
    CHECK_FALSE(answer.headers.get("Sec-WebSocket-Protocol"));
    CHECK_FALSE(answer.headers.get("Sec-WebSocket-Extensions"));
    CHECK(client.take(7) == text_of_server("first"));

    client.send(bytes({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}));  // 5.7, "Hello" masked
    CHECK(served.thread.until([&] { return served.messages == std::vector<std::string>{"Hello"}; }));
    served.thread.run([&] { served.sockets[0]->send("Hello"); });
    CHECK(client.take(7) == bytes({0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}));  // 5.7, unmasked
    CHECK(served.thread.until([&] { return served.drained == 2 && served.sockets[0]->pending() == 0; }));

    client.send(goodbye_of_client(1000, "bye"));
    CHECK(client.rest() == goodbye(1000));
    CHECK(served.until_closed("1000 bye"));
    CHECK(served.until_connections(0));
  }
}

TEST_CASE("web socket: the server closes behind what is pending, waits for the answer and tells its own code") {
  for (const auto way : {Way::tcp, Way::tls, Way::unix_socket}) {
    CAPTURE(static_cast<int>(way));
    Sockets served(way);
    auto client = served.open();
    served.thread.run([&] {
      served.sockets[0]->send("last");
      served.sockets[0]->close(4001, "enough");
      served.sockets[0]->close(4002, "twice");
      served.sockets[0]->send("too late");
      CHECK(served.closed.empty());
    });
    CHECK(client.take(6) == text_of_server("last"));
    CHECK(client.take(10) == goodbye(4001, "enough"));
    client.send(text_frame("on its way") + goodbye_of_client(4001));
    CHECK(client.rest().empty());
    CHECK(served.until_closed("4001 enough"));
    CHECK(served.until_connections(0));
    served.thread.run([&] { CHECK(served.messages.empty()); });
  }
}

TEST_CASE("web socket: what comes right behind the upgrade is heard, also when the answer to it takes its time") {
  Sockets served;
  auto client = served.client();
  client.send(kUpgrade + text_frame("echo 1") + text_frame("echo 2").substr(0, 4));
  CHECK(client.read(true).status == 101);
  CHECK(client.take(3) == text_of_server("1"));
  client.send(text_frame("echo 2").substr(4));
  CHECK(client.take(3) == text_of_server("2"));

  auto late = served.client();
  late.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  auto upgrade = kUpgrade;
  late.send(upgrade.replace(5, 6, "later") + text_frame("echo 3"));
  CHECK(late.read().body == "hello");
  REQUIRE(served.thread.until([&] { return served.waiting.size() == 1; }));
  late.send(text_frame("echo 4"));
  served.thread.run([&] { served.waiting[0](served.socket()); });
  CHECK(late.read(true).status == 101);
  CHECK(late.take(6) == text_of_server("3") + text_of_server("4"));
}

TEST_CASE("web socket: a message in fragments, with a ping in between and cut into bytes, is one message") {
  for (const auto way : {Way::tcp, Way::tls}) {
    Sockets served(way);
    auto client = served.open();
    const auto all = frame(0x01, "echo H") + frame(0x89, "ping?") + frame(0x00, "el") + frame(0x8a, "nobody asked") + frame(0x80, "lo");
    for (const char byte : all) REQUIRE(client.send(std::string_view(&byte, 1)));
    CHECK(client.take(7) == bytes({0x8a, 0x05}) + "ping?");
    CHECK(client.take(7) == text_of_server("Hello"));
    client.send(text_frame("") + frame(0x01, "") + frame(0x80, "") + text_frame("echo \xc3\xa4"));
    CHECK(client.take(4) == text_of_server("\xc3\xa4"));
    served.thread.run([&] { CHECK(served.messages == std::vector<std::string>{"echo Hello", "", "", "echo \xc3\xa4"}); });
  }
}

TEST_CASE("web socket: messages of every form of length go both ways whole") {
  for (const auto way : {Way::tcp, Way::tls, Way::unix_socket}) {
    Sockets served(way);
    auto client = served.open();
    for (const std::size_t size : {125u, 126u, 65535u, 65536u, 99'995u}) {
      CAPTURE(size);
      std::string payload;
      for (std::size_t i = 0; i < size; ++i) payload.push_back(static_cast<char>('a' + i % 26));
      client.send(text_frame("echo " + payload));
      const auto head = frame(0x81, payload).substr(1, size < 126 ? 1 : size < 65536 ? 3 : 9);
      std::string expected = bytes({0x81, head[0] & 0x7f}) + head.substr(1) + payload;
      CHECK((client.take(expected.size()) == expected));
    }
  }
}

TEST_CASE("web socket: what the protocol forbids ends it, with the code that says why") {
  struct Case {
    std::string what;
    std::string sent;
    int code;
  };
  const std::vector<Case> cases = {
      {"unmasked", bytes({0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}), 1002},
      {"rsv1", frame(0xc1, "x"), 1002},
      {"rsv2", frame(0xa1, "x"), 1002},
      {"rsv3", frame(0x91, "x"), 1002},
      {"reserved opcode", frame(0x83, "x"), 1002},
      {"reserved control opcode", frame(0x8b, "x"), 1002},
      {"fragmented ping", frame(0x09, "x"), 1002},
      {"long ping", frame(0x89, std::string(126, 'x')), 1002},
      {"goes on with nothing", frame(0x80, "x"), 1002},
      {"begins within a message", frame(0x01, "x") + frame(0x81, "y"), 1002},
      {"close of one byte", frame(0x88, "x"), 1002},
      {"close with a code that is never sent", goodbye_of_client(1005), 1002},
      {"a length in more bytes than it needs", bytes({0x81, 0xfe, 0x00, 0x01, 0, 0, 0, 0, 'x'}), 1002},
      {"no UTF-8", text_frame("a\xff"), 1007},
      {"UTF-8 that is cut off", text_frame("a\xc3"), 1007},
      {"no UTF-8 over two fragments", frame(0x01, "a\xc3") + frame(0x80, "a"), 1007},
      {"too large", text_frame(std::string(100'001, 'x')), 1009},
      {"too large by what it announces", bytes({0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}), 1009},
      {"too large in fragments", frame(0x01, std::string(60'000, 'x')) + frame(0x00, std::string(60'000, 'x')), 1009},
      {"binary", frame(0x82, "x"), 1003},
  };
  Sockets served;
  for (const auto& [what, sent, code] : cases) {
    CAPTURE(what);
    auto client = served.open();
    client.send(text_frame("before") + sent);
    const auto told = client.take(4);
    CHECK(told.substr(0, 1) == bytes({0x88}));
    REQUIRE(told.size() == 4);
    CHECK(told.substr(2) == bytes({code >> 8, code & 0xff}));
    if (code == 1003) client.send(goodbye_of_client(1003));
    client.rest();
    client.close();
    CHECK(served.thread.until([&] { return served.closed.size() == 1; }));
    served.thread.run([&, code = code] {
      CHECK(served.closed[0].substr(0, 4) == std::to_string(code));
      CHECK(served.messages == std::vector<std::string>{"before"});
      served.closed.clear();
      served.messages.clear();
      served.sockets.clear();
    });
    CHECK(served.until_connections(0));
  }
}

TEST_CASE("web socket: a peer that goes without a goodbye is 1006, one whose goodbye says nothing 1005") {
  Sockets served;
  {
    auto client = served.open();
    client.reset();
    CHECK(served.until_closed("1006 "));
  }
  served.closed.clear();
  {
    auto client = served.open();
    client.send(text_frame("half").substr(0, 5));
    client.finish_sending();
    CHECK(served.until_closed("1006 "));
  }
  served.closed.clear();
  auto client = served.open();
  client.send(frame(0x88, ""));
  CHECK(client.rest() == goodbye(1000));
  CHECK(served.until_closed("1005 "));
  CHECK(served.until_connections(0));
  served.thread.run([&] {
    for (const auto& socket : served.sockets) socket->send("nobody");
    CHECK(served.sockets[0]->pending() == 0);
  });
}

TEST_CASE("web socket: a request that asks for none is 426, one that asks wrongly is 400, and the connection goes on") {
  const auto with = [](std::string from, const std::string& to) {
    auto request = kUpgrade;
    return request.replace(request.find(from), from.size(), to);
  };
  const std::vector<std::pair<std::string, int>> cases = {
      {"GET /socket HTTP/1.1\r\nHost: x\r\n\r\n", 426},
      {with("Upgrade: websocket", "Upgrade: h2c"), 426},
      {with("Upgrade: websocket", "X-Upgrade: websocket"), 426},
      {with("Connection: Upgrade", "Connection: keep-alive"), 400},
      {with("Version: 13", "Version: 8"), 400},
      {with("Sec-WebSocket-Version: 13\r\n", ""), 400},
      {with("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 8"), 400},
      {with("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400},
      {with("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSE="), 400},
      {with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400},
      {with("Sec-WebSocket-Version", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version"), 400},
      {with("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx"), 400},
  };
  Sockets served;
  auto client = served.client();
  for (const auto& [request, status] : cases) {
    CAPTURE(request);
    const auto answer = client.ask(request);
    CHECK(answer.status == status);
    CHECK(answer.headers.get("Upgrade") == "websocket");
    CHECK(answer.headers.get("Connection") == "Upgrade");
    CHECK(answer.headers.get("Sec-WebSocket-Version") == "13");
  }
  CHECK(client.ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").body == "hello");
  auto old = served.client();
  CHECK(old.ask(with("HTTP/1.1", "HTTP/1.0")).status == 426);
  CHECK(old.closed_by_peer());
  served.thread.run([&] { CHECK(served.sockets.empty()); });
  auto lists = served.client();
  lists.send(with("Upgrade: websocket\r\nConnection: Upgrade", "Upgrade: h2c, WebSocket\r\nConnection: keep-alive\r\nConnection: x ,upgrade"));
  CHECK(lists.read(true).status == 101);
}

TEST_CASE("web socket: the subprotocol that was chosen is told, and cannot break out of its line") {
  Sockets served;
  served.subprotocol = "hark.v1";
  auto client = served.client();
  client.send(kUpgrade);
  CHECK(client.read(true).headers.get("Sec-WebSocket-Protocol") == "hark.v1");
  served.subprotocol = "a\r\nX-Forged: 1";
  auto other = served.client();
  other.send(kUpgrade);
  const auto answer = other.read(true);
  CHECK(answer.status == 101);
  CHECK_FALSE(answer.headers.get("Sec-WebSocket-Protocol"));
  CHECK_FALSE(answer.headers.get("X-Forged"));
}

TEST_CASE("web socket: a silent peer is asked; one that answers stays, one that does not is dropped") {
  HttpServerOptions options;
  options.ping_interval = 50ms;
  options.pong_deadline = 1s;
  options.head_deadline = options.body_deadline = options.idle_deadline = options.write_deadline = 20ms;
  Sockets served(Way::tcp, options);
  auto lively = served.open();
  for (int i = 0; i < 4; ++i) {
    CHECK(lively.take(2) == bytes({0x89, 0x00}));
    lively.send(frame(0x8a, ""));
  }
  lively.send(text_frame("echo here"));
  std::string heard = lively.take(2);
  while (heard == bytes({0x89, 0x00})) heard = lively.take(2);
  CHECK(heard + lively.take(4) == text_of_server("here"));
  served.thread.run([&] { CHECK(served.closed.empty()); });

  auto dumb = served.open();
  const auto rest = dumb.rest();
  CHECK(rest == bytes({0x89, 0x00}));
  CHECK(served.thread.until([&] { return !served.closed.empty() && served.closed[0] == "1006 "; }));
}

TEST_CASE("web socket: what a peer does not take stays pending, and one that takes nothing is dropped") {
  HttpServerOptions options;
  options.write_deadline = 300ms;
  Sockets served(Way::tcp, options);
  auto deaf = served.open();
  served.thread.run([&] {
    for (int i = 0; i < 8; ++i) served.sockets[0]->send(std::string(1'000'000, 'x'));
    CHECK(served.sockets[0]->pending() == 8'000'000);
  });
  CHECK(served.until_closed("1006 "));
  CHECK(served.until_connections(0));
  served.thread.run([&] {
    CHECK(served.drained == 0);
    CHECK(served.sockets[0]->pending() == 0);
  });
}

TEST_CASE("web socket: a peer that takes some all the time is not dropped, however long it takes") {
  HttpServerOptions options;
  options.write_deadline = 1s;
  options.ping_interval = 100ms;
  Sockets served(Way::unix_socket, options);  // whose buffer is small, so that each read makes room
  auto client = served.open();
  served.thread.run([&] { served.sockets[0]->send(std::string(8'000'000, 'x')); });
  for (int i = 0; i < 220; ++i) {
    CHECK(client.take(30'000).size() == 30'000);
    served.thread.until([next = steady_now() + 10ms] { return steady_now() >= next; });  // so that it lasts more than twice the deadline
  }
  served.thread.run([&] {
    CHECK(served.closed.empty());
    CHECK(served.sockets[0]->pending() > 0);
  });
}

TEST_CASE("web socket: a slow peer is told to try again later, behind what it was sent, or cut off if it does not take that") {
  HttpServerOptions options;
  options.close_deadline = 500ms;
  for (const bool takes : {true, false}) {
    Sockets served(Way::tcp, options);
    auto slow = served.open();
    served.thread.run([&] {
      for (int i = 0; i < 8; ++i) served.sockets[0]->send(std::string(1'000'000, 'x'));
      served.sockets[0]->close(1013, "try again later");
    });
    if (takes) {
      for (int i = 0; i < 8; ++i) CHECK(slow.take(10 + 1'000'000).size() == 1'000'010);
      CHECK(slow.take(19) == goodbye(1013, "try again later"));
      slow.send(goodbye_of_client(1013));
    }
    CHECK(served.until_closed(takes ? "1013 try again later" : "1006 "));
    CHECK(served.until_connections(0));
  }
}

TEST_CASE("web socket: a peer that does not answer the goodbye is let go at its deadline") {
  HttpServerOptions options;
  options.close_deadline = 50ms;
  options.ping_interval = 10ms;
  Sockets served(Way::tcp, options);
  auto client = served.open();
  served.thread.run([&] { served.sockets[0]->close(1000, {}); });
  CHECK(served.until_closed("1006 "));
  CHECK(served.until_connections(0));
}

TEST_CASE("web socket: stop_accepting says 1001 and waits for the goodbyes; a later upgrade is refused") {
  for (const auto way : {Way::tcp, Way::tls, Way::unix_socket}) {
    CAPTURE(static_cast<int>(way));
    Sockets served(way);
    auto client = served.open();
    auto late = served.client();
    auto upgrade = kUpgrade;
    late.send(upgrade.replace(5, 6, "later"));
    REQUIRE(served.thread.until([&] { return served.waiting.size() == 1; }));
    std::vector<std::string> told;
    served.thread.run([&] {
      served.sockets[0]->on_closed([&](int code, const std::string&) { told.push_back(std::to_string(code)); });
      served.server->stop_accepting([&] { told.push_back("all"); });
      served.waiting[0](served.socket());
      CHECK(told.empty());
    });
    CHECK(late.read().status == 503);
    CHECK(client.take(4).substr(2) == bytes({1001 >> 8, 1001 & 0xff}));
    served.thread.run([&] { CHECK(told.empty()); });
    client.send(goodbye_of_client(1001));
    CHECK(served.thread.until([&] { return told.size() == 2; }));
    CHECK(told == std::vector<std::string>{"1001", "all"});
  }
}

TEST_CASE("web socket: dropping the handle closes, a throw of a callback closes this one alone, a destroyed server calls nobody") {
  Sockets served;
  auto dropped = served.open(), thrown = served.open(), other = served.open();
  served.thread.run([&] { served.sockets.erase(served.sockets.begin()); });
  CHECK(dropped.take(4) == goodbye(1000));
  dropped.send(goodbye_of_client(1000));
  CHECK(served.until_closed("1000 "));
  thrown.send(text_frame("throw"));
  CHECK(thrown.take(4) == goodbye(1011));
  other.send(text_frame("echo on"));
  CHECK(other.take(4) == text_of_server("on"));
  served.thread.run([&] {
    served.server.reset();
    served.sockets[1]->send("nobody");
    served.sockets[1]->close(1000, {});
  });
  CHECK(other.rest().empty());
  served.thread.run([&] { CHECK(served.closed.size() == 1); });
}

TEST_CASE("web socket: a reason that is too long is cut between characters") {
  Sockets served;
  auto client = served.open();
  std::string reason = "x";
  for (int i = 0; i < 100; ++i) reason += "\xc3\xa4";
  served.thread.run([&] { served.sockets[0]->close(4000, reason); });
  CHECK(client.take(127) == goodbye(4000, reason.substr(0, 123)));
}

TEST_CASE("web socket: whatever bytes come, in whatever pieces, the server goes on") {
  Sockets served;
  unsigned state = 1;
  const auto next = [&state] { return static_cast<int>((state = state * 1103515245 + 12345) >> 16 & 0xff); };
  for (int round = 0; round < 200; ++round) {
    auto client = served.open();
    std::string sent;
    while (sent.size() < 300) {
      // Mostly frames, so that it goes deep: anything as first byte, any payload; and then some that are none.
      std::string payload;
      for (int i = next() % 60; i > 0; --i) payload.push_back(static_cast<char>(next()));
      if (next() % 8 != 0) {
        const std::array<int, 8> firsts = {0x81, 0x01, 0x00, 0x80, 0x89, 0x8a, 0x88, next()};
        sent += frame(firsts[static_cast<std::size_t>(next() % 8)], payload);
      } else {
        sent += payload;
      }
    }
    for (std::size_t at = 0; at < sent.size();) {
      const auto size = std::min<std::size_t>(sent.size() - at, static_cast<std::size_t>(1 + next() % 100));
      if (!client.send(std::string_view(sent).substr(at, size))) break;
      at += size;
    }
    if (round % 3 == 0) client.reset();
  }
  CHECK(served.until_connections(0));
  auto client = served.open();
  client.send(text_frame("echo on"));
  CHECK(client.take(4) == text_of_server("on"));
}
