#include "daemon/refusals.h"

#include <doctest/doctest.h>

using namespace hark;
using namespace std::chrono_literals;

namespace {

using Cause = Refusal::Cause;

Refusal refusal(std::string source, Cause cause, std::string reason, WallTime time = {}) {
  Refusal made;
  made.source = std::move(source);
  made.cause = cause;
  made.reason = std::move(reason);
  made.time = time;
  return made;
}

std::vector<std::string> reasons(const Refusals& refusals, const std::string& source = {}, std::size_t limit = 1000) {
  std::vector<std::string> all;
  for (const auto& entry : refusals.newest(source, limit)) all.push_back(entry.refusal.reason);
  return all;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("refusals: newest first, of all sources or of one") {
  Refusals refusals;
  refusals.add(refusal("a", Cause::signature, "1"), {});
  refusals.add(refusal("b", Cause::signature, "2"), {});
  refusals.add(refusal("a", Cause::body, "3"), {});
  CHECK(reasons(refusals) == Texts{"3", "2", "1"});
  CHECK(reasons(refusals, {}, 2) == Texts{"3", "2"});
  CHECK(reasons(refusals, "a") == Texts{"3", "1"});
  CHECK(reasons(refusals, "c").empty());
}

TEST_CASE("refusals: one that repeats itself is counted, and what is told of it is the last") {
  Refusals refusals;
  const WallTime start{1'790'000'000s};
  for (int i = 0; i < 5; ++i) {
    auto each = refusal("a", Cause::signature, "no header", start + i * 1s);
    each.delivery = std::to_string(i);
    refusals.add(each, {});
    refusals.add(refusal("a", Cause::body, "no JSON", start), {});  // between them, yet of another list
  }
  const auto entries = refusals.newest("a", 10);
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].refusal.reason == "no JSON");
  CHECK(entries[1].count == 5);
  CHECK(entries[1].first == start);
  CHECK(entries[1].refusal.time == start + 4s);
  CHECK(entries[1].refusal.delivery == "4");
  refusals.add(refusal("a", Cause::signature, "no match"), {});
  refusals.add(refusal("a", Cause::signature, "no header"), {});
  CHECK(reasons(refusals, "a") == Texts{"no header", "no match", "no JSON", "no header"});
}

TEST_CASE("refusals: a flood, however it varies, washes out only what is like it") {
  Refusals refusals(10);
  refusals.add(refusal("a", Cause::body, "honest"), {});
  refusals.add(refusal("b", Cause::signature, "another's"), {});
  for (int i = 0; i < 1000; ++i) refusals.add(refusal("a", Cause::signature, std::to_string(i)), {});
  CHECK(refusals.newest({}, 1000).size() == 10);
  CHECK(reasons(refusals, "b") == Texts{"another's"});
  const auto of_a = reasons(refusals, "a");
  CHECK(of_a.back() == "honest");
  CHECK(of_a.front() == "999");
  CHECK(of_a[7] == "992");
}

TEST_CASE("refusals: with more sources than room the ones that were quiet longest give way") {
  Refusals refusals(3);
  for (const auto* source : {"d", "c", "b", "a"}) refusals.add(refusal(source, Cause::signature, source), {});
  CHECK(reasons(refusals) == Texts{"a", "b", "c"});
  CHECK(refusals.newest("d", 10).empty());
  refusals.add(refusal("d", Cause::signature, "d"), {});
  CHECK(reasons(refusals) == Texts{"d", "a", "b"});
}

TEST_CASE("refusals: a line of the log is due once a minute, source and cause, and tells how many there were") {
  Refusals refusals;
  SteadyTime now{1h};
  CHECK(refusals.add(refusal("a", Cause::signature, "x"), now) == 1);
  for (int i = 0; i < 41; ++i) CHECK(refusals.add(refusal("a", Cause::signature, std::to_string(i)), now + 59s) == 0);
  CHECK(refusals.add(refusal("a", Cause::body, "x"), now) == 1);
  CHECK(refusals.add(refusal("b", Cause::signature, "x"), now) == 1);
  CHECK(refusals.add(refusal("a", Cause::signature, "x"), now + 60s) == 42);
  CHECK(refusals.add(refusal("a", Cause::signature, "x"), now + 61s) == 0);
}
