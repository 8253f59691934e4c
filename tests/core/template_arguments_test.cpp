// render_arguments() and check_arguments(): list commands.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "core/event_field.h"
#include "core/template.h"
#include "tests/support/rounds.h"

using hark::Template;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

namespace {

std::vector<Template> parsed(const Words& words) {
  std::vector<Template> arguments;
  for (const std::string& word : words) arguments.push_back(Template::parse(word));
  return arguments;
}

// The number of the refused element; -1: none is.
int refused(const Words& words) {
  const auto problem = hark::check_arguments(parsed(words));
  return problem ? static_cast<int>(problem->argument) : -1;
}

Words rendered(const Words& words, const Json& values) {
  const auto lookup = [&](std::string_view name) { return hark::json_at(values, name); };
  const auto argv = hark::render_arguments(parsed(words), lookup);
  return argv ? *argv : Words{argv.error().text()};
}

std::string shown(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += '<' + word + '>';
  return text;
}

}  // namespace

TEST_CASE("arguments: a value is refused where it would become code or choose the program") {
  struct Row {
    Words words;
    int element;
  };
  const Row rows[] = {
      {{"sh", "-c", "echo {x}"}, 2},
      {{"bash", "-lc", "{x}"}, 2},
      {{"/bin/sh", "-e", "-c", "wc -l {files}"}, 3},
      {{"python3", "-c", "print('{x}')"}, 2},
      {{"perl", "-e{x}"}, 1},
      {{"node", "--eval={x}"}, 1},
      {{"awk", "/{x}/", "file"}, 1},
      {{"{x}", "PWN"}, 0},
      {{"./{x}"}, 0},
      {{"A={x}", "ls"}, 0},
      {{"{env.TOOLS}/{x}"}, 0},
      {{"{env.SHELL}", "-c", "echo {x}"}, 2},
      {{"sh", "-c", "{env.COMMAND} {x}"}, 2},
      {{"ssh", "host", "deploy {x}"}, 2},
      {{"env", "sh", "-c", "{x}"}, 3},
      {{"env", "A=b", "{x}"}, 2},
      {{"env", "-S", "ls {x}"}, 2},
      {{"env", "LD_PRELOAD={x}", "ls"}, 1},
      {{"timeout", "5", "sh", "-c", "{x}"}, 4},
      {{"timeout", "5", "{x}"}, 2},
      {{"sudo", "-u", "me", "{x}"}, 3},
      {{"sh", "{x}"}, 1},
      {{"python3", "{x}"}, 1},
      {{"sed", "-n", "1p", "{x}"}, 3},
      {{"make", "REF={x}"}, 1},
      {{"git", "-c", "{x}", "st"}, 2},
      {{"docker", "exec", "box", "sh", "-c", "{x}"}, 5},
      {{"xargs", "-a", "{files_file}", "sh", "-c"}, 2},
      {{"find", ".", "-name", "{x}", "-exec", "sh", "-c", "echo {{}}", ";"}, 7},
      {{"find", ".", "-exec", "{x}", ";"}, 3},
      {{"xargs", "-I", "{x}", "ls", "{x}"}, 2},
      {{"xargs", "-I{x}", "ls"}, 1},
      {{"xargs", "-I%", "xargs", "-I%", "ls", "{x}"}, 5},
      {{"xargs", "-I%", "find", "{x}", "bash", "-f", "-I%"}, 3},
      {{"busybox", "sh", "-c", "{x}"}, 3},
  };
  for (const Row& row : rows) CHECK_MESSAGE(refused(row.words) == row.element, shown(row.words));
}

TEST_CASE("arguments: what is no code is not refused") {
  const Words rows[] = {{"sh", "-c", "echo \"$1\"", "sh", "{x}"},
                        {"sh", "-c", "wc -l -- \"$@\"", "sh", "{files}"},
                        {"env", "A={x}", "sh", "-c", "echo \"$A\""},
                        {"python3", "-c", "import sys; print(sys.argv[1])", "{x}"},
                        {"perl", "-e", "print @ARGV", "--", "{x}"},
                        {"{env.TOOL}", "{x}"},
                        {"sh", "-c", "{env.COMMAND}", "sh", "{x}"},
                        {"echo", "; $({x}) `{x}` '"},
                        {"echo", "eval", "{x}"},
                        {"git", "checkout", "{x}"},
                        {"timeout", "5", "ls", "{x}"},
                        {"xargs", "-0", "-a", "{files_file}", "sh", "-c", "ls \"$@\"", "sh"},
                        {"sh", "-c", "made up of `nothing"},
                        {"{env.TOOL}"}};
  for (const Words& row : rows) CHECK_MESSAGE(refused(row) == -1, shown(row));
}

