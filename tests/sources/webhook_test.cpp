#include "sources/webhook.h"

#include <doctest/doctest.h>

#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/hex.h"
#include "platform/digest.h"
#include "platform/http_server.h"
#include "sources/webhook_provider.h"
#include "tests/support/fake_clock.h"
#include "tests/support/loop_thread.h"
#include "tests/support/raw_client.h"

using namespace hark;
using hark::test::RawClient;
using namespace std::chrono_literals;

namespace {

std::string sign(std::string_view body, std::string_view secret) { return "sha256=" + to_hex(hmac(Hash::sha256, secret, {body})); }

// Takes what is offered and answers as the engine does: later, from the loop, or when the test says so.
class Host final : public SourceHost {
 public:
  explicit Host(Loop& loop) : loop_(loop) {}
  void offer(Event event, Answer answer) override {
    offered.push_back(std::move(event));
    if (hold) {
      held.push_back(std::move(answer));
    } else {
      loop_.post([answer = std::move(answer), acceptance = next] { answer(acceptance); });
    }
  }
  void failed(Error) override { FAIL("not expected"); }
  void degraded(Error) override { FAIL("not expected"); }
  void healthy() override {}
  void when_ended(const std::string& event_id, RunsEnded callback) override { waiting.emplace_back(event_id, std::move(callback)); }
  void refused(Refusal refusal) override { refusals.push_back(std::move(refusal)); }

  std::vector<Event> offered;
  std::vector<Refusal> refusals;
  std::vector<Answer> held;
  std::vector<std::pair<std::string, RunsEnded>> waiting;
  Acceptance next{Acceptance::Outcome::accepted, "01EVENT", 7, {}};
  bool hold = false;

 private:
  Loop& loop_;
};

struct Hooked {
  explicit Hooked(WebhookOptions with) : options(std::move(with)) {
    options.host = "127.0.0.1";
    if (options.path.empty()) options.path = "/hook";
    options.name = "deploy";
    thread.run([&] {
      host.emplace(thread.loop());
      server.emplace(thread.loop());
      source = make_webhook(options, *server, thread.loop(), clock);
      const auto started = source->start(*host);
      REQUIRE_MESSAGE(started.ok(), (started.ok() ? "" : started.error().text()));
      port = server->port();
    });
  }
  ~Hooked() {
    thread.run([&] {
      source.reset();
      server.reset();
      host.reset();
    });
  }
  test::RawAnswer post(const std::string& body, const std::vector<std::string>& headers = {}) {
    std::string bytes = "POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    for (const auto& header : headers) bytes += header + "\r\n";
    return RawClient(port).ask(bytes + "\r\n" + body);
  }
  std::vector<Event> events() {
    std::vector<Event> copy;
    thread.run([&] { copy = host->offered; });
    return copy;
  }

  std::vector<Refusal> refusals() {
    std::vector<Refusal> copy;
    thread.run([&] { copy = host->refusals; });
    return copy;
  }

  WebhookOptions options;
  test::FakeClock clock;
  test::LoopThread thread;
  std::optional<Host> host;
  std::optional<HttpServer> server;
  std::unique_ptr<Source> source;
  std::uint16_t port = 0;
};

WebhookOptions generic() {
  WebhookOptions options;
  options.secrets = {"s3cret", "old"};
  return options;
}
WebhookOptions of(const std::string& provider) {
  WebhookOptions options;
  options.provider = provider;
  options.scheme = webhook_provider(provider)->scheme;
  options.secrets = {"s3cret"};
  return options;
}
WebhookOptions open_to_all() {
  WebhookOptions options;
  options.unsigned_ok = true;
  return options;
}

}  // namespace

TEST_CASE("webhook: a signed body is offered as it came, and answered 202 with the event's id once it is taken") {
  Hooked hooked(generic());
  const std::string body = "{ \"b\":1,  \"a\" : [1.0, \"\\u00e4\"] }";
  const auto answer =
      hooked.post(body, {"X-Signature: " + sign(body, "s3cret"), "Content-Type: application/json; charset=utf-8"});
  CHECK(answer.status == 202);
  CHECK(nlohmann::json::parse(answer.body) == nlohmann::json{{"event_id", "01EVENT"}});
  const auto events = hooked.events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].type == "webhook");
  CHECK(events[0].source == "deploy");
  CHECK(events[0].data.text() == body);
  CHECK(events[0].time == hooked.clock.now().wall);
  CHECK(events[0].id.empty());
  CHECK(events[0].dedupe_key.empty());
}

