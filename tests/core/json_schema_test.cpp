#include "core/json_schema.h"

#include <doctest/doctest.h>

#include <string>

#include <nlohmann/json.hpp>

using namespace hark;
using nlohmann::json;

namespace {

const json kPerson = json::parse(R"({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "required": ["summary"],
  "additionalProperties": false,
  "properties": {
    "summary": {"type": "string", "minLength": 1, "description": "one line"},
    "score": {"type": "integer", "minimum": 0, "maximum": 10},
    "kind": {"enum": ["bug", "feature"]},
    "a/b": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "number"}}}},
    "either": {"anyOf": [{"type": "null"}, {"$ref": "#/definitions/name"}]}
  },
  "definitions": {"name": {"type": "string", "maxLength": 3}}
})");

std::string wrong(const char* document, const json& schema = kPerson) {
  const auto checked = check_json(json::parse(document), schema);
  return checked ? "" : checked.error().text();
}

std::string wrong_schema(const char* text) {
  const auto checked = check_schema(json::parse(text));
  return checked ? "" : checked.error().text();
}

}  // namespace

TEST_CASE("json schema: a document that fits") {
  REQUIRE(check_schema(kPerson).ok());
  CHECK(wrong(R"({"summary": "x"})") == "");
  CHECK(wrong(R"({"summary": "x", "score": 10, "kind": "bug", "a/b": [{"n": 1.5}, {}], "either": null})") == "");
}

TEST_CASE("json schema: what does not fit is named with its place") {
  CHECK(wrong(R"({"summary": 1})") == "/summary: expected a string");
  CHECK(wrong(R"({"summary": "x", "score": "7"})") == "/score: expected an integer");
  CHECK(wrong(R"({"summary": "x", "score": true})") == "/score: expected an integer");
  CHECK(wrong(R"({"summary": "x", "a/b": [{}, {"n": "1"}]})") == "/a~1b/1/n: expected a number");
  CHECK(wrong(R"([])") == "/: expected an object");
  CHECK(wrong(R"({})").find("/: Missing required property 'summary'") == 0);
  CHECK(wrong(R"({"summary": "x", "score": 11})").find("/score: ") == 0);
  CHECK(wrong(R"({"summary": "", "score": 1})").find("/summary: ") == 0);
  CHECK(wrong(R"({"summary": "x", "kind": "other"})").find("/kind: ") == 0);
  CHECK(wrong(R"({"summary": "x", "more": 1})").find("'more'") != std::string::npos);
  CHECK(wrong(R"({"summary": "x", "either": "long"})").find("/either: ") == 0);
}

TEST_CASE("json schema: a keyword that nobody would look at is refused, with the one that was meant") {
  CHECK(wrong_schema(R"({"type": "object", "requried": ["a"]})") == "/requried: no keyword that hark knows (did you mean `required`?)");
  CHECK(wrong_schema(R"({"properties": {"a": {"typ": "string"}}})").find("/properties/a/typ: ") == 0);
  CHECK(wrong_schema(R"({"items": {"anyOf": [{"type": "string"}, {"zzz": 1}]}})").find("/items/anyOf/1/zzz: ") == 0);
  CHECK(wrong_schema(R"({"properties": {"pattern": {"type": "string", "pattern": "(a+)+$"}}})").find("/properties/pattern/pattern: `pattern` is not checked") == 0);
  CHECK(wrong_schema(R"({"format": "date"})").find("is not checked by hark") != std::string::npos);
  CHECK(wrong_schema(R"({"$ref": "http://example.org/x.json"})").find("expected a place in the schema itself") != std::string::npos);
  CHECK(wrong_schema(R"({"type": "strnig"})") != "");
  CHECK(wrong_schema(R"({"required": "summary"})") != "");
  CHECK(wrong_schema(R"({"$ref": "#/definitions/none"})") != "");
  CHECK(wrong_schema("7") != "");
  CHECK(wrong_schema(R"({"properties": {"x": 1}})") != "");
}

TEST_CASE("json schema: one that refers to itself is neither parsed nor followed for ever") {
  const json tree = json::parse(R"({"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}})");
  REQUIRE(check_schema(tree).ok());
  CHECK(wrong(R"({"next": {"next": {"n": 1}}})", tree) == "");
  CHECK(wrong(R"({"next": {"next": {"n": "1"}}})", tree).find("/next/next/n: ") == 0);
}

TEST_CASE("json schema: a circle that leads nowhere is no schema") {
  for (const char* circle : {R"({"$ref": "#"})", R"({"anyOf": [{"$ref": "#"}, {"type": "string"}]})", R"({"definitions": {"a": {"$ref": "#/definitions/a"}}, "$ref": "#/definitions/a"})",
                             R"({"properties": {"x": {"allOf": [{"$ref": "#/properties/x"}]}}})", R"({"definitions": {"a": {"not": {"$ref": "#/definitions/b"}}, "b": {"not": {"$ref": "#/definitions/a"}}}, "$ref": "#/definitions/a"})"}) {
    CAPTURE(circle);
    CHECK(wrong_schema(circle).find("leads back to itself") != std::string::npos);
  }
}
