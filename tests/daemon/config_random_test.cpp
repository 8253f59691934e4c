// Right configurations, damaged at random: whatever comes of it, nothing crashes, and every error has a place.
#include <fstream>
#include <iterator>
#include <random>

#include "daemon/config_show.h"
#include "tests/daemon/config_support.h"

using namespace hark;
using namespace hark::test;

namespace {

const std::vector<std::string> kSeeds = {
    R"toml(mode = "daemon"
max_concurrent_handlers = 2
queue_overflow = "drop"
retention = "7d"
log_file = "${NAME:-x}.log"
[[sources]]
name = "code"
type = "file_change"
path = "./src"
pattern = ["**/*.{py,c}", "!**/x"]
events = ["create", "modify"]
debounce_ms = 1000
debounce_max_ms = 10000
handler = "test"
where = "type:file_change,(a.b:>3|!c:)"
[handlers.test]
steps = [
  { name = "one", run = "ninja '{files}' \"{payload.a.0}\"", timeout = "5m", retry = { attempts = 3, backoff = "2s", max_backoff = "1m" } },
  { name = "two", http = { url = "http://x/{event.id}", json = { a = ["{steps.one.output}", 1.5, {}] } }, if = "steps.one.exit_code:0" },
]
environment = { CI = "1", N = "${NAME}" }
)toml",
    R"toml(extends = "base"
[[sources]]
type = "webhook"
path = "/hooks/x"
secret = ["${NAME}", "b"]
handlers = ["a", "b"]
[[sources]]
type = "schedule"
cron = "*/5 9-17 * * MON-FRI"
timezone = "Europe/Berlin"
catch_up = "all"
handler = "a"
[[sources]]
type = "git_push"
repository = "."
branches = "release/*"
handler = "b"
[handlers]
a.run = ["echo", "{payload.x}"]
b.http = { url = "https://x", headers = { A = "b" }, body = "{event.id}", expect = 200 }
)toml"};

const std::vector<std::string> kWords = {"\"",
                                         "'",
                                         "[",
                                         "]",
                                         "[[",
                                         "]]",
                                         "{",
                                         "}",
                                         "=",
                                         ".",
                                         "\n",
                                         "#",
                                         "\\u0000",
                                         "${",
                                         "${X}",
                                         "$$",
                                         "\"\"\"",
                                         "-1",
                                         "99999999999",
                                         "1e999",
                                         "nan",
                                         "true",
                                         "2026-01-01",
                                         "sources",
                                         "handlers",
                                         "steps",
                                         "name",
                                         "type",
                                         "http",
                                         "run",
                                         "\xff",
                                         "\xc3\xa9",
                                         std::string(1, '\0'),
                                         "extends = \"hark.toml\"\n",
                                         "[handlers.x]\n",
                                         "{steps.",
                                         "$(",
                                         "`",
                                         ",",
                                         "[[[[",
                                         "**"};

std::string damaged(std::string text, std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  for (std::size_t times = 1 + below(4); times > 0 && !text.empty(); --times) {
    const std::size_t at = below(text.size());
    const std::size_t length = std::min(1 + below(12), text.size() - at);
    switch (below(5)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, kWords[below(kWords.size())]);
        break;
      case 2:
        text.replace(at, length, kWords[below(kWords.size())]);
        break;
      case 3:
        text.insert(below(text.size()), text.substr(at, 4 * length));
        break;
      default:
        text[at] = static_cast<char>(below(256));
        break;
    }
  }
  return text;
}

}  // namespace

TEST_CASE("config: damaged files never crash it, and every error has a place") {
  const auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  ConfigFolder folder;
  folder.environment = {{"NAME", "v\"{al}ue"}};
  folder.write("profiles/base.toml", kSeeds[0]);
  for (const std::string& text : kSeeds) folder.good(text);
  int loaded = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = damaged(kSeeds[static_cast<std::size_t>(i) % kSeeds.size()], random);
    const ConfigOutcome outcome = folder.load(text);
    INFO("seed " << seed << ", file:\n" << text);
    REQUIRE(outcome.loaded.has_value() == outcome.errors.empty());
    for (const ConfigError& error : outcome.errors) {
      INFO(error.text());
      REQUIRE_FALSE(error.file.empty());
      REQUIRE(error.line >= 1);
      REQUIRE(error.column >= 1);
      REQUIRE_FALSE(error.message.empty());
    }
    if (outcome.loaded) {
      ++loaded;
      REQUIRE_FALSE(config_show_text(*outcome.loaded).empty());
    }
  }
  CHECK(loaded > 0);
}