TEST_CASE("arguments: a refusal names the template and a way out that holds") {
  const auto shell = hark::check_arguments(parsed({"sh", "-c", "echo {payload.x}"}));
  REQUIRE(shell);
  CHECK(shell->error.message == "{payload.x} cannot stand here: sh would parse the value as program text");
  CHECK(shell->error.cure.find(R"(["sh", "-c", 'echo "$1"', "sh", "{payload.x}"])") != std::string::npos);
  const auto program = hark::check_arguments(parsed({"{env.A}{payload.x}"}));
  REQUIRE(program);
  CHECK(program->error.message == "{payload.x} cannot stand here: a value here would choose the program");
  CHECK(hark::check_arguments({Template::parse("ls"), Template::parse(std::string("{x}\0", 4))})->argument == 1);
}

TEST_CASE("arguments: a list is several arguments, but one where a second would be an option or a program") {
  const Json values = {{"l", {"a", "b"}}, {"none", Json::array()}, {"x", "v"}};
  CHECK(rendered({"ls", "{l}", "{none}", "{x}", "-{l}"}, values) == Words{"ls", "a", "b", "v", "-a b"});
  CHECK(rendered({"sudo", "-u", "{l}", "ls", "{l}"}, values) == Words{"sudo", "-u", "a b", "ls", "a", "b"});
  CHECK(rendered({"python3", "-W", "{none}", "tool.py", "{x}"}, values) == Words{"python3", "-W", "", "tool.py", "v"});
  CHECK(rendered({"find", ".", "-name", "{l}"}, values) == Words{"find", ".", "-name", "a b"});
  CHECK(rendered({"sh", "-c", "{x}"}, values).front().find("cannot stand here") != std::string::npos);
}

TEST_CASE("arguments: event data in a variable that chooses code is refused") {
  CHECK_FALSE(hark::check_variable("PATH", Template::parse("/bin:{payload.x}")).ok());
  CHECK_FALSE(hark::check_variable("LD_LIBRARY_PATH", Template::parse("{payload.x}")).ok());
  CHECK(hark::check_variable("PATH", Template::parse("/opt/bin:{env.PATH}")).ok());
  CHECK(hark::check_variable("REF", Template::parse("{payload.x}")).ok());
}

TEST_CASE("arguments: in random lists a value is refused or is part of an argument, never of a program's text") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const Words pieces = {"sh",   "bash", "-c",       "-ec",  "env",   "sudo",  "-u",   "timeout", "5",   "A=b",
                        "--",   "-",    "{x}",      "{x}",  "a{x}",  "A={x}", "-{x}", "--{x}",   "ls",  "python3",
                        "-I%",  "%",    "-I",     "xargs", "find", "-exec", "{{}}",  "{l}",  "-x",      "+",   "",
                        "nice", "-n",   "echo {x}", "awk",  "-f",    "-v",    "sed",  "busybox", "exec"};
  const std::string value = "VALUE";
  const Json values = {{"x", value}, {"l", {value, value}}};
  int accepted = 0;
  for (int round = 0; round < hark::test::rounds(40000); ++round) {
    Words words;
    for (unsigned count = 1 + random() % 7; count > 0; --count) words.push_back(pieces[random() % pieces.size()]);
    CAPTURE(shown(words));
    if (const auto problem = hark::check_arguments(parsed(words))) {
      const std::string& word = words.at(problem->argument);
      CHECK((word == "{{}}" || !Template::parse(word).constant()));
      continue;
    }
    ++accepted;
    const Words argv = rendered(words, values);
    if (argv.empty()) continue;
    CHECK(argv.front().find(value) == std::string::npos);
    // A plain shell at the front: the text that it takes has no value in it, however its options are written.
    if (argv.front() != "sh" && argv.front() != "bash") continue;
    bool code = false;
    for (std::size_t i = 1; i < argv.size(); ++i) {
      if (argv[i] == "--" || argv[i] == "-" || !argv[i].starts_with('-')) {
        const std::size_t text = argv[i] == "--" || argv[i] == "-" ? i + 1 : i;
        if (code && text < argv.size()) CHECK(argv[text].find(value) == std::string::npos);
        break;
      }
      CHECK(argv[i].find(value) == std::string::npos);
      code = code || argv[i].find('c') != std::string::npos;
    }
  }
  CHECK(accepted >= hark::test::rounds(1000));
}
