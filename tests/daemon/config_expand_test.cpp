#include "daemon/config_expand.h"

#include <nlohmann/json.hpp>

#include "tests/daemon/config_support.h"

using namespace hark;
using namespace hark::test;

namespace {

std::optional<std::string> environment(const std::string& name) {
  if (name == "A") return "one";
  if (name == "B_2") return "two";
  if (name == "EMPTY") return "";
  if (name == "BRACES") return "{event.id}";
  if (name == "DOLLAR") return "${A}";
  return std::nullopt;
}

std::string expanded(std::string_view text, Braces braces = Braces::keep) {
  const auto result = expand(text, environment, braces);
  return result ? result->text : "error: " + result.error().text();
}

}  // namespace

TEST_CASE("variables: the forms of the contract") {
  CHECK(expanded("") == "");
  CHECK(expanded("plain") == "plain");
  CHECK(expanded("${A}") == "one");
  CHECK(expanded("x${A}y${B_2}z") == "xoneytwoz");
  CHECK(expanded("${EMPTY}") == "");
  CHECK(expanded("${A:-other}") == "one");
  CHECK(expanded("${MISSING:-other}") == "other");
  CHECK(expanded("${MISSING:-}") == "");
  CHECK(expanded("${EMPTY:-other}") == "other");
  CHECK(expanded("${A:?must be set}") == "one");
  CHECK(expanded("${MISSING:-${A}/${B_2}}") == "one/two");
  CHECK(expanded("${MISSING:-a$$b}") == "a$b");
  CHECK(expanded("${MISSING:-http://x:80/}") == "http://x:80/");
}

TEST_CASE("variables: other dollars are text") {
  CHECK(expanded("$$") == "$");
  CHECK(expanded("$${A}") == "${A}");
  CHECK(expanded("$$$${A}") == "$${A}");
  CHECK(expanded("$$${A}") == "$one");
  CHECK(expanded("$A costs $5 $") == "$A costs $5 $");
  CHECK(expanded("${DOLLAR}") == "${A}");  // what a variable holds is not looked at again
}

TEST_CASE("variables: what is missing or malformed is an error that says the cure") {
  CHECK(expanded("${MISSING}") == "error: the environment variable MISSING is not set (set it, or write ${MISSING:-default} where a default is safe)");
  CHECK(expanded("${MISSING:?ask the admin}") == "error: ${MISSING}: ask the admin");
  CHECK(expanded("${EMPTY:?}") == "error: ${EMPTY}: it must be set");
  for (const char* bad : {"${}", "${1A}", "${A", "${A:+x}", "${A-x}", "${ A}", "${A:-${B_2}", "${A.b}"}) {
    INFO(bad);
    CHECK(expanded(bad).find("error: ") == 0);
    CHECK(expanded(bad).find("`$$`") != std::string::npos);
  }
  std::string deep = "x";
  for (int i = 0; i < 1000; ++i) deep = "${MISSING:-" + deep + "}";
  CHECK(expanded(deep).find("nested too deep") != std::string::npos);
}

TEST_CASE("variables: in a template the braces of a value are text") {
  CHECK(expanded("${BRACES} {event.id}") == "{event.id} {event.id}");
  CHECK(expanded("${BRACES} {event.id}", Braces::escape) == "{{event.id}} {event.id}");
}

TEST_CASE("variables: expanded in values, left alone in commands") {
  ConfigFolder folder;
  folder.environment = {{"HOST", "h.example"}, {"TOKEN", "a{event.id}b"}, {"DIR", "src"}};
  const Settings settings = folder
                                .good(R"(
[handlers.a]
run = "echo ${HOME} $$ ${UNSET}"
working_directory = "${DIR}"
environment = { URL = "http://${HOST}/{event.id}", T = "${TOKEN}", run = "${HOST}" }
[handlers.b]
run = ["echo", "${UNSET}"]
[[handlers.c.steps]]
http = { url = "http://${HOST}", headers = { X = "${TOKEN}" }, json = { run = "${TOKEN}", l = ["${HOST}"] } }
)")
                                .settings;
  CHECK(std::get<RunStepOptions>(settings.handlers[0].steps[0].kind).script.text() == "echo ${HOME} $$ ${UNSET}");
  CHECK(settings.handlers[0].working_directory == (folder.path() / "src").string());
  CHECK(settings.handlers[0].environment[0].second.text() == "http://h.example/{event.id}");
  const Template& token = settings.handlers[0].environment[1].second;
  CHECK(token.names().empty());
  CHECK(token.render([](std::string_view) { return nullptr; }) == "a{event.id}b");
  CHECK(settings.handlers[0].environment[2].second.text() == "h.example");
  CHECK(std::get<RunStepOptions>(settings.handlers[1].steps[0].kind).arguments[1].text() == "${UNSET}");
  const auto& http = std::get<HttpStepOptions>(settings.handlers[2].steps[0].kind);
  CHECK(http.url.text() == "http://h.example");
  CHECK(http.headers[0].second.names().empty());
  CHECK(Template::parse((*http.json)["run"].get<std::string>()).render([](std::string_view) { return nullptr; }) ==
        "a{event.id}b");
  CHECK((*http.json)["l"][0] == "h.example");
}
