#include "daemon/publishing.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/payload.h"
#include "platform/http.h"

using namespace hark;

namespace {

std::string refused(std::string_view type, std::string text) {
  const auto read = read_publication(type, std::move(text));
  return read ? "taken" : read.error().text();
}

Publication cloud(std::string text) {
  HttpHeaders headers;
  headers.add("Content-Type", "application/cloudevents+json");
  auto events = read_cloud_events(headers, std::move(text));
  REQUIRE(events);
  auto read = read_publication(std::move(events->at(0)));
  REQUIRE_MESSAGE(read, (read ? "" : read.error().text()));
  return std::move(*read);
}

}  // namespace

TEST_CASE("publishing: all that may be said is taken, and data stays as it was written") {
  const auto read = read_publication("built", R"({"event_type": "built", "publisher": "ci", "topic": "deployment/eu", "subject": "v1",
    "data": {"z": 1.50, "a": [18446744073709551615, -0.0]}, "correlation_id": "story", "causation_id": "run", "ttl_seconds": 60, "priority": -3})");
  REQUIRE_MESSAGE(read, (read ? "" : read.error().text()));
  CHECK(read->event.type == "built");
  CHECK(read->event.topic == "deployment/eu");
  CHECK(read->event.subject == "v1");
  CHECK(read->event.correlation_id == "story");
  CHECK(read->event.causation_id == "run");
  CHECK(read->event.ttl == std::chrono::seconds(60));
  CHECK(read->event.priority == -3);
  CHECK(read->event.data.text() == R"({"z": 1.50, "a": [18446744073709551615, -0.0]})");
  CHECK(read->publisher == "ci");
  CHECK(read->id.empty());
}

TEST_CASE("publishing: an empty text is the type and nothing more, and the type may stand in the text alone") {
  const auto bare = read_publication("ping", "");
  REQUIRE(bare);
  CHECK(bare->event.type == "ping");
  CHECK(bare->event.data.text() == "null");
  CHECK(read_publication("", R"({"event_type": "ping"})")->event.type == "ping");
  CHECK(read_publication("ping", R"({"topic": null, "ttl_seconds": null})")->event.topic.empty());
}

TEST_CASE("publishing: what is wrong is named, with what it is to be") {
  CHECK(refused("", "{}").find("the type of an event") != std::string::npos);
  CHECK(refused("a", R"({"event_type": "b"})") == "`event_type` is 'b', and the address says 'a'");
  CHECK(refused("a", "[]").starts_with("a published event is an object"));
  CHECK(refused("a", R"({"topc": "x"})") == "there is no `topc` in a published event; did you mean 'topic'?");
  CHECK(refused("a", R"({"topic": 1})") == "`topic` is to be a text");
  CHECK(refused("a", R"({"topic": "a b"})").find("found 'a b'") != std::string::npos);
  CHECK(refused("a", R"({"topic": ")" + std::string(limits::kTopicLength + 1, 't') + "\"}").starts_with("a topic is letters"));
  CHECK(refused("a", R"({"publisher": "a,b"})").starts_with("a publisher's name is"));
  CHECK(refused("a", R"({"publisher": "a\u0007b"})").starts_with("a publisher's name is"));
  CHECK(refused("a", R"({"correlation_id": ")" + std::string(limits::kEventWord + 1, 'c') + "\"}").starts_with("`correlation_id` is to be a text"));
  for (const auto* seconds : {"0", "-1", "1.5", "31622401", "1e3", "99999999999999999999", "true", "[]"}) {
    CAPTURE(seconds);
    CHECK(refused("a", std::string(R"({"ttl_seconds": )") + seconds + "}") == "`ttl_seconds` is to be a whole number from 1 to 31622400");
  }
  CHECK(refused("a", R"({"priority": 1001})") == "`priority` is to be a whole number from -1000 to 1000");
  CHECK(refused("a", R"({"data": 1e400})") == "the text is no JSON: number overflow parsing '1e400' (byte 14)");
  CHECK(refused("a", "{\"data\": ").find("no JSON") != std::string::npos);
  CHECK(refused("a", "{\"data\": \"\xff\"}").find("no JSON") != std::string::npos);
  std::string deep(std::size_t(limits::kJsonDepth) + 1, '[');
  CHECK(refused("a", "{\"data\": " + deep + std::string(deep.size(), ']') + "}").find("nested deeper") != std::string::npos);
}

TEST_CASE("publishing: a CloudEvent's extensions are the envelope's, the rest of it is the event's context") {
  const auto read = cloud(R"({"specversion": "1.0", "id": "7", "source": "/ci", "type": "built", "subject": "v1", "time": "2026-01-02T03:04:05Z",
    "topic": "deployment", "correlationid": "story", "causationid": "run", "priority": 5, "ttl": 60, "region": "eu", "data": {"n": 1}})");
  CHECK(read.event.topic == "deployment");
  CHECK(read.event.correlation_id == "story");
  CHECK(read.event.causation_id == "run");
  CHECK(read.event.priority == 5);
  CHECK(read.event.ttl == std::chrono::seconds(60));
  CHECK(to_rfc3339(read.event.time).starts_with("2026-01-02T03:04:05"));
  CHECK(read.event.context->json() == nlohmann::json{{"id", "7"}, {"source", "/ci"}, {"region", "eu"}});
  CHECK(read.publisher == "/ci");
  CHECK(read.id == "7");
}

TEST_CASE("publishing: the key of an event counts within its publisher") {
  auto one = read_publication("a", "").value();
  one.id = "k";
  const auto event = published_by("ci", one);
  CHECK(event.source == "publishers/ci");
  CHECK(event.dedupe_key == "publish/ci/k");
  CHECK(published_by("cd", one).dedupe_key != event.dedupe_key);
  CHECK(keyed("a", "k") != keyed("b", "k"));
  one.id.clear();
  CHECK(published_by("ci", one).dedupe_key.empty());
}