TEST_CASE("webhook: no answer before the event is durable") {
  Hooked hooked(open_to_all());
  hooked.thread.run([&] { hooked.host->hold = true; });
  RawClient client(hooked.port);
  client.send("POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
  REQUIRE(hooked.thread.until([&] { return hooked.host->held.size() == 1; }));
  // A second connection is served in the meantime, and has its answer first.
  CHECK(RawClient(hooked.port).ask("GET /hook HTTP/1.1\r\nHost: x\r\n\r\n").status == 405);
  hooked.thread.run([&] { hooked.host->held[0]({Acceptance::Outcome::accepted, "01LATE", 1, {}}); });
  CHECK(client.read().body.find("01LATE") != std::string::npos);
}

TEST_CASE("webhook: any of the secrets signs; everything else is 401 with one and the same body, and is not offered") {
  Hooked hooked(generic());
  const std::string body = R"({"a":1})";
  CHECK(hooked.post(body, {"x-signature: " + sign(body, "old")}).status == 202);
  std::string refusal;
  for (const std::vector<std::string>& headers :
       {std::vector<std::string>{},
        {"X-Signature:"},
        {"X-Signature: " + sign(body, "wrong")},
        {"X-Signature: " + sign(body, "")},
        {"X-Signature: " + sign(body + " ", "s3cret")},
        {"X-Signature: " + sign(body, "s3cret").substr(7)},
        {"X-Hub-Signature-256: " + sign(body, "s3cret")},
        {"X-Signature: " + sign(body, "s3cret"), "X-Signature: " + sign(body, "s3cret")},
        {"X-Signature: " + sign(body, "wrong"), "Content-Type: text/plain"}}) {
    const auto answer = hooked.post(body, headers);
    CHECK(answer.status == 401);
    if (refusal.empty()) refusal = answer.body;
    CHECK(answer.body == refusal);
  }
  CHECK(hooked.post("no json", {"X-Signature: " + sign("x", "s3cret")}).status == 401);
  CHECK(hooked.events().size() == 1);
}

TEST_CASE("webhook: GitHub's headers become subject and dedupe key, its ping is answered and goes no further") {
  Hooked hooked(of("github"));
  const std::string body = R"({"ref":"refs/heads/main"})";
  const auto signature = "X-Hub-Signature-256: " + sign(body, "s3cret");
  CHECK(hooked
            .post(body,
                  {signature, "X-GitHub-Event: push", "X-GitHub-Delivery: 72d3162e-cc78-11e3", "Content-Type: application/json"})
            .status == 202);
  const auto ping = hooked.post(body, {signature, "X-GitHub-Event: ping", "X-GitHub-Delivery: 2"});
  CHECK(ping.status == 200);
  CHECK(nlohmann::json::parse(ping.body)["pong"] == true);
  CHECK(hooked.post(body, {"X-GitHub-Event: ping"}).status == 401);
  const auto events = hooked.events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].subject == "push");
  CHECK(events[0].dedupe_key == "webhook/deploy/72d3162e-cc78-11e3");
}

TEST_CASE("webhook: GitHub's form deliveries carry the JSON in the field payload, signed as they came") {
  Hooked hooked(of("github"));
  const std::string body = "payload=%7B%22a%22%3A+%5B1%5D%7D";
  const std::string form = "Content-Type: application/x-www-form-urlencoded";
  CHECK(hooked.post(body, {"X-Hub-Signature-256: " + sign(body, "s3cret"), form}).status == 202);
  CHECK(hooked.post("payload=%7B", {"X-Hub-Signature-256: " + sign("payload=%7B", "s3cret"), form}).status == 400);
  const auto events = hooked.events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].data.text() == R"({"a": [1]})");
}

TEST_CASE("webhook: a form becomes an object of strings, and of lists where a field is repeated") {
  Hooked hooked(open_to_all());
  const std::string form = "Content-Type: Application/X-WWW-Form-URLencoded";
  CHECK(hooked.post("a=1&b=x+y%0a&c", {form}).status == 202);
  CHECK(hooked.post(R"({"a":1})", {form}).status == 400);  // what curl -d says of any body
  CHECK(hooked.post("a=1&b=0&a=2&a=3", {form}).status == 202);
  const auto events = hooked.events();
  REQUIRE(events.size() == 2);
  CHECK(events[1].data.json() == nlohmann::json{{"a", {"1", "2", "3"}}, {"b", "0"}});
  CHECK(events[0].data.json() == nlohmann::json{{"a", "1"}, {"b", "x y\n"}, {"c", ""}});
}

TEST_CASE("webhook: what is no JSON is 400, what says to be something else 415") {
  Hooked hooked(open_to_all());
  for (const std::string& bad : {std::string(), std::string("{"), std::string("{} {}"), std::string("\"\xff\""),
                                 std::string("{\"a\":1,\"\\u0061\":2}"), std::string(1000, '[')}) {
    CAPTURE(bad);
    const auto answer = hooked.post(bad);
    CHECK(answer.status == 400);
    CHECK(answer.headers.get("Content-Type") == "application/problem+json");
  }
  CHECK(hooked.post("{}", {"Content-Type: image/png"}).status == 415);
  CHECK(hooked.post("{}", {"Content-Type: application/xml"}).status == 415);
  CHECK(hooked.post("{}", {"Content-Type: application/vnd.api+json"}).status == 202);
  CHECK(hooked.post(std::string(hooked.options.max_body + 1, ' ')).status == 413);
  CHECK(hooked.events().size() == 1);
}

