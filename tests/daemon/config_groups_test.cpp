// Recipes in files of their own, and steps within steps.
#include "tests/daemon/config_support.h"

using namespace hark;
using namespace hark::test;
using namespace std::chrono_literals;

namespace {

LoadedConfig loaded(ConfigOutcome outcome) {
  INFO(joined(texts(outcome)));
  REQUIRE(outcome.loaded.has_value());
  return std::move(*outcome.loaded);
}

const GroupStepOptions& group(const StepOptions& step) { return std::get<GroupStepOptions>(step.kind); }

const std::string kLint = R"(
description = "Looks for mistakes."
[parameters]
where = { default = "{src}", description = "which folder" }
how = {}
[[steps]]
name = "lint"
run = "lint $HOME {params.where} {params.how}"
[[steps]]
recipe = "deeper/tell"
with = { text = "{steps.lint.output} ${WHO}" }
)";
const std::string kTell = "parameters = { text = {} }\nsteps = [{ run = [\"echo\", \"{params.text}\"] }]\n";

}  // namespace

TEST_CASE("config recipe: its steps, with its parameters' values, from its own folder, and its file is watched") {
  ConfigFolder folder;
  folder.environment["WHO"] = "{me}";
  folder.write("recipes/lint.toml", kLint);
  folder.write("recipes/deeper/tell.toml", kTell);
  const auto outcome = folder.load("[handlers.a]\nrecipe = \"recipes/lint\"\nwith = { how = \"{payload.x}\" }\ntimeout = \"5m\"\n");
  CHECK(outcome.files.size() == 3);
  const auto config = loaded(outcome);
  const auto& lint = group(config.settings.handlers.at(0).steps.at(0));
  CHECK(lint.recipe == "recipes/lint");
  REQUIRE(lint.parameters.size() == 2);
  CHECK(lint.parameters[0].second.render([](std::string_view) { return nullptr; }) == "{src}");
  CHECK(lint.parameters[1].second.names() == std::vector<std::string>{"payload.x"});
  CHECK(std::get<RunStepOptions>(lint.steps.at(0).kind).script.text().find("$HOME") != std::string::npos);
  const auto& tell = group(lint.steps.at(1));
  CHECK(tell.parameters.at(0).second.text() == "{steps.lint.output} {{me}}");
  CHECK(tell.steps.at(0).name == "step1");
  for (const auto& value : config.values) CHECK(value.key.find("lint") == std::string::npos);
}

TEST_CASE("config recipe: what is wrong in its file, and what is wrong with how it is used, is told at its place") {
  ConfigFolder folder;
  folder.write("tell.toml", kTell);
  const auto wrong = [&](const std::string& text) { return joined(texts(folder.load(text))); };
  CHECK(wrong("[handlers.a]\nrecipe = \"tell\"\n") == "hark.toml:2:1: handlers.a.recipe: needs the parameter `text`; expected it in `with`\n");
  CHECK(wrong("[handlers.a]\nrecipe = \"tell\"\nwith = { text = \"x\", txet = \"y\" }\n") == "hark.toml:3:8: handlers.a.with: the recipe has no parameter `txet`; did you mean `text`?\n");
  folder.write("tell.toml", "parameters = { text = \"x\", y = { defualt = \"z\" } }\nstpes = []\nsteps = [{ run = \"echo {params.txet} {steps.a.output}\" }]\n");
  const auto found = texts(folder.load("[handlers.a]\nrecipe = \"tell\"\n"));
  INFO(joined(found));
  REQUIRE(found.size() == 6);
  CHECK(found[0].starts_with("hark.toml:2:1: handlers.a.recipe: needs the parameter `y`"));
  CHECK(found[1].starts_with("tell.toml:1:23: parameters.text: expected a table"));
  CHECK(found[2].starts_with("tell.toml:1:34: parameters.y.defualt: unknown key; did you mean `default`?"));
  CHECK(found[3].starts_with("tell.toml:2:1: stpes: unknown key; did you mean `steps`?"));
  CHECK(found[4].find("this recipe has no parameter 'txet'") != std::string::npos);
  CHECK(found[5].find("no step before this one is called 'a'") != std::string::npos);
  folder.write("tell.toml", "steps = [\n");
  CHECK(wrong("[handlers.a]\nrecipe = \"tell\"\n").starts_with("tell.toml:"));
}

TEST_CASE("config recipe: circles and towers are refused") {
  ConfigFolder folder;
  folder.write("a.toml", "steps = [{ recipe = \"b\" }]\n");
  folder.write("b.toml", "steps = [{ recipe = \"./x/../a.toml\" }]\n");
  const auto found = texts(folder.load("[handlers.h]\nrecipe = \"a\"\n"));
  REQUIRE(found.size() == 1);
  CHECK(found[0] == "b.toml:1:21: steps #1.recipe: goes round in a circle: a.toml -> b.toml -> a.toml");
  for (int i = 0; i < 10; ++i) folder.write("r" + std::to_string(i) + ".toml", "steps = [{ recipe = \"r" + std::to_string(i + 1) + "\" }]\n");
  const auto deep = texts(folder.load("[handlers.h]\nrecipe = \"r0\"\n"));
  REQUIRE(deep.size() == 1);
  CHECK(deep[0].find("more than 8 recipes within one another") != std::string::npos);
}

TEST_CASE("config groups: a handler's one step may be several at once, which its gates know by name") {
  ConfigFolder folder;
  folder.environment["WHO"] = "x";
  const auto config = loaded(folder.load(R"(
[handlers.a]
timeout = "2m"
parallel = [{ name = "one", run = "echo ${WHO}" }, { name = "two", http = { url = "http://${WHO}/" } }]
gates = [{ run = "test {steps.one.output} = x" }]
)"));
  const auto& step = config.settings.handlers.at(0).steps.at(0);
  CHECK(group(step).kind == GroupStepOptions::Kind::parallel);
  CHECK(std::get<RunStepOptions>(group(step).steps.at(0).kind).script.text().find("${WHO}") != std::string::npos);
  CHECK(std::get<HttpStepOptions>(group(step).steps.at(1).kind).url.text() == "http://x/");
  check_errors(folder.load("[handlers.a]\nparallel = [{ run = \"1\" }]\nrun = \"2\"\n"), {{"2:1", {"stands beside `run`"}}});
  check_errors(folder.load("[handlers.a]\nparallel = [{ run = \"1\" }]\nsteps = [{ run = \"2\" }]\n"), {{"2:1", {"stands beside `steps`"}}});
}

TEST_CASE("config groups: several at once are known by name behind them") {
  ConfigFolder folder;
  const auto config = loaded(folder.load(R"(
[handlers.a]
steps = [
  { name = "both", timeout = "1m", parallel = [{ name = "one", run = "1" }, { name = "two", run = "2", retry = { attempts = 2 } }] },
  { run = "echo {steps.one.output} {steps.both.state} {item.x}", foreach = "{steps.two.json.list}" },
]
)"));
  const auto& steps = config.settings.handlers.at(0).steps;
  CHECK(group(steps.at(0)).kind == GroupStepOptions::Kind::parallel);
  CHECK(group(steps.at(0)).steps.at(1).retry.attempts == 2);
  CHECK(steps.at(0).timeout == 1min);
  CHECK(steps.at(1).foreach.has_value());
  check_errors(folder.load("[handlers.a]\nsteps = [{ parallel = [{ name = \"one\", run = \"1\" }, { name = \"two\", run = \"echo {steps.one.output}\" }] }]\n"), {{"2:75", {"no step before this one is called 'one'"}}});
}
