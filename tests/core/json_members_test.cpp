#include "core/json_members.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/payload.h"

using namespace hark;

namespace {

// As "name=text" in order.
std::vector<std::string> members(const std::string& text) {
  REQUIRE_MESSAGE(Payload::parse(text), text);
  std::vector<std::string> found;
  for (const auto& member : json_members(text)) found.push_back(member.name + "=" + std::string(member.text));
  return found;
}

using Members = std::vector<std::string>;

}  // namespace

TEST_CASE("json_members: values stand as they were written") {
  CHECK(members(R"( { "z" : 1.50 , "a":[1, {"b" : 2 }] ,"s":"x\u00e9\"y,}", "t" : true,"n":null,"o": { "z":1, "a":2 } } )") ==
        Members{"z=1.50", "a=[1, {\"b\" : 2 }]", R"(s="x\u00e9\"y,}")", "t=true", "n=null", "o={ \"z\":1, \"a\":2 }"});
  CHECK(members("{}").empty());
  CHECK(members(" { } ").empty());
  CHECK(members(R"({"a\nb": 1, "": 2})") == Members{"a\nb=1", "=2"});
  CHECK(members(R"({"a": 1, "\u0061": 2})") == Members{"a=1", "a=2"});
  CHECK(members(R"({"n":123456789012345678901234567890})") == Members{"n=123456789012345678901234567890"});
}

TEST_CASE("json_members: only an object has members") {
  for (const auto* text : {"[]", "1", "null", "\"{}\"", " [ {\"a\": 1} ] "}) {
    CAPTURE(text);
    CHECK(members(text).empty());
  }
}

TEST_CASE("json_members: the same as the tree has, whatever the object") {
  const std::vector<std::string> values{"0", "-1", "1e2", "\"\"", "\"\\\\\"", "\"\\u0000\"", "[]", "[[],{}]", "{}", "{\"a\":{\"a\":[1,2]}}", "true", "false", "null", "\"\xc3\xa9\""};
  const std::vector<std::string> names{"a", "b", "\\u0061", "\\\"", "\xc3\xa9", ""};
  const std::vector<std::string> spaces{"", " ", "\n\t"};
  unsigned state = 1;
  const auto pick = [&](const auto& from) { return from[((state = state * 1664525u + 1013904223u) >> 16) % from.size()]; };
  for (int round = 0; round < 2000; ++round) {
    std::string text = "{";
    for (unsigned i = 0, count = round % 6; i < count; ++i) {
      text += (i > 0 ? "," : "") + pick(spaces) + '"' + pick(names) + '"' + pick(spaces) + ":" + pick(spaces) + pick(values) + pick(spaces);
    }
    text += "}";
    const auto tree = nlohmann::json::parse(text);
    REQUIRE(Payload::parse(text));
    nlohmann::json found = nlohmann::json::object();
    for (const auto& [name, value] : json_members(text)) found[name] = nlohmann::json::parse(value);  // of two the last counts
    REQUIRE_MESSAGE(found == tree, text);
  }
}