TEST_CASE("webhook: a sender's own delivery id makes the dedupe key, a long one or one with blanks by its fingerprint") {
  Hooked hooked(open_to_all());
  hooked.post("1", {"Idempotency-Key: abc"});
  hooked.post("2", {"webhook-id: msg_1"});
  hooked.post("3", {"Idempotency-Key: " + std::string(256, 'x')});
  hooked.post("4", {"Idempotency-Key: a b"});
  hooked.post("5", {"Idempotency-Key: a", "Idempotency-Key: b"});
  hooked.post("6", {"X-GitHub-Delivery: a"});
  const auto events = hooked.events();
  REQUIRE(events.size() == 6);
  CHECK(events[0].dedupe_key == "webhook/deploy/abc");
  CHECK(events[1].dedupe_key == "webhook/deploy/msg_1");
  for (const std::size_t i : {2u, 3u}) {
    CHECK(events[i].dedupe_key.starts_with("webhook/deploy/sha256:"));
    CHECK(events[i].dedupe_key.size() == std::string("webhook/deploy/sha256:").size() + 64);
  }
  CHECK(events[2].dedupe_key != events[3].dedupe_key);
  for (const std::size_t i : {4u, 5u}) CHECK(events[i].dedupe_key.empty());
}

TEST_CASE("webhook: duplicates are 200 with the first event's id, refusals 503 with Retry-After") {
  Hooked hooked(open_to_all());
  hooked.thread.run([&] { hooked.host->next = {Acceptance::Outcome::duplicate, "01FIRST", 3, {}}; });
  auto answer = hooked.post("{}");
  CHECK(answer.status == 200);
  CHECK(nlohmann::json::parse(answer.body) == nlohmann::json{{"event_id", "01FIRST"}, {"duplicate", true}});
  hooked.thread.run([&] { hooked.host->next = {Acceptance::Outcome::refused, {}, 0, "the queue is full"}; });
  answer = hooked.post("{}");
  CHECK(answer.status == 503);
  CHECK(answer.headers.get("Retry-After") == "5");
  CHECK(nlohmann::json::parse(answer.body)["detail"] == "the queue is full");
}

TEST_CASE("webhook: over its rate limit it answers 429 and says when to come again") {
  auto options = generic();
  options.rate_limit = Rate{2, 1min};
  Hooked hooked(std::move(options));
  const std::string body = "{}";
  const auto signature = "X-Signature: " + sign(body, "s3cret");
  CHECK(hooked.post(body, {signature}).status == 202);
  CHECK(hooked.post("no json", {"X-Signature: " + sign("no json", "s3cret")}).status == 400);
  hooked.clock.advance(500ms);
  const auto over = hooked.post(body, {signature});
  CHECK(over.status == 429);
  CHECK(over.headers.get("Content-Type") == "application/problem+json");
  CHECK(over.headers.get("Retry-After") == "30");  // 29.5 s, rounded up
  CHECK(nlohmann::json::parse(over.body)["detail"] == "more than 2/m");
  hooked.clock.advance(30s);
  CHECK(hooked.post(body, {signature}).status == 202);
  CHECK(hooked.events().size() == 2);
}

TEST_CASE("webhook: what is not signed uses up nothing of the rate that its honest sender has") {
  auto options = generic();
  options.rate_limit = Rate{1, 24h};
  Hooked hooked(std::move(options));
  const std::string body = "{}";
  for (int i = 0; i < 5; ++i) CHECK(hooked.post(body, {"X-Signature: " + sign(body, "wrong")}).status == 401);
  CHECK(hooked.post(body, {"X-Signature: " + sign(body, "s3cret")}).status == 202);
  CHECK(hooked.post(body, {"X-Signature: " + sign(body, "s3cret")}).status == 429);
  CHECK(hooked.post(body, {"X-Signature: " + sign(body, "wrong")}).status == 401);  // and learns nothing of it
}

