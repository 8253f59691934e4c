#include <doctest/doctest.h>

#include <random>
#include <set>

#include <nlohmann/json.hpp>

#include "core/backoff.h"
#include "core/event_field.h"
#include "core/event_json.h"
#include "core/ids.h"
#include "core/limits.h"
#include "core/run.h"
#include "core/time.h"
#include "tests/support/rounds.h"

using namespace hark;
using namespace std::chrono_literals;

TEST_CASE("time: RFC 3339 in both directions, with offsets and fractions") {
  const auto time = from_rfc3339("2026-11-21T07:17:07.123Z");
  REQUIRE(time);
  CHECK(to_rfc3339(*time) == "2026-11-21T07:17:07.123Z");
  CHECK(from_rfc3339("2026-11-21T08:17:07.123+01:00") == time);
  CHECK(from_rfc3339("1969-12-31T23:59:59Z")->time_since_epoch() == -1s);
  for (const auto* wrong : {"", "2026-11-21", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-21T07:17:07",
                            "2026-11-21T24:00:00Z", "2026-11-21T07:17:07Zx", "2026-11-21T07:17:07.Z"}) {
    CAPTURE(wrong);
    CHECK(!from_rfc3339(wrong));
  }
}

TEST_CASE("duration: the forms of the configuration, and nothing else") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("1m30s") == 90s);
  CHECK(parse_duration("24h") == 24h);
  CHECK(parse_duration("7d") == 168h);
  CHECK(parse_duration("0s") == 0s);
  for (const auto* wrong : {"", "5", "s", "-5s", "5 s", "5x", "1.5s", "99999999999999999999s", "9000000000000000d", "5ms3"}) {
    CAPTURE(wrong);
    CHECK(!parse_duration(wrong));
  }
  for (const auto duration : {Duration(1ms), Duration(90s), Duration(25h), Duration(0s)})
    CHECK(parse_duration(to_string(duration)) == duration);
  CHECK(to_string(90s) == "1m30s");
}

TEST_CASE("ids: rise strictly, also within a millisecond and when the clock goes back") {
  IdGenerator ids(42);
  const WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21}};
  std::string last;
  for (int i = 0; i < 10'000; ++i) {
    const auto id = ids.next(i < 5'000 ? now + 1h : now);
    CHECK(id.size() == 26);
    CHECK(id > last);
    last = id;
  }
}

TEST_CASE("ids: of one millisecond differ in one of the first characters behind the time") {
  IdGenerator ids(7);
  std::set<std::string> beginnings;
  for (int i = 0; i < 20; ++i) beginnings.insert(ids.next(WallTime{1469922850259ms}).substr(0, 14));
  CHECK(beginnings.size() == 20);
  CHECK(beginnings.begin()->substr(0, 10) == beginnings.rbegin()->substr(0, 10));
}

TEST_CASE("ids: the first ten characters are the time") {
  // 2016-07-30T23:54:10.259Z is 01ARZ3NDEK in the ULID specification's example.
  CHECK(IdGenerator(1).next(WallTime{1469922850259ms}).substr(0, 10) == "01ARZ3NDEK");
}

TEST_CASE("payload: keeps the text it was given and refuses what is no JSON") {
  auto payload = Payload::parse(R"({"a" : [1, 2.50]})");
  REQUIRE(payload);
  CHECK(payload->text() == R"({"a" : [1, 2.50]})");
  CHECK(payload->json()["a"][0] == 1);
  for (const auto* wrong : {"", "{", "{\"a\":}", "[1,]", "nul", "1 2", "\"\xff\"", "{\"a\":1}x"}) {
    CAPTURE(wrong);
    const auto refused = Payload::parse(wrong);
    CHECK(!refused);
  }
  CHECK(!Payload::parse(std::string(200, '[') + std::string(200, ']')));
  CHECK(Payload::parse(std::string(100, '[') + std::string(100, ']')));
  CHECK(Payload().text() == "null");
  CHECK(Payload(nlohmann::json{{"name", "\xff"}}).text() == "{\"name\":\"\xef\xbf\xbd\"}");
}

TEST_CASE("payload: depth is bounded to the level, in small documents and large ones") {
  const auto nested = [](int depth, std::size_t padding) {
    return std::string(padding, ' ') + std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']');
  };
  for (const std::size_t padding : {0u, 100'000u}) {
    CHECK(Payload::parse(nested(limits::kJsonDepth, padding)).ok());
    CHECK_FALSE(Payload::parse(nested(limits::kJsonDepth + 1, padding)).ok());
  }
}

