#include "core/base64.h"

#include <doctest/doctest.h>

#include <map>

using hark::from_base64;
using hark::to_base64;

TEST_CASE("base64: the RFC's examples, there and back") {
  const std::map<std::string, std::string> examples = {{"", ""},           {"f", "Zg=="},         {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},    {"foob", "Zm9vYg=="},  {"fooba", "Zm9vYmE="},
                                                       {"\xff\xfe", "//4="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : examples) {
    CHECK(to_base64(bytes) == text);
    CHECK(from_base64(text) == bytes);
  }
}

TEST_CASE("base64: what is none is not read") {
  for (const auto* text : {"Z", "Zg", "Zg=", "Zh==", "Z===", "Zg==Zg==", "Zm9\n", "Zm9-"}) {
    CAPTURE(text);
    CHECK_FALSE(from_base64(text).has_value());
  }
}