TEST_CASE("webhook: what it refuses it says, with the deciding value, and nothing of it to the sender") {
  auto options = generic();
  options.max_body = 100;
  options.rate_limit = Rate{2, 24h};
  Hooked hooked(std::move(options));
  const auto signature = [](std::string_view body) { return "X-Signature: " + sign(body, "s3cret"); };
  CHECK(hooked.post("{}").status == 401);
  CHECK(hooked.post("{}", {signature("{}"), signature("{}")}).status == 401);
  CHECK(hooked.post("{}", {"X-Signature: sha1=00"}).status == 401);
  const auto wrong = sign("{}", "wrong");
  CHECK(hooked.post("{}", {"X-Signature: " + wrong, "Idempotency-Key: k1"}).status == 401);
  CHECK(hooked.post("{", {signature("{")}).status == 400);
  CHECK(hooked.post("{}", {signature("{}"), "Content-Type: image/x;y=z"}).status == 415);
  CHECK(hooked.post("{}", {signature("{}")}).status == 429);
  CHECK(hooked.post(std::string(101, ' '), {"Idempotency-Key: k2"}).status == 413);
  CHECK(RawClient(hooked.port).ask("POST /hook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n").status == 413);
  CHECK(RawClient(hooked.port).ask("POST /hook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n").status == 400);

  using Cause = Refusal::Cause;
  const std::vector<std::pair<Cause, std::string>> expected = {
      {Cause::signature, "signature: no X-Signature header"},
      {Cause::signature, "signature: 2 X-Signature headers, wanted one"},
      {Cause::signature, "signature: X-Signature is not `sha256=` and the hexadecimal form of an HMAC-SHA256"},
      {Cause::signature, "signature: none of 2 secrets matched"},
      {Cause::body, "body: "},
      {Cause::type, "type: Content-Type is 'image/x;y=z', wanted JSON, a form or a text"},
      {Cause::rate, "rate_limit: more than 2/d"},
      {Cause::size, "body: 101 bytes, at most 100 (max_body)"},
      {Cause::size, "body: more than 100 bytes, at most 100 (max_body)"},
      {Cause::request, "request: a chunk is malformed"},
  };
  const auto refusals = hooked.refusals();
  REQUIRE(refusals.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    CHECK(refusals[i].cause == expected[i].first);
    CHECK(refusals[i].reason.substr(0, i == 4 ? 6 : std::string::npos) == expected[i].second);
    CHECK(refusals[i].peer == "127.0.0.1");
    CHECK(refusals[i].reason.find(sign("{}", "s3cret").substr(7)) == std::string::npos);
    CHECK(refusals[i].reason.find(wrong.substr(7)) == std::string::npos);
    CHECK(refusals[i].reason.find("s3cret") == std::string::npos);
  }
  CHECK(refusals[3].delivery == "k1");
  CHECK(refusals[7].delivery == "k2");
  CHECK(refusals[0].delivery.empty());
  CHECK(hooked.events().empty());
}

TEST_CASE("webhook: a text is a string, unless the configuration knows better") {
  Hooked hooked(open_to_all());
  CHECK(hooked.post("it's \"up\"\n", {"Content-Type: text/plain; charset=utf-8"}).status == 202);
  CHECK(hooked.post("\xff", {"Content-Type: text/plain"}).status == 400);
  REQUIRE(hooked.events().size() == 1);
  CHECK(hooked.events()[0].data.json() == "it's \"up\"\n");
  auto json = open_to_all();
  json.body = WebhookBody::json;
  Hooked knows(json);
  CHECK(knows.post("{\"Type\":\"Notification\"}", {"Content-Type: text/plain; charset=UTF-8"}).status == 202);  // as Amazon SNS posts
  REQUIRE(knows.events().size() == 1);
  CHECK(knows.events()[0].data.json()["Type"] == "Notification");
}

TEST_CASE("webhook: what the path's segments were, and the named headers and fields of the query, are kept beside the data") {
  auto options = open_to_all();
  options.path = "/hooks/{team}/{stage}";
  options.headers = {"X-Region", "X-Absent"};
  options.query = {"env", "many", "absent"};
  Hooked hooked(options);
  RawClient client(hooked.port);
  const auto answer = client.ask("POST /hooks/a%20%2Fb/prod?env=%22x%22&token=s3cret&many=1&many=2 HTTP/1.1\r\nHost: x\r\nX-Region: eu\r\nX-Region: us\r\nX-Other: o\r\nContent-Length: 2\r\n\r\n{}");
  CHECK(answer.status == 400);  // an escaped slash: no separator, and no part of a name either
  CHECK(RawClient(hooked.port).ask("POST /hooks/a%20b/prod?env=%22x%22&token=s3cret&many=1&many=2 HTTP/1.1\r\nHost: x\r\nX-Region: eu\r\nX-Region: us\r\nX-Other: o\r\nContent-Length: 2\r\n\r\n{}").status == 202);
  CHECK(RawClient(hooked.port).ask("POST /hooks/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}").status == 404);
  REQUIRE(hooked.events().size() == 1);
  REQUIRE(hooked.events()[0].context);
  CHECK(hooked.events()[0].context->json() == nlohmann::json::parse(R"({"path":{"team":"a b","stage":"prod"},"query":{"env":"\"x\"","many":["1","2"]},"headers":{"X-Region":"eu, us"}})"));
  Hooked plain(open_to_all());
  CHECK(plain.post("{}").status == 202);
  REQUIRE(plain.events().size() == 1);
  CHECK_FALSE(plain.events()[0].context);
}

