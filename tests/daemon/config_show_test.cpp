#include "daemon/config_show.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/daemon/config_support.h"

using namespace hark;
using namespace hark::test;

namespace {

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

const std::filesystem::path kFolder = std::filesystem::path(HARK_SOURCE_DIR) / "tests/golden/config_show";

LoadedConfig rich() {
  ConfigRequest request;
  request.working_directory = kFolder;
  request.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "WEBHOOK_SECRET") return "h1dden-secret";
    if (name == "LINK_TOKEN") return "h1dden-token";
    return std::nullopt;
  };
  ConfigOutcome outcome = load_config(request);
  INFO(joined(texts(outcome)));
  REQUIRE(outcome.loaded.has_value());
  return std::move(*outcome.loaded);
}

}  // namespace

TEST_CASE("config show: every value, its origin, and no secret (tests/golden/config_show)") {
  const std::string shown = config_show_text(rich());
  if (std::getenv("HARK_UPDATE_GOLDEN") != nullptr) std::ofstream(kFolder / "expected.toml", std::ios::binary) << shown;
  CHECK(shown == read_text(kFolder / "expected.toml"));
  for (const char* secret : {"h1dden", "in plain sight", "abc", "password", "Bearer", "\"y\"", "\"z\""}) {
    INFO(secret);
    CHECK(shown.find(secret) == std::string::npos);
  }
}

TEST_CASE("config show: what is shown is a configuration again") {
  ConfigFolder folder;
  std::string shown = config_show_text(rich());
  shown.erase(0, shown.find('\n') + 1);  // extends
  const LoadedConfig again = folder.good(shown);
  const LoadedConfig once = rich();
  REQUIRE(again.values.size() == once.values.size() - 1);
  for (std::size_t i = 0; i < again.values.size(); ++i) {
    INFO(once.values[i + 1].key);
    CHECK(again.values[i].key == once.values[i + 1].key);
    CHECK(again.values[i].value == once.values[i + 1].value);
  }
}

TEST_CASE("config show: JSON says the same") {
  const LoadedConfig config = rich();
  const nlohmann::json json = config_show_json(config);
  CHECK(json["file"] == (kFolder / "hark.toml").string());
  CHECK(json["warnings"].size() == config.warnings.size());
  REQUIRE(json["values"].size() == config.values.size());
  CHECK(json["values"][0] == nlohmann::json{{"key", "extends"}, {"value", "\"base.toml\""}, {"origin", "hark.toml:1"}});
  CHECK(json.dump().find("h1dden") == std::string::npos);
}

TEST_CASE("config show: names that promise a secret") {
  for (const char* secret :
       {"secret", "WEBHOOK_SECRET", "Authorization", "Proxy-Authorization", "X-Api-Key", "api_key", "X-Gitlab-Token", "token",
        "PASSWORD", "PGPASSWD", "Cookie", "AWS_ACCESS_KEY", "private_key", "apikey", "webhook_url", "SLACK_WEBHOOK"}) {
    INFO(secret);
    CHECK(is_secret_name(secret));
  }
  for (const char* plain : {"secret_file", "credential", "path", "CI", "Accept", "signature_header", "keyboard", "text", "update_key", "webhook_url_file"}) {
    INFO(plain);
    CHECK_FALSE(is_secret_name(plain));
  }
}
