// Which file is read, and how one is laid on another.
#include "tests/daemon/config_support.h"

using namespace hark;
using namespace hark::test;
using namespace std::chrono_literals;

namespace {

std::string only_error(const ConfigOutcome& outcome) {
  INFO(joined(texts(outcome)));
  REQUIRE(outcome.errors.size() == 1);
  return outcome.errors[0].text();
}

LoadedConfig loaded(ConfigOutcome outcome) {
  INFO(joined(texts(outcome)));
  REQUIRE(outcome.loaded.has_value());
  return std::move(*outcome.loaded);
}

bool holds(const std::string& text, const std::string& word) { return text.find(word) != std::string::npos; }

std::string origin(const LoadedConfig& config, const std::string& key) {
  for (const ConfigValue& value : config.values) {
    if (value.key == key) return value.value + " " + value.origin;
  }
  return "no such key";
}

const std::string kOne = "handlers.a.run = \"true\"\n";

}  // namespace

TEST_CASE("config file: ./hark.toml comes before the user's") {
  ConfigFolder folder;
  folder.write("xdg/hark/hark.toml", kOne + "queue_limit = 2\n");
  CHECK(loaded(folder.load()).settings.queue_limit == 2);
  CHECK(loaded(folder.load()).settings.file == folder.path() / "xdg/hark/hark.toml");
  CHECK(loaded(folder.load()).settings.journal_file == folder.path() / "xdg/hark/.hark/journal.db");
  folder.write("hark.toml", kOne + "queue_limit = 1\n");
  CHECK(loaded(folder.load()).settings.queue_limit == 1);
}

TEST_CASE("config file: a relative XDG_CONFIG_HOME is ignored, HOME/.config stands in") {
  ConfigFolder folder;
  folder.environment = {{"XDG_CONFIG_HOME", "xdg"}, {"HOME", (folder.path() / "home").string()}};
  folder.write("xdg/hark/hark.toml", kOne + "queue_limit = 2\n");
  folder.write("home/.config/hark/hark.toml", kOne + "queue_limit = 3\n");
  CHECK(loaded(folder.load()).settings.queue_limit == 3);
}

TEST_CASE("config file: --config names one, relative to the working directory, its paths to its own folder") {
  ConfigFolder folder;
  folder.write("conf/my.toml", kOne + "log_file = \"x.log\"\nbroken = 1\n");
  ConfigRequest request = folder.request();
  request.file = "conf/my.toml";
  CHECK(only_error(load_config(request)).find("conf/my.toml:3:1: broken: unknown key") == 0);
  folder.write("conf/my.toml", kOne + "log_file = \"x.log\"\n");
  CHECK(loaded(load_config(request)).settings.log_file == folder.path() / "conf/x.log");
  CHECK(loaded(load_config(request)).settings.handlers[0].working_directory == (folder.path() / "conf").string());
  request.file = "conf/none.toml";
  CHECK(only_error(load_config(request)) == "no such file: conf/none.toml");
  request.profile = "x";
  CHECK(holds(only_error(load_config(request)), "expected one of them"));
}

TEST_CASE("config file: the journal's place is known whatever else is wrong, unless it is itself") {
  ConfigFolder folder;
  const auto place = [&](const std::string& text) {
    const auto outcome = folder.load(text);
    CHECK_FALSE(outcome.loaded.has_value());
    return outcome.journal_file.lexically_relative(folder.path()).string();
  };
  CHECK(place("moed = 1\njournal_file = \"j/a.db\"\n") == "j/a.db");
  CHECK(place("log_file = \"${NOT_SET}\"\n" + kOne) == ".hark/journal.db");
  CHECK(place("journal_file = \"${NOT_SET}\"\n" + kOne).empty());
  CHECK(place("journal_file = 7\n" + kOne).empty());
  CHECK(place("journal_file = \"\"\n" + kOne).empty());
  CHECK(place("journal_file = \n").empty());
  CHECK(place(kOne + "x = [\njournal_file = \"j/a.db\"\n").empty());
  // What is no TOML, further down: it stands where it stood.
  CHECK(place("journal_file = \"j/a.db\"\n" + kOne + "[handlers.b]\nrun = \"echo\n") == "j/a.db");
  CHECK(place("journal_file = \"j/a.db\"\n" + kOne + "[handlers.b]\nx = [\n  1,\n  2,\n") == "j/a.db");
  CHECK(place(kOne + "[handlers.one]\n" + kOne) == ".hark/journal.db");
  CHECK(place("extends = \"./gone.toml\"\njournal_file = \"j/a.db\"\n" + kOne) == "j/a.db");
}

