#include "daemon/config_difference.h"

#include <nlohmann/json.hpp>

#include "tests/daemon/config_support.h"

using namespace hark;
using namespace hark::test;

namespace {

// What the second configuration changes of the first. Both lie in one folder, as before and after an edit.
ConfigDifference between(const ConfigFolder& folder, const std::string& running, const std::string& wanted) {
  const auto before = folder.good(running);
  return difference(before.settings, folder.good(wanted).settings);
}

ConfigDifference between(const std::string& running, const std::string& wanted) { return between(ConfigFolder(), running, wanted); }

std::string source(const std::string& name, const std::string& rest) { return "[[sources]]\nname = \"" + name + "\"\n" + rest + "\n"; }

}  // namespace

TEST_CASE("config difference: the same configuration is none, however it is written") {
  const std::string text = "drain_timeout = \"60s\"\nsources = [{ name = \"f\", type = \"file_change\", path = \"src\", handler = \"a\" }]\n[handlers.a]\nrun = \"true\"\n";
  const auto found = between(text, "# a word\ndrain_timeout = \"1m\"\n[handlers.a]\nrun = \"true\"\n[[sources]]\nname = \"f\"\nhandler = \"a\"\npath = \"src\"\ntype = \"file_change\"\n");
  CHECK(found.empty());
  CHECK(to_text(found) == "nothing");
}

TEST_CASE("config difference: sources and handlers that come, change and go") {
  const auto found = between("[handlers]\nx.run = \"true\"\ny.run = \"true\"\nz.run = \"true\"\n" + source("same", "type = \"schedule\"\ncron = \"@daily\"\nhandler = \"x\"") +
                                 source("b", "type = \"schedule\"\ncron = \"@daily\"\nhandler = \"x\"") + source("c", "type = \"manual\"\nhandler = \"x\""),
                             "[handlers]\nx.run = \"false\"\ny.run = \"true\"\nw.run = \"true\"\n" + source("a", "type = \"manual\"\nhandler = \"x\"") +
                                 source("same", "type = \"schedule\"\ncron = \"@daily\"\nhandler = \"x\"") + source("b", "type = \"schedule\"\ncron = \"@daily\"\nhandler = \"y\""));
  CHECK(to_text(found) == "sources: +a, ~b, -c; handlers: +w, ~x, -z");
  CHECK(found.refused.empty());
  CHECK(to_json(found)["sources"]["added"] == nlohmann::json{"a"});
}

TEST_CASE("config difference: every kind of option counts") {
  const std::string handler = "[handlers.a]\nrun = \"true\"\n";
  const auto changed = [&](const std::string& type, const std::string& before, const std::string& after, const std::string& besides = "") {
    INFO(type << ": " << before << " -> " << after);
    const auto start = "type = \"" + type + "\"\nhandler = \"a\"\n";
    CHECK(to_text(between(handler + source("s", start + before), handler + source("s", start + after))) == "sources: ~s" + besides);
  };
  changed("file_change", "path = \"src\"", "path = \".\"");
  changed("file_change", "path = \"src\"", "path = \"src\"\npattern = [\"*.c\"]");
  changed("file_change", "path = \"src\"", "path = \"src\"\ndebounce_ms = 7");
  changed("git_push", "repository = \".\"", "repository = \".\"\nbranches = [\"main\"]");
  changed("webhook", "path = \"/a\"\nunsigned = true", "path = \"/a\"\nsecret = \"s\"", "; settings: secrets");
  changed("webhook", "path = \"/a\"\nunsigned = true", "path = \"/a\"\nunsigned = true\nrate_limit = \"1/s\"");
  changed("schedule", "cron = \"@daily\"", "cron = \"@daily\"\ntimezone = \"UTC\"");
  changed("manual", "", "where = \"payload.x:1\"");
  changed("manual", "", "key = \"{payload.x}\"");

  for (const char* more : {"timeout = \"1s\"", "max_concurrent = 2", "environment = { A = \"{payload.x}\" }", "on_busy = \"drop\"", "if = \"payload.x:1\"",
                           "retry = { attempts = 2 }", "breaker = { failures = 3 }"}) {
    INFO(more);
    CHECK(to_text(between(handler, handler + more + "\n")) == "handlers: ~a");
  }
}

