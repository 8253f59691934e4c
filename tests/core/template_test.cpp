#include "core/template.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "core/event_field.h"
#include "tests/support/rounds.h"

using hark::Template;
using Json = nlohmann::json;

namespace {

const Json& values() {
  static const Json kValues = Json::parse(R"({
    "name": "world", "n": 3, "f": 1.5, "yes": true, "nothing": null, "braces": "{name} {{x}}", "list": ["a b", 2, false, null],
    "none": [], "one": ["x"], "object": {"a": 1}, "rows": [{"a": 1}], "files": ["a.py", "b c.py"], "a-b_c": "dashed",
    "steps": {"test": {"output": "ok", "json": {"0": "zero", "list": ["p", "q"]}}}
  })");
  return kValues;
}

const Json* look(std::string_view name) { return hark::json_at(values(), name); }
std::string render(std::string_view text) { return Template::parse(text).render(look); }

}  // namespace

TEST_CASE("template: names are replaced, everything else stays") {
  struct Row {
    const char* text;
    const char* rendered;
  };
  const Row rows[] = {
      {"", ""},
      {"hello {name}", "hello world"},
      {"{name}{name}", "worldworld"},
      {"{steps.test.output}!", "ok!"},
      {"{steps.test.json.0} {steps.test.json.list.1}", "zero q"},
      {"{a-b_c}", "dashed"},
      {"{n} {f} {yes} {nothing}|{missing}|", "3 1.5 true ||"},
      {"{list}", "a b 2 false "},
      {"[{none}]", "[]"},
      {"{object} {rows}", "{\"a\":1} [{\"a\":1}]"},
      {"{braces}", "{name} {{x}}"},  // once, not again
      // no bare dotted name
      {"awk '{print $1}'", "awk '{print $1}'"},
      {"${name} $name", "${name} $name"},
      {"{\"a\": 1}", "{\"a\": 1}"},
      {"{} {1} {a,b} { name } {name } {a..b} {.a} {a.} {-a} {name", "{} {1} {a,b} { name } {name } {a..b} {.a} {a.} {-a} {name"},
      {"find . -exec rm {} +", "find . -exec rm {} +"},
      {"{", "{"},
      {"}", "}"},
      {"\\{name}", "\\world"},
      // literal braces
      {"{{name}}", "{name}"},
      {"{{{name}}}", "{world}"},
      {"{{{{name}}}}", "{{name}}"},
      {"{{ {name} }}", "{ world }"},
      {"a}}b{{c", "a}b{c"},
      {"${{name}}", "${name}"},
      {"docker ps --format '{{{{.Names}}}}'", "docker ps --format '{{.Names}}'"},
      // JSON keeps the braces that belong to each other
      {"{\"a\": {\"b\": {\"c\": \"{name}\"}}}", "{\"a\": {\"b\": {\"c\": \"world\"}}}"},
      {"{{\"a\": {\"b\": 1}}}", "{\"a\": {\"b\": 1}}"},
      {"{{ {\"a\":{\"b\":1}} }}", "{ {\"a\":{\"b\":1}} }"},
      {"awk '{if (x) {print $0}}'", "awk '{if (x) {print $0}}'"},
  };
  for (const Row& row : rows) CHECK_MESSAGE(render(row.text) == row.rendered, std::string(row.text));
}

TEST_CASE("template: names come once each, in order") {
  const Template text = Template::parse("{b} {a.x} {b} {{c}} ${d}");
  CHECK(text.names() == std::vector<std::string>{"b", "a.x"});
  CHECK_FALSE(text.constant());
  CHECK(Template::parse("{{a}} {b c}").constant());
  CHECK(text.text() == "{b} {a.x} {b} {{c}} ${d}");
}

TEST_CASE("template: an argument that is a list becomes several") {
  const auto arguments = [](std::string_view text) { return Template::parse(text).render_arguments(look); };
  using List = std::vector<std::string>;
  CHECK(arguments("{files}") == List{"a.py", "b c.py"});
  CHECK(arguments("{none}").empty());
  CHECK(arguments("{list}") == List{"a b", "2", "false", ""});
  CHECK(arguments("{rows}") == List{"{\"a\":1}"});
  CHECK(arguments("x{files}") == List{"xa.py b c.py"});
  CHECK(arguments("{name}") == List{"world"});
  CHECK(arguments("{nothing}") == List{""});
  CHECK(arguments("") == List{""});
  CHECK(arguments("{{files}}") == List{"{files}"});
}

TEST_CASE("template: random text never crashes, and text without names changes only in its braces") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string signs = "{}{}ab.$-1 \"";
  for (int round = 0; round < hark::test::rounds(20000); ++round) {
    std::string text;
    for (unsigned length = random() % 20; length > 0; --length) text += signs[random() % signs.size()];
    const Template parsed = Template::parse(text);
    const std::string rendered = parsed.render(look);
    if (!parsed.constant()) continue;
    const auto without = [](std::string from) {
      std::erase_if(from, [](char c) { return c == '{' || c == '}'; });
      return from;
    };
    CHECK(without(rendered) == without(text));
    CHECK(rendered.size() <= text.size());
  }
}