TEST_CASE("webhook: what a provider calls the event and the delivery, in headers or in the body") {
  const auto event_of = [](const std::string& provider, const std::string& body, std::vector<std::string> headers) {
    auto options = of(provider);
    options.secrets.clear();
    options.unsigned_ok = true;
    Hooked hooked(options);
    CHECK(hooked.post(body, headers).status == 202);
    REQUIRE(hooked.events().size() == 1);
    return std::pair(hooked.events()[0].subject, hooked.events()[0].dedupe_key);
  };
  using Named = std::pair<std::string, std::string>;
  CHECK(event_of("gitlab", "{}", {"X-Gitlab-Event: Push Hook", "Idempotency-Key: k"}) == Named{"Push Hook", "webhook/deploy/k"});
  CHECK(event_of("gitea", "{}", {"X-Gitea-Event: push", "X-Gitea-Delivery: g"}) == Named{"push", "webhook/deploy/g"});
  CHECK(event_of("bitbucket", "{}", {"X-Event-Key: repo:push", "X-Request-UUID: u"}) == Named{"repo:push", "webhook/deploy/u"});
  CHECK(event_of("stripe", R"({"id":"evt_1","type":"charge.failed"})", {}) == Named{"charge.failed", "webhook/deploy/evt_1"});
  CHECK(event_of("slack", R"({"event_id":"Ev1","type":"event_callback","event":{"type":"app_mention"}})", {}) == Named{"app_mention", "webhook/deploy/Ev1"});
  CHECK(event_of("slack", "command=%2Fdeploy&text=now", {"Content-Type: application/x-www-form-urlencoded"}) == Named{"/deploy", ""});  // (unsigned here: without the time)
  CHECK(event_of("standard", R"({"type":"user.created"})", {"webhook-id: msg_1"}) == Named{"user.created", "webhook/deploy/msg_1"});
  CHECK(event_of("stripe", R"({"id":7,"type":["x"]})", {}) == Named{"", ""});
}

TEST_CASE("webhook: Slack's question for the address is answered, signed as it must be, and makes no event") {
  Hooked hooked(of("slack"));
  const std::string body = R"({"type":"url_verification","challenge":"3eZbrw1aBm2r"})";
  const auto time = std::to_string(std::chrono::floor<std::chrono::seconds>(hooked.clock.now().wall.time_since_epoch()).count());
  const auto signature = "v0=" + to_hex(hmac(Hash::sha256, "s3cret", {"v0:", time, ":", body}));
  CHECK(hooked.post(body, {"X-Slack-Request-Timestamp: " + time, "X-Slack-Signature: v0=00"}).status == 401);
  const auto answer = hooked.post(body, {"X-Slack-Request-Timestamp: " + time, "X-Slack-Signature: " + signature});
  CHECK(answer.status == 200);
  CHECK(nlohmann::json::parse(answer.body) == nlohmann::json{{"challenge", "3eZbrw1aBm2r"}});
  CHECK(hooked.events().empty());
}

TEST_CASE("webhook: only who may send is asked for a signature; a proxy of ours tells who that is") {
  auto options = open_to_all();
  options.allow = {*IpNetwork::parse("203.0.113.0/24")};
  options.trusted_proxies = {*IpNetwork::parse("127.0.0.1")};
  Hooked hooked(options);
  CHECK(hooked.post("{}").status == 403);
  CHECK(hooked.post("{}", {"X-Forwarded-For: 203.0.113.7"}).status == 202);
  CHECK(hooked.post("{}", {"X-Forwarded-For: 203.0.113.7, 198.51.100.1"}).status == 403);
  CHECK(hooked.post("{}", {"X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 198.51.100.1"}).status == 403);
  CHECK(hooked.post("{}", {"X-Forwarded-For: unknown"}).status == 403);
  const auto refusals = hooked.refusals();
  REQUIRE(refusals.size() == 4);
  for (const auto& refusal : refusals) CHECK(refusal.cause == Refusal::Cause::address);
  CHECK(refusals[0].reason == "address: 127.0.0.1 is none of allow");
  CHECK(refusals[1].peer == "198.51.100.1");
  CHECK(refusals[3].reason == "address: X-Forwarded-For of 127.0.0.1 names no address");
  options.trusted_proxies.clear();
  Hooked direct(options);
  CHECK(direct.post("{}", {"X-Forwarded-For: 203.0.113.7"}).status == 403);  // it is nobody's proxy
}

TEST_CASE("webhook: a sender gets the answer that it wants") {
  auto options = open_to_all();
  options.response.status = 200;
  options.response.body = Template::parse("{\"text\": \"{payload.name} is {event.id}\"}");
  options.response.content_type = "application/json";
  Hooked hooked(options);
  const auto answer = hooked.post(R"({"name":"it"})");
  CHECK(answer.status == 200);
  CHECK(answer.body == R"({"text": "it is 01EVENT"})");
  CHECK(answer.headers.get("Content-Type") == "application/json");
  hooked.thread.run([&] { hooked.host->next = {Acceptance::Outcome::refused, {}, 0, "full"}; });
  CHECK(hooked.post("{}").status == 503);
  options.response.body.reset();
  options.response.status = 204;
  Hooked empty(options);
  CHECK(empty.post("{}").status == 204);
}