TEST_CASE("config difference: another content of a secret's file is a change") {
  ConfigFolder folder;
  const auto text = "[handlers.a]\nrun = \"true\"\n" + source("s", "type = \"webhook\"\npath = \"/s\"\nsecret_file = \"secret\"\nhandler = \"a\"");
  folder.write("secret", "one");
  const auto before = folder.good(text);
  folder.write("secret", "two");
  const auto found = difference(before.settings, folder.good(text).settings);
  CHECK(to_text(found) == "sources: ~s; settings: secrets");
  CHECK(to_json(found).dump().find("two") == std::string::npos);
}

TEST_CASE("config difference: keys that can change are named, those that cannot are refused") {
  const std::string a = kHandlerA;
  const auto keys = between(a, "max_concurrent_handlers = 7\nqueue_limit = 8\nqueue_overflow = \"drop\"\nretention = \"1h\"\nretention_events = 9\n"
                               "dead_letter_retention = \"2d\"\nwebhook_host = \"::1\"\nwebhook_port = 0\ndrain_timeout = \"1s\"\nlog_level = \"warn\"\nreload = \"auto\"\n" + a);
  CHECK(to_text(keys) == "settings: max_concurrent_handlers, queue_limit, queue_overflow, retention, retention_events, dead_letter_retention, webhook_host, "
                         "webhook_port, drain_timeout, log_level, reload");
  CHECK(keys.refused.empty());
  CHECK(to_text(between(a, "webhook_port = 8080\n" + a)) == "settings: webhook_port");  // the port of before, but now it is listened on

  const auto refused = between(a, "mode = \"one-shot\"\nstate_file = \"s.json\"\njournal_file = \"j.db\"\npersist_last_run = false\nlog_format = \"json\"\nlog_file = \"l\"\n" + a);
  CHECK(to_text(refused) == "nothing");
  CHECK_FALSE(refused.empty());
  REQUIRE(refused.refused.size() == 6);
  CHECK(refused.refused[2] == "journal_file: needs a restart (the work that waits is in the old journal)");
}

TEST_CASE("config difference: another file is not the same configuration, whatever it says") {
  ConfigFolder folder;
  const auto here = folder.good(kHandlerA);
  std::filesystem::remove(folder.path() / "hark.toml");
  folder.write("xdg/hark/hark.toml", kHandlerA);
  const auto elsewhere = folder.load();
  REQUIRE(elsewhere.loaded);
  const auto found = difference(here.settings, elsewhere.loaded->settings);
  REQUIRE_FALSE(found.refused.empty());
  CHECK(found.refused[0].find((folder.path() / "hark.toml").string()) != std::string::npos);
}

TEST_CASE("config difference: another provider is another handler, for those that ask it") {
  ConfigFolder folder;
  const std::string handlers = "[handlers.asks]\nprompt = \"x\"\nprovider = \"p\"\n[handlers.runs]\nrun = \"true\"\n";
  const auto before = folder.good("[providers.p]\ntype = \"command\"\ncommand = \"one\"\n" + handlers).settings;
  const auto after = folder.good("[providers.p]\ntype = \"command\"\ncommand = \"two\"\n" + handlers).settings;
  const auto found = difference(before, after);
  CHECK(found.handlers.changed == std::vector<std::string>{"asks"});
  CHECK(found.keys == std::vector<std::string>{"providers"});
  CHECK(found.refused.empty());
}

TEST_CASE("config: the files that took part are told, also where they are wrong") {
  ConfigFolder folder;
  folder.write("base.toml", kHandlerA);
  CHECK(folder.load("extends = \"./base.toml\"\n").files == std::vector<std::filesystem::path>{folder.path() / "hark.toml", folder.path() / "base.toml"});
  folder.write("base.toml", "[");
  const auto broken = folder.load("extends = \"./base.toml\"\n");
  CHECK_FALSE(broken.loaded);
  CHECK(broken.files.size() == 2);
}

TEST_CASE("config difference: hooks that come, change and go") {
  const std::string handler = "[handlers.a]\nrun = \"true\"\n";
  const auto hook = [](const std::string& name, const std::string& more) { return "[[hooks]]\nname = \"" + name + "\"\non = \"run:*\"\n" + more + "\n"; };
  const auto found = between(handler + hook("same", "run = \"x\"") + hook("b", "run = \"x\"") + hook("c", "run = \"x\""),
                             handler + hook("same", "run = \"x\"") + hook("a", "run = \"x\"") + hook("b", "run = \"x\"\ntimeout = \"6s\""));
  CHECK(to_text(found) == "hooks: +a, ~b, -c");
  CHECK_FALSE(found.empty());
}