TEST_CASE("config file: none found says where was looked, and how to begin") {
  ConfigFolder folder;
  const std::string error = only_error(folder.load());
  CHECK(holds(error, (folder.path() / "hark.toml").string()));
  CHECK(holds(error, (folder.path() / "xdg/hark/hark.toml").string()));
  CHECK(holds(error, "/etc/hark/hark.toml"));
  CHECK(holds(error, "[handlers.test]"));
  // The example works.
  CHECK(folder
            .load("sources = [{ type = \"file_change\", path = \"src\", handler = \"test\" }]\n[handlers.test]\nrun = \"make "
                  "test\"\n")
            .errors.empty());
}

TEST_CASE("config file: one that is there and cannot be read is an error, not a reason to take another") {
  ConfigFolder folder;
  std::filesystem::create_directories(folder.path() / "hark.toml");
  folder.write("xdg/hark/hark.toml", kOne);
  CHECK(holds(only_error(folder.load()), "hark.toml"));
}

TEST_CASE("profiles: found in ./profiles first, then the user's; paths belong to the working directory") {
  ConfigFolder folder;
  folder.write("xdg/hark/profiles/tdd.toml", kOne + "queue_limit = 2\nlog_file = \"x.log\"\n");
  LoadedConfig config = loaded(folder.load_profile("tdd"));
  CHECK(config.settings.queue_limit == 2);
  CHECK(config.settings.log_file == folder.path() / "x.log");
  CHECK(config.settings.journal_file == folder.path() / ".hark/journal.db");
  CHECK(config.settings.handlers[0].working_directory == folder.path().string());
  CHECK(config.settings.file == folder.path() / "xdg/hark/profiles/tdd.toml");
  folder.write("profiles/tdd.toml", kOne + "queue_limit = 1\n");
  CHECK(loaded(folder.load_profile("tdd")).settings.queue_limit == 1);
}

TEST_CASE("profiles: an unknown one names the nearest and the folders") {
  ConfigFolder folder;
  folder.write("profiles/review.toml", kOne);
  const std::string error = only_error(folder.load_profile("reveiw"));
  CHECK(holds(error, "; did you mean `review`?"));
  CHECK(holds(error, (folder.path() / "profiles").string()));
  CHECK(holds(error, "/etc/hark/profiles"));
  for (const char* bad : {"../x", "", ".hidden", "a/b", "a\nb"}) {
    INFO(bad);
    CHECK(holds(only_error(folder.load_profile(bad)), "a profile's name is one word"));
  }
}

TEST_CASE("extends: tables merge key by key, lists by name, other values are replaced") {
  ConfigFolder folder;
  folder.write("base.toml", R"(
queue_limit = 5
log_level = "debug"
[[sources]]
name = "code"
type = "file_change"
path = "src"
pattern = ["*.c", "*.h"]
handler = "test"
[[sources]]
type = "manual"
[handlers.test]
timeout = "5m"
environment = { A = "1", B = "2" }
steps = [ { name = "one", run = "1" }, { name = "two", run = "2", timeout = "1s" } ]
)");
  const LoadedConfig config = folder.good(R"(extends = "base.toml"
queue_limit = 6
[[sources]]
name = "code"
pattern = "*.py"
[[sources]]
name = "weekly"
type = "schedule"
cron = "@weekly"
handler = "test"
[handlers.test]
environment = { B = "3", C = "4" }
steps = [ { name = "two", run = "two" }, { name = "three", run = "3" } ]
[handlers.other]
run = "x"
)");
  const Settings& settings = config.settings;
  CHECK(settings.queue_limit == 6);
  CHECK(settings.log_level == "debug");
  REQUIRE(settings.sources.size() == 3);
  CHECK(settings.sources[0].name == "code");
  CHECK(std::get<FileWatcherOptions>(settings.sources[0].options).patterns == std::vector<std::string>{"*.py"});
  CHECK(settings.sources[1].name == "manual");
  CHECK(settings.sources[2].name == "weekly");
  REQUIRE(settings.handlers.size() == 2);
  const Handler& test = settings.handlers[0];
  CHECK(test.timeout == Duration(5min));
  REQUIRE(test.environment.size() == 3);
  CHECK(test.environment[1].second.text() == "3");
  REQUIRE(test.steps.size() == 3);
  CHECK(std::get<RunStepOptions>(test.steps[1].kind).script.text() == "two");
  CHECK(test.steps[1].timeout == Duration(1s));
  CHECK(test.steps[2].name == "three");

  CHECK(origin(config, "queue_limit") == "6 hark.toml:2");
  CHECK(origin(config, "log_level") == "\"debug\" base.toml:3");
  CHECK(origin(config, "sources.code.path") == "\"src\" base.toml:7");
  CHECK(origin(config, "sources.code.pattern") == "[\"*.py\"] hark.toml:5");
  CHECK(origin(config, "handlers.test.steps.two.timeout") == "\"1s\" base.toml:15");
  CHECK(origin(config, "mode") == "\"daemon\" default");
}