namespace {

Run ended(RunState state, const std::string& output) {
  Run run;
  run.id = "01RUN";
  run.event_id = "01EVENT";
  run.state = state;
  run.error = "s3cret of the command";
  run.steps.resize(2);
  run.steps[0].output = "first";
  run.steps[1].output = output;
  run.steps[1].output_bytes = output.size();
  return run;
}

// What a sender is told when the run that its event started has ended so; before, when the deadline passes.
test::RawAnswer result_of(std::optional<std::vector<Run>> runs) {
  auto options = open_to_all();
  options.response.result = true;
  options.response.deadline = runs ? 1h : 1ms;
  Hooked hooked(options);
  RawClient client(hooked.port);
  client.send("POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
  REQUIRE(hooked.thread.until([&] { return hooked.host->waiting.size() == 1; }));
  if (!runs) return client.read();
  hooked.thread.run([&] {
    CHECK(hooked.host->waiting[0].first == "01EVENT");
    hooked.host->waiting[0].second(*runs);
  });
  return client.read();
}

}  // namespace

TEST_CASE("webhook: a sender that waits gets the run's output, and learns nothing of what went wrong") {
  const auto good = result_of(std::vector{ended(RunState::succeeded, "hello\n")});
  CHECK(good.status == 200);
  CHECK(good.body == "hello\n");
  CHECK(good.headers.get("Content-Type") == "text/plain; charset=utf-8");
  CHECK(good.headers.get("X-Hark-Run") == "01RUN");
  const auto bad = result_of(std::vector{ended(RunState::failed, "hello\n")});
  CHECK(bad.status == 500);
  CHECK(bad.body.find("01RUN failed") != std::string::npos);
  CHECK(bad.body.find("s3cret") == std::string::npos);
  CHECK(bad.body.find("hello") == std::string::npos);
  auto large = ended(RunState::succeeded, "part");
  large.steps[1].output_bytes = 100'000;
  CHECK(result_of(std::vector{large}).status == 500);
  const auto none = result_of(std::vector<Run>{});
  CHECK(none.status == 202);
  CHECK(nlohmann::json::parse(none.body)["event_id"] == "01EVENT");
  const auto late = result_of(std::nullopt);
  CHECK(late.status == 202);
  CHECK(nlohmann::json::parse(late.body)["event_id"] == "01EVENT");
}

TEST_CASE("webhook: senders that wait are answered when the daemon ends, and left to their runs when another source comes") {
  for (const bool replaced : {false, true}) {
    auto options = open_to_all();
    options.response.result = true;
    options.response.deadline = 1h;
    Hooked hooked(options);
    RawClient client(hooked.port);
    client.send("POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    REQUIRE(hooked.thread.until([&] { return hooked.host->waiting.size() == 1; }));
    hooked.thread.run([&] {
      if (replaced) hooked.source->hand_over();
      hooked.source->stop();
      hooked.host->waiting[0].second({ended(RunState::succeeded, "late")});
    });
    const auto answer = client.read();
    CHECK(answer.status == (replaced ? 200 : 202));
    CHECK(answer.body.find(replaced ? "late" : "01EVENT") != std::string::npos);
  }
}

TEST_CASE("webhook: a single CloudEvent is answered as any other event") {
  auto options = open_to_all();
  options.response.status = 200;
  options.response.body = Template::parse("took {event.subject} {payload.n}");
  Hooked hooked(options);
  CHECK(hooked.post(R"({"specversion":"1.0","id":"1","source":"s","type":"a","subject":"u","data":{"n":1}})", {"Content-Type: application/cloudevents+json"}).body == "took u 1");
  CHECK(hooked.post(R"({"n":2})", {"ce-specversion: 1.0", "ce-id: 3", "ce-source: s", "ce-type: a"}).body == "took  2");
}

TEST_CASE("webhook: a signed delivery without an id of its own is known by what was signed") {
  Hooked hooked(of("slack"));
  const std::string body = "command=%2Fdeploy";
  const auto send = [&](const std::string& time) {
    const auto signature = "v0=" + to_hex(hmac(Hash::sha256, "s3cret", {"v0:", time, ":", body}));
    CHECK(hooked.post(body, {"Content-Type: application/x-www-form-urlencoded", "X-Slack-Request-Timestamp: " + time, "X-Slack-Signature: " + signature}).status == 202);
  };
  const auto now = std::chrono::floor<std::chrono::seconds>(hooked.clock.now().wall.time_since_epoch()).count();
  send(std::to_string(now));
  send(std::to_string(now));
  send(std::to_string(now - 1));
  const auto events = hooked.events();
  REQUIRE(events.size() == 3);
  CHECK_FALSE(events[0].dedupe_key.empty());
  CHECK(events[0].dedupe_key == events[1].dedupe_key);
  CHECK(events[0].dedupe_key != events[2].dedupe_key);
}

TEST_CASE("webhook: a request that does not come to its end is for the record") {
  Hooked hooked(open_to_all());
  {
    RawClient client(hooked.port);
    client.send("POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"a\"");
  }
  REQUIRE(hooked.thread.until([&] { return hooked.host->refusals.size() == 1; }));
  CHECK(hooked.refusals()[0].cause == Refusal::Cause::request);
  CHECK(hooked.refusals()[0].reason == "request: the connection ended before the request did");
}

TEST_CASE("webhook: CloudEvents become events of their own type, in each of the three modes") {
  Hooked hooked(open_to_all());
  const std::string one = R"({"specversion":"1.0","id":"1","source":"/shop","type":"order.placed","subject":"o7","time":"2026-01-01T00:00:00Z","tenant":"t","data":{"n":1}})";
  CHECK(hooked.post(one, {"Content-Type: application/cloudevents+json; charset=utf-8"}).status == 202);
  const auto batch = hooked.post("[" + one + R"(,{"specversion":"1.0","id":"2","source":"/shop","type":"order.paid","data_base64":"aGk="}])", {"Content-Type: application/cloudevents-batch+json"});
  CHECK(batch.status == 202);
  CHECK(nlohmann::json::parse(batch.body)["events"].size() == 2);
  CHECK(hooked.post(R"({"n":3})", {"ce-specversion: 1.0", "ce-id: 3", "ce-source: /shop", "CE-Type: order%20sent", "ce-tenant: %C3%A4", "Content-Type: application/json"}).status == 202);
  const auto events = hooked.events();
  REQUIRE(events.size() == 4);
  CHECK(events[0].type == "order.placed");
  CHECK(events[0].subject == "o7");
  CHECK(events[0].source == "deploy");
  CHECK(events[0].time == hooked.clock.now().wall);
  CHECK(events[0].data.json() == nlohmann::json{{"n", 1}});
  CHECK(events[0].context->json()["cloudevent"] == nlohmann::json{{"id", "1"}, {"source", "/shop"}, {"time", "2026-01-01T00:00:00Z"}, {"tenant", "t"}});
  CHECK(events[1].dedupe_key == events[0].dedupe_key);
  CHECK(events[2].dedupe_key != events[0].dedupe_key);
  CHECK(events[2].data.json() == "hi");
  CHECK(events[3].type == "order sent");
  CHECK(events[3].context->json()["cloudevent"]["tenant"] == "ä");
  CHECK(nlohmann::json::parse(hooked.post("[]", {"Content-Type: application/cloudevents-batch+json"}).body)["events"].empty());
}

TEST_CASE("webhook: one of a batch of CloudEvents that cannot be taken now, and the sender is to bring all again") {
  Hooked hooked(open_to_all());
  hooked.thread.run([&] { hooked.host->hold = true; });
  RawClient client(hooked.port);
  const std::string body = R"([{"specversion":"1.0","id":"1","source":"s","type":"a"},{"specversion":"1.0","id":"2","source":"s","type":"a"}])";
  client.send("POST /hook HTTP/1.1\r\nHost: x\r\nContent-Type: application/cloudevents-batch+json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  REQUIRE(hooked.thread.until([&] { return hooked.host->held.size() == 2; }));
  hooked.thread.run([&] {
    hooked.host->held[1]({Acceptance::Outcome::refused, {}, 0, "full"});
    hooked.host->held[0]({Acceptance::Outcome::accepted, "01A", 1, {}});
  });
  CHECK(client.read().status == 503);
}

TEST_CASE("webhook: what is no CloudEvent, or would pass for an event of hark's own, is refused") {
  Hooked hooked(open_to_all());
  const auto structured = [&](const std::string& body) { return hooked.post(body, {"Content-Type: application/cloudevents+json"}).status; };
  for (const char* bad : {"{}", "[]", "7", R"({"specversion":"0.3","id":"1","source":"s","type":"a"})", R"({"specversion":"1.0","id":"","source":"s","type":"a"})", R"({"specversion":"1.0","id":"1","source":"s"})",
                          R"({"specversion":"1.0","id":"1","source":"s","type":"a","time":"now"})", R"({"specversion":"1.0","id":"1","source":"s","type":"a","data":1,"data_base64":"AA=="})",
                          R"({"specversion":"1.0","id":"1","source":"s","type":"a","data_base64":"!"})", R"({"specversion":"1.0","id":"1","source":"s","type":"a","ext":{}})", R"({"specversion":"1.0","id":"1","source":"s","type":"a","Ext":"x"})",
                          R"({"specversion":"1.0","id":"1","source":"s","type":"schedule"})", R"({"specversion":"1.0","id":"1","source":"s","type":"handler:overdue"})"}) {
    CAPTURE(bad);
    CHECK(structured(bad) == 400);
  }
  CHECK(hooked.post("{}", {"ce-specversion: 1.0", "ce-id: 1", "ce-id: 2", "ce-source: s", "ce-type: a"}).status == 400);
  CHECK(hooked.post("{", {"ce-specversion: 1.0", "ce-id: 1", "ce-source: s", "ce-type: a"}).status == 400);
  std::string many = "[";
  for (int i = 0; i <= 1000; ++i) many += std::string(i == 0 ? "" : ",") + R"({"specversion":"1.0","id":"1","source":"s","type":"a"})";
  CHECK(hooked.post(many + "]", {"Content-Type: application/cloudevents-batch+json"}).status == 400);
  CHECK(hooked.events().empty());
}

TEST_CASE("webhook: a single secret that does not match, and GitHub's own header and delivery, are named as such") {
  Hooked hooked(of("github"));
  CHECK(hooked.post("{}", {"X-Signature: " + sign("{}", "s3cret"), "X-GitHub-Delivery: d1"}).status == 401);
  CHECK(hooked.post("{}", {"X-Hub-Signature-256: " + sign("{}", "wrong")}).status == 401);
  const auto refusals = hooked.refusals();
  REQUIRE(refusals.size() == 2);
  CHECK(refusals[0].reason == "signature: no X-Hub-Signature-256 header");
  CHECK(refusals[0].delivery == "d1");
  CHECK(refusals[1].reason == "signature: the secret did not match");
}

TEST_CASE("webhook: an offer that the engine refused is said, also when the source was stopped meanwhile") {
  Hooked hooked(open_to_all());
  hooked.thread.run([&] { hooked.host->hold = true; });
  RawClient client(hooked.port);
  client.send("POST /hook HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Length: 2\r\n\r\n{}");
  REQUIRE(hooked.thread.until([&] { return hooked.host->held.size() == 1; }));
  hooked.thread.run([&] {
    hooked.source.reset();
    hooked.host->held[0]({Acceptance::Outcome::refused, {}, 0, "the queue is full"});
  });
  CHECK(client.read().status == 503);
  const auto refusals = hooked.refusals();
  REQUIRE(refusals.size() == 1);
  CHECK(refusals[0].cause == Refusal::Cause::unavailable);
  CHECK(refusals[0].reason == "not taken: the queue is full");
  CHECK(refusals[0].delivery == "k");
}

TEST_CASE("webhook: a well-formed traceparent is taken over") {
  Hooked hooked(open_to_all());
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  hooked.post("1", {"traceparent: " + trace});
  hooked.post("2", {"traceparent: x" + trace});
  const auto events = hooked.events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].traceparent == trace);
  CHECK(events[1].traceparent.empty());
}

TEST_CASE("webhook: stopped it is gone, who waits is still answered, and it can be started again") {
  Hooked hooked(open_to_all());
  hooked.thread.run([&] { hooked.host->hold = true; });
  RawClient client(hooked.port);
  client.send("POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
  REQUIRE(hooked.thread.until([&] { return hooked.host->held.size() == 1; }));
  hooked.thread.run([&] {
    hooked.source->stop();
    hooked.source->stop();
    hooked.host->held[0]({Acceptance::Outcome::accepted, "01", 1, {}});
    hooked.host->hold = false;
  });
  CHECK(client.read().status == 202);
  CHECK(hooked.post("{}").status == 404);
  hooked.thread.run([&] { CHECK(hooked.source->start(*hooked.host).ok()); });
  CHECK(hooked.post("{}").status == 202);
  hooked.thread.run([&] { hooked.source.reset(); });
  CHECK(hooked.post("{}").status == 404);
}

TEST_CASE("webhook: without a secret, with a taken path or port, it does not start and says why") {
  Hooked hooked(open_to_all());
  hooked.thread.run([&] {
    auto options = hooked.options;
    options.unsigned_ok = false;
    for (const auto& secrets : {std::vector<std::string>{}, std::vector<std::string>{""}}) {
      options.secrets = secrets;
      options.path = "/other";
      auto open = make_webhook(options, *hooked.server, hooked.thread.loop(), hooked.clock);
      const auto status = open->start(*hooked.host);
      REQUIRE_FALSE(status.ok());
      CHECK(status.error().cure.find("unsigned = true") != std::string::npos);
    }
    options = hooked.options;
    auto same = make_webhook(options, *hooked.server, hooked.thread.loop(), hooked.clock);
    const auto taken = same->start(*hooked.host);
    REQUIRE_FALSE(taken.ok());
    CHECK(taken.error().message.find("/hook") != std::string::npos);

    HttpServer other(hooked.thread.loop());
    options.port = hooked.port;
    auto unlucky = make_webhook(options, other, hooked.thread.loop(), hooked.clock);
    const auto busy = unlucky->start(*hooked.host);
    REQUIRE_FALSE(busy.ok());
    CHECK(busy.error().message.find("Address already in use") != std::string::npos);
    options.port = 0;
  });
  CHECK(hooked.post("{}").status == 202);
}