TEST_CASE("payload: what is taken is what nlohmann reads, whatever bytes come") {
  const auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> sound = {
      R"({"a": [1, -0, 2.5e-3, 1E400, 18446744073709551616, true, false, null], "b": {"\u00e4\n\ud83d\ude00": "\ud800"}})",
      R"(["", "\u0000", "caf\u00e9 é 漢", {"k": {}}, [], [[]], -1.0, 0.1e+5])", "\"text\"", " 12 ", "\xef\xbb\xbf{}", "{\"a\":1,\"a\":2}"};
  const std::string bytes = "{}[]\",:\\ue+-.0123456789tfnrlsa \n\t\x01\x7f\x80\xc3\xed\xa0\xef\xf4\xff";
  int taken = 0;
  for (int round = 0; round < test::rounds(40'000); ++round) {
    std::string text = sound[random() % sound.size()];
    for (auto changes = random() % 4; changes > 0 && !text.empty(); --changes) {
      const auto at = random() % text.size();
      const char byte = bytes[random() % bytes.size()];
      if (random() % 3 == 0) text.erase(at, 1);
      else if (random() % 2 == 0) text.insert(at, 1, byte);
      else text[at] = byte;
    }
    CAPTURE(text);
    const bool ok = Payload::parse(text).ok();
    CHECK(ok == nlohmann::json::accept(text));
    taken += ok ? 1 : 0;
  }
  CHECK(taken > test::rounds(1000));
}

TEST_CASE("event: one JSON form, there and back") {
  Event event;
  event.id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  event.type = "webhook";
  event.source = "deploy";
  event.subject = "push";
  event.time = *from_rfc3339("2026-11-21T07:17:07.123Z");
  event.sequence = 7;
  event.correlation_id = event.id;
  event.ttl = 60s;
  event.priority = -2;
  event.dedupe_key = "webhook/deploy/1";
  event.data = *Payload::parse(R"({"ref":"refs/heads/main"})");
  event.context = *Payload::parse(R"({"path":{"team":"red"}})");
  const auto text = to_json_text(event);
  CHECK(nlohmann::json::parse(text) == to_json(event));
  const auto back = event_from_json(nlohmann::json::parse(text));
  REQUIRE(back);
  CHECK(to_json_text(*back) == text);

  CHECK(!event_from_json(nlohmann::json::parse(R"([])")));
  CHECK(!event_from_json(nlohmann::json::parse(R"({"id":"x"})")));
  CHECK(!event_from_json(nlohmann::json::parse(R"({"type":5})")));
  CHECK(!event_from_json(nlohmann::json::parse(R"({"type":"a","context":"b"})")));
  CHECK(!event_from_json(nlohmann::json::parse(R"({"type":"a","time":"yesterday"})")));
}

TEST_CASE("event: what came beside the data is a field of the envelope") {
  Event event;
  nlohmann::json scratch;
  CHECK(event_field(event, "event.context", scratch) == nullptr);
  CHECK(event_field(event, "event.context.path.team", scratch) == nullptr);
  event.context = *Payload::parse(R"({"path":{"team":"red"}})");
  event.data = *Payload::parse(R"({"context":{"path":{"team":"blue","of":"data"}}})");
  CHECK(*event_field(event, "event.context.path.team", scratch) == "red");
  CHECK(*event_field(event, "context.path.team", scratch) == "red");
  CHECK(*event_field(event, "payload.context.path.team", scratch) == "blue");
  CHECK(check_event_field("event.context.path.team").ok());
}

TEST_CASE("run: a field by itself is what the whole form has") {
  Run run;
  run.id = "r";
  run.handler = "h";
  run.event_type = "webhook";
  run.key = "k";
  run.state = RunState::failed;
  run.started = WallTime(5s);
  run.finished = WallTime(7s);
  run.error = "gone";
  run.dead_since = WallTime(8s);
  const auto whole = to_json(run);
  nlohmann::json scratch;
  std::size_t there = 0;
  for (const auto& field : run_fields()) {
    CAPTURE(field);
    const auto* expected = json_at(whole, field);
    const auto* got = run_field(run, field, scratch);
    REQUIRE((expected == nullptr) == (got == nullptr));
    if (got == nullptr) continue;
    ++there;
    CHECK(*got == *expected);
  }
  CHECK(there == run_fields().size() - 3);  // priority, not_before, exit_code
  for (const char* none : {"stat", "state.x", "event.tpye", "", "steps"}) CHECK(run_field(run, none, scratch) == nullptr);
}

TEST_CASE("backoff: doubles up to the most, and jitter takes away at most half") {
  const Backoff backoff{1s, 10s};
  CHECK(backoff.pause(1, 0.0) == 500ms);
  CHECK(backoff.pause(2, 0.0) == 1s);
  CHECK(backoff.pause(100, 0.0) == 5s);
  CHECK(backoff.pause(3, 0.999) > 3900ms);
  CHECK(backoff.pause(3, 0.999) < 4s);
}