TEST_CASE("extends: an error in a lower layer is told at its own place, after those of the upper one") {
  ConfigFolder folder;
  folder.write("base.toml", "[handlers.a]\nrun = \"x\"\ntimeout = 5\n");
  const auto outcome = folder.load("extends = \"./base.toml\"\nmode = \"x\"\n");
  REQUIRE(outcome.errors.size() == 2);
  CHECK(outcome.errors[0].text().find("hark.toml:2:8: mode: ") == 0);
  CHECK(outcome.errors[1].text().find("base.toml:3:11: handlers.a.timeout: ") == 0);
}

TEST_CASE("extends: the other way to say a thing takes the place of the first") {
  ConfigFolder folder;
  folder.write("base.toml", R"(
[[sources]]
name = "hook"
type = "webhook"
path = "/x"
secret = "${UNSET_IN_TESTS}"
debounce_ms = 5
handlers = ["a", "b"]
[handlers.a]
run = "x"
[handlers.b]
steps = [{ name = "s", run = "x" }]
)");
  const Settings settings = folder
                                .good(R"(
extends = "base.toml"
[[sources]]
name = "hook"
unsigned = true
debounce = "1s"
handler = "a"
[handlers.a]
steps = [{ run = "y" }, { run = "z" }]
[handlers.b]
http = { url = "http://x" }
)")
                                .settings;
  CHECK(std::get<WebhookOptions>(settings.sources[0].options).unsigned_ok);
  CHECK(settings.sources[0].rule.debounce == 1s);
  CHECK(settings.sources[0].rule.handlers == std::vector<std::string>{"a"});
  CHECK(settings.handlers[0].steps.size() == 2);
  CHECK(std::holds_alternative<HttpStepOptions>(settings.handlers[1].steps[0].kind));
}

TEST_CASE("extends: steps without names are replaced as a whole, and that is said") {
  ConfigFolder folder;
  folder.write("base.toml", "handlers.a.steps = [{ run = \"1\" }, { run = \"2\" }]\n");
  const LoadedConfig config =
      folder.good("extends = \"base.toml\"\nsources = [{ type = \"manual\" }]\nhandlers.a.steps = [{ run = \"3\" }]\n");
  CHECK(config.settings.handlers[0].steps.size() == 1);
  REQUIRE(config.warnings.size() == 1);
  CHECK(config.warnings[0].find("hark.toml:3:20: `steps` replaces those of base.toml:1") == 0);
}

TEST_CASE("extends: a name given twice in one layer is still an error") {
  ConfigFolder folder;
  folder.write("base.toml", "handlers.a.run = \"x\"\nsources = [{ name = \"m\", type = \"manual\" }]\n");
  const auto outcome = folder.load(
      "extends = \"base.toml\"\n[[sources]]\nname = \"m\"\ntype = \"manual\"\n[[sources]]\nname = \"m\"\ntype = \"manual\"\n");
  CHECK(only_error(outcome).find("hark.toml:6:8: sources.m.name: a second source of this name") == 0);
}

TEST_CASE("extends: relative paths stay with the file that names them") {
  ConfigFolder folder;
  folder.write("shared/base.toml",
               "log_file = \"base.log\"\nhandlers.a.run = \"x\"\nhandlers.b = { run = \"x\", working_directory = \"../src\" }\n");
  const Settings settings = folder.good("extends = \"shared/base.toml\"\nstate_file = \"s.json\"\n").settings;
  CHECK(settings.log_file == folder.path() / "shared/base.log");
  CHECK(settings.state_file == folder.path() / "s.json");
  CHECK(settings.journal_file == folder.path() / ".hark/journal.db");
  CHECK(settings.handlers[0].working_directory == folder.path().string());
  CHECK(settings.handlers[1].working_directory == (folder.path() / "src").string());
}

