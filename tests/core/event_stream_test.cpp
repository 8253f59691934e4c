#include "core/event_stream.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.h"

using namespace hark;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs read(const std::vector<std::string>& pieces) {
  EventStream stream;
  Pairs read;
  for (const auto& piece : pieces) {
    const auto events = stream.feed(piece);
    REQUIRE(events.ok());
    for (const auto& event : *events) read.emplace_back(event.type, event.data);
  }
  return read;
}

}  // namespace

TEST_CASE("event stream: events with and without a type, several lines of data, comments, fields nobody knows") {
  CHECK(read({"data: a\n\nevent: delta\ndata:b\ndata:  c\n: a comment\nid: 7\nretry: 1\nnonsense\n\n"}) == Pairs{{"message", "a"}, {"delta", "b\n c"}});
  CHECK(read({"event: only a type\n\ndata\n\ndata:\ndata:\n\n"}) == Pairs{{"message", ""}, {"message", "\n"}});
}

TEST_CASE("event stream: an event that the end cuts off is none") { CHECK(read({"data: a\n\ndata: b\n"}) == Pairs{{"message", "a"}}); }

TEST_CASE("event stream: all three line ends, mixed, and a byte order mark at the start only") {
  CHECK(read({"\xef\xbb\xbf" "data: a\r\n\r\ndata: b\r\rdata: c\n\r\n"}) == Pairs{{"message", "a"}, {"message", "b"}, {"message", "c"}});
  CHECK(read({"data: a\n\n\xef\xbb\xbf" "data: b\n\n"}) == Pairs{{"message", "a"}});
}

TEST_CASE("event stream: it does not matter where the pieces are cut") {
  const std::string text = "\xef\xbb\xbf: ping\r\nevent: d\xc3\xa9lta\r\ndata: {\"t\":\"\xf0\x9f\x8e\x89\"}\r\n\r\ndata: a\ndata: b\r\rdata: [DONE]\r\n\r\n";
  const Pairs whole = read({text});
  REQUIRE(whole == Pairs{{"d\xc3\xa9lta", "{\"t\":\"\xf0\x9f\x8e\x89\"}"}, {"message", "a\nb"}, {"message", "[DONE]"}});
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    CHECK(read({text.substr(0, cut), text.substr(cut)}) == whole);
  }
  std::vector<std::string> bytes;
  for (const char c : text) bytes.emplace_back(1, c);
  CHECK(read(bytes) == whole);
}

TEST_CASE("event stream: an event without end is an error, in one line or in many") {
  const std::string large(limits::kStreamEvent / 2, 'x');
  EventStream line;
  CHECK(line.feed("data: " + large).ok());
  CHECK_FALSE(line.feed(large).ok());
  EventStream lines;
  CHECK(lines.feed("data: " + large + "\n").ok());
  CHECK_FALSE(lines.feed("data: " + large + "\n").ok());
  EventStream many;  // each by itself is fine
  for (int i = 0; i < 4; ++i) CHECK(many.feed("data: " + large + "\n\n").ok());
}
