// What a configuration makes a secret of: settings.secrets is what is masked.
#include <set>

#include "tests/daemon/config_support.h"

using namespace hark;
using namespace hark::test;

namespace {

using Texts = std::set<std::string>;

Texts secrets_of(const ConfigFolder& folder, const std::string& text) {
  const auto outcome = folder.load("handlers.a.run = 'true'\n" + text);
  REQUIRE(outcome.loaded);
  const auto& found = outcome.loaded->settings.secrets;
  return {found.begin(), found.end()};
}

}  // namespace

TEST_CASE("config secrets: what hark's own keys and their files hold, however short it is from 4 characters on") {
  ConfigFolder folder;
  folder.write("filed", "from-a-file\n");
  CHECK(secrets_of(folder, R"(
[providers.one]
type = "openai"
model = "m"
api_key = "sk-1"
[providers.two]
type = "anthropic"
model = "m"
api_key_file = "filed"
[[sources]]
type = "webhook"
path = "/x"
secret = ["hook", "hook-2"]
handler = "a"
)") == Texts{"sk-1", "from-a-file", "hook", "hook-2"});
}

TEST_CASE("config secrets: variables that are named, and those that are put in, by their names") {
  ConfigFolder folder;
  folder.environment = {{"MARKED", "marked-value"}, {"API_TOKEN", "token-value"}, {"PLACE", "placeholder"}, {"MODE_TOKEN", "basic"}};
  CHECK(secrets_of(folder, R"(
secrets = ["MARKED"]
[handlers.b]
run = "true"
environment = { A = "${API_TOKEN}", B = "x ${PLACE}", C = "${MODE_TOKEN}", PASSWORD = "password-1", KEY_FILE = "/etc/a-key-file", TOKEN = "{env.MARKED}" }
)") == Texts{"marked-value", "token-value", "password-1"});
}

TEST_CASE("config secrets: what stands in headers and in URLs") {
  ConfigFolder folder;
  CHECK(secrets_of(folder, R"(
[handlers.b]
http = { url = "https://user:pass-word@x.example/", headers = { Authorization = "Bearer abcdefgh" } }
)") == Texts{"pass-word", "Bearer abcdefgh", "abcdefgh"});
}

TEST_CASE("config secrets: a key that leaves the machine in plain text is warned of") {
  ConfigFolder folder;
  const auto warnings = [&](const std::string& address, const std::string& key) {
    const auto outcome = folder.load("handlers.a.run = 'true'\n[providers.one]\ntype = \"openai\"\nmodel = \"m\"\nbase_url = \"" + address + "\"\n" + key);
    REQUIRE(outcome.loaded);
    return outcome.loaded->warnings;
  };
  const std::string key = "api_key = \"secret-key\"\n";
  REQUIRE(warnings("http://llm.example/v1", key).size() == 1);
  CHECK(warnings("http://llm.example/v1", key)[0].find("hark.toml:5:12: providers.one.base_url: the key goes to llm.example as plain text") == 0);
  CHECK(warnings("https://llm.example/v1", key).empty());
  CHECK(warnings("http://127.0.0.1:8000/v1", key).empty());
  CHECK(warnings("http://llm.example/v1", "").empty());
}

TEST_CASE("config secrets: one that is too short to be masked is warned of, a variable that is not set hinted at") {
  ConfigFolder folder;
  folder.environment = {{"SHORT", "abc"}};
  const auto outcome = folder.load("secrets = [\"SHORT\", \"UNSET\"]\nhandlers.a.run = 'true'\n");
  REQUIRE(outcome.loaded);
  REQUIRE(outcome.loaded->warnings.size() == 1);
  CHECK(outcome.loaded->warnings[0].find("hark.toml:1:12: secrets: is shorter than 4 characters: it is not masked") == 0);
  const auto& hints = outcome.loaded->hints;
  CHECK(std::any_of(hints.begin(), hints.end(), [](const std::string& hint) { return hint.find("UNSET is not set here") != std::string::npos; }));
}