TEST_CASE("extends: a profile by name, from a file and from a profile") {
  ConfigFolder folder;
  folder.write("profiles/base.toml", kOne + "queue_limit = 1\nlog_file = \"x.log\"\n");
  folder.write("profiles/mine.toml", "extends = \"base\"\nqueue_limit = 2\n");
  folder.write("xdg/hark/profiles/far.toml", "extends = \"mine\"\n");
  const LoadedConfig config = loaded(folder.load_profile("far"));
  CHECK(config.settings.queue_limit == 2);
  CHECK(config.settings.log_file == folder.path() / "x.log");
  CHECK(origin(config, "log_file") == "\"x.log\" profiles/base.toml:3");
  // A profile that a file elsewhere stands on is brought to that file's folder.
  folder.write("sub/hark.toml", "extends = \"base\"\n");
  ConfigRequest request = folder.request();
  request.file = "sub/hark.toml";
  CHECK(loaded(load_config(request)).settings.log_file == folder.path() / "sub/x.log");
}

TEST_CASE("extends: what cannot be followed is told at the word") {
  ConfigFolder folder;
  const auto error = [&](const std::string& text) { return only_error(folder.load(text)); };
  CHECK(error("x = 1\nextends = \"missing.toml\"\n").find("hark.toml:2:11: extends: no such file: missing.toml") == 0);
  CHECK(error("extends = \"nowhere\"\n").find("hark.toml:1:11: extends: no profile `nowhere`") == 0);
  CHECK(holds(error("extends = 5\n"),
              "hark.toml:1:11: extends: expected a profile's name or a path as a string, found an integer"));
  CHECK(holds(error("extends = \"\"\n"), "empty"));
  CHECK(holds(error("extends = \"${NO_SUCH}\"\n"), "hark.toml:1:11: extends: the environment variable NO_SUCH is not set"));
  folder.write("bad.toml", "x = \n");
  CHECK(error("extends = \"bad.toml\"\n").find("bad.toml:1:") == 0);
}

TEST_CASE("extends: a circle shows the chain") {
  ConfigFolder folder;
  folder.write("b.toml", "extends = \"./c.toml\"\n");
  folder.write("c.toml", "extends = \"./hark.toml\"\n");
  CHECK(only_error(folder.load("extends = \"b.toml\"\n")) ==
        "c.toml:1:11: extends: goes round in a circle: hark.toml -> b.toml -> c.toml -> hark.toml");
  CHECK(holds(only_error(folder.load("extends = \"hark.toml\"\n")), "hark.toml -> hark.toml"));
}

TEST_CASE("extends: a chain has an end") {
  ConfigFolder folder;
  for (int i = 0; i < 40; ++i)
    folder.write("l" + std::to_string(i) + ".toml", "extends = \"l" + std::to_string(i + 1) + ".toml\"\n");
  CHECK(holds(only_error(folder.load("extends = \"l0.toml\"\n")), "more than 16 files"));
}

TEST_CASE("extends: a step that does another thing keeps its name and its limits, and none of what it did") {
  ConfigFolder folder;
  folder.write("profiles/base.toml", R"(
[handlers.a]
steps = [
  { name = "tell", tool = "forge", provider = "github", repository = "a/b", action = "comment", body = "x", on = "1", token = "t", timeout = "5m", if = "payload.x:1" },
  { name = "keep", tool = "file", action = "write", path = "a", content = "b" },
]
[handlers.b]
prompt = "x"
max_concurrent = 2
[handlers.c]
set = { run = "x", data = "y" }
)");
  const auto config = loaded(folder.load(R"(
extends = "base"
[handlers.a]
steps = [{ name = "tell", run = "true" }, { name = "keep", path = "c" }]
[handlers.b]
run = "true"
[handlers.c]
set = { http = "z" }
)"));
  const auto& handlers = config.settings.handlers;
  const auto& tell = handlers.at(0).steps.at(0);
  CHECK(std::holds_alternative<RunStepOptions>(tell.kind));
  CHECK(tell.timeout == std::chrono::minutes(5));
  CHECK(tell.condition.text() == "payload.x:1");
  const auto& keep = std::get<FileStepOptions>(handlers.at(0).steps.at(1).kind);
  CHECK(keep.path.text() == "c");
  CHECK(keep.content.text() == "b");
  CHECK(std::holds_alternative<RunStepOptions>(handlers.at(1).steps.at(0).kind));
  CHECK(handlers.at(1).max_concurrent == 2);
  CHECK(std::get<SetStepOptions>(handlers.at(2).steps.at(0).kind).values.size() == 3);
}

TEST_CASE("extends: a variable that the upper layer overrides need not be set") {
  ConfigFolder folder;
  folder.write("base.toml", "log_file = \"${NO_SUCH}\"\nhandlers.a.run = \"x\"\n");
  CHECK(folder.good("extends = \"base.toml\"\nlog_file = \"y.log\"\n").settings.log_file == folder.path() / "y.log");
}
