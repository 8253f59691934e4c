// A folder with configuration files in it, an environment of its own, and what loading them says.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "tests/support/temporary_folder.h"

namespace hark::test {

class ConfigFolder {
 public:
  ConfigFolder() { std::filesystem::create_directories(folder_ / "src"); }

  const std::filesystem::path& path() const { return folder_.path(); }
  void write(const std::string& name, const std::string& text) const {
    const auto file = folder_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }

  // XDG's folder lies within, so that no file of the machine's user takes part.
  ConfigRequest request() const {
    ConfigRequest request;
    request.working_directory = folder_.path();
    auto variables = environment;
    variables.try_emplace("XDG_CONFIG_HOME", (folder_ / "xdg").string());
    request.environment = [variables](const std::string& name) -> std::optional<std::string> {
      const auto at = variables.find(name);
      if (at == variables.end()) return std::nullopt;
      return at->second;
    };
    return request;
  }

  ConfigOutcome load() const { return load_config(request()); }
  ConfigOutcome load(const std::string& text) const {
    write("hark.toml", text);
    return load();
  }
  ConfigOutcome load_profile(const std::string& name) const {
    ConfigRequest asked = request();
    asked.profile = name;
    return load_config(asked);
  }
  // The settings of a configuration that must be right.
  LoadedConfig good(const std::string& text) const {
    ConfigOutcome outcome = load(text);
    for (const ConfigError& error : outcome.errors) MESSAGE(error.text());
    REQUIRE(outcome.errors.empty());
    REQUIRE(outcome.loaded.has_value());
    return std::move(*outcome.loaded);
  }

  std::map<std::string, std::string> environment;

 private:
  TemporaryFolder folder_;
};

inline std::vector<std::string> texts(const ConfigOutcome& outcome) {
  std::vector<std::string> out;
  for (const ConfigError& error : outcome.errors) out.push_back(error.text());
  return out;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

// One expected error: its place, and words that must be in it.
struct Wanted {
  std::string place;  // "3:8", in hark.toml
  std::vector<std::string> words;
};

inline void check_errors(const ConfigOutcome& outcome, const std::vector<Wanted>& wanted) {
  const std::vector<std::string> found = texts(outcome);
  INFO(joined(found));
  CHECK(outcome.loaded.has_value() == wanted.empty());
  CHECK(found.size() == wanted.size());
  for (std::size_t i = 0; i < std::min(found.size(), wanted.size()); ++i) {
    const std::string place = "hark.toml:" + wanted[i].place + ": ";
    INFO("expected at " << place);
    CHECK(found[i].substr(0, place.size()) == place);
    for (const std::string& word : wanted[i].words) {
      INFO("expected the words: " << word);
      CHECK(found[i].find(word) != std::string::npos);
    }
  }
}

// Sources and handlers that others refer to, on one line so that a test counts its own from the second.
inline const std::string kHandlerA = "handlers.a.run = \"true\"\n";

}  // namespace hark::test
