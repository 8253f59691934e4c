// What reading a configuration gathers on the way: every error with its place, what is worth a look (LoadedConfig tells warnings from hints), and every effective value.
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/limits.h"
#include "daemon/config.h"
#include "daemon/config_tree.h"

namespace hark {

class ConfigReport {
 public:
  void error(const ConfigPlace& place, std::string message);
  void warning(const ConfigPlace& place, std::string message);
  void hint(const ConfigPlace& place, std::string message);
  void value(ConfigValue value) {
    if (unshown_ == 0) values_.push_back(std::move(value));
  }
  // As long as it lives values are not kept: those of a file that is not shown.
  class Unshown {
   public:
    explicit Unshown(ConfigReport& report) : report_(report) { ++report_.unshown_; }
    ~Unshown() { --report_.unshown_; }
    Unshown(const Unshown&) = delete;
    Unshown& operator=(const Unshown&) = delete;

   private:
    ConfigReport& report_;
  };

  void secret(std::string value) { secrets_.push_back(std::move(value)); }

  bool ok() const { return errors_.empty(); }
  bool crowded() const { return errors_.size() >= limits::kConfigErrorsExplained; }
  // Sorted by place, each once.
  std::vector<ConfigError> take_errors();
  std::vector<std::string> take_warnings();
  std::vector<std::string> take_hints();
  std::vector<ConfigValue> take_values() { return std::move(values_); }
  std::vector<std::string> take_secrets();  // sorted, each once

 private:
  struct Entry {
    int order = 0;  // of the file
    ConfigError error;
    auto key() const { return std::tie(order, error.line, error.column); }
  };
  static std::vector<ConfigError> sorted(std::vector<Entry> entries);
  static std::vector<std::string> texts(std::vector<Entry> entries);
  static Entry entry(const ConfigPlace& place, std::string message);

  std::vector<Entry> errors_;
  std::vector<Entry> warnings_;
  std::vector<Entry> hints_;
  std::vector<ConfigValue> values_;
  std::vector<std::string> secrets_;
  int unshown_ = 0;
};

// "default" where nobody wrote it; else "hark.toml:12", with " (from ${VAR})" where the environment had a part in it.
std::string origin_of(const ConfigNode* node);

// A value for an error's text: quoted, escaped, shortened; one that came from the environment is named, not shown.
std::string shown(const ConfigNode& node);

// "; did you mean `x`?" or, with nothing near, "; known here: a, b" where the list is short enough to read.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace hark
