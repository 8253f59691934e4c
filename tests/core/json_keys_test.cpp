#include "core/json_keys.h"

#include <doctest/doctest.h>

using namespace hark;

TEST_CASE("json keys: a key of the outermost object given twice is found, whatever its spelling") {
  CHECK(duplicate_key(R"({"a": 1, "b": 2, "a": 3})") == "a");
  CHECK(duplicate_key(R"({"a": 1, "\u0061": 2})") == "a");
  CHECK(duplicate_key(R"( {"a\"b": {"c": "}"}, "a\"b": 2})") == "a\"b");
  CHECK(duplicate_key(R"({"": 1, "": 2})") == "");
  for (const char* fine : {"{}", "[]", "1", "\"{\\\"a\\\":1,\\\"a\\\":2}\"",
                           R"({"a": "a", "b": ["a", "a"], "c": {"a": 1, "b": 2}})", R"([{"a": 1}, {"a": 2}])", R"(["a", "a"])",
                           R"({"a": {"b": 1, "b": 2}})", R"({"a": ",\"b\":", "b": ["{", "}"]})", R"({"\\": 1, "\"": 2})"}) {
    CAPTURE(fine);
    CHECK_FALSE(duplicate_key(fine).has_value());
  }
}

TEST_CASE("event data: strict JSON, and no key of the outermost object twice") {
  CHECK(parse_event_data(R"({"s": 0, "t": {"u": 1}})").value().text() == R"({"s": 0, "t": {"u": 1}})");
  CHECK(parse_event_data(R"({"s": 0, "s": 1})").error().message == "the key \"s\" is there more than once");
  CHECK_FALSE(parse_event_data("{'s': 0}").ok());
}
