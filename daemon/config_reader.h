// Reads one table of a configuration: each key is asked for once, by its type and range. What does not fit is reported at its
// place and answered as if it were not there, so that one pass finds every error. The keys that were asked for are the keys that
// are known: finish() reports all others. Every value read, and every default taken, is recorded for `config show`.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "daemon/config_report.h"
#include "daemon/config_tree.h"

namespace hark {

class TableReader {
 public:
  // `path`: "sources.code", empty for the top level; `heading`: as in ConfigValue. The table outlives the reader.
  TableReader(const ConfigNode& table, std::string path, std::string heading, ConfigReport& report);
  // A table within: its keys are shown as "retry.attempts" under the same heading.
  TableReader within(const ConfigNode& table, std::string_view key) const;

  const ConfigPlace& place() const { return table_.place; }
  const std::string& path() const { return path_; }
  bool has(std::string_view key) const { return table_.find(key) != nullptr; }

  // Any value. nullptr: not there.
  const ConfigNode* any(std::string_view key);
  // nullptr: not there, or unusable and reported.
  const ConfigNode* text(std::string_view key);
  const ConfigNode* table(std::string_view key);
  std::vector<const ConfigNode*> texts(std::string_view key);   // a string or an array of strings; each is a string
  std::vector<const ConfigNode*> tables(std::string_view key);  // an array of tables
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most);
  std::vector<int> integers(std::string_view key, int least, int most, std::string_view what);  // one or an array; shown
  std::optional<double> number(std::string_view key, double least, double most);                // whole or not
  std::optional<Duration> duration(std::string_view key, Duration least);
  std::optional<Duration> milliseconds(std::string_view key);  // an integer, 0 or more
  // "5s" under `key`, or 5000 under `key`_ms; both are an error.
  std::optional<Duration> duration_or_ms(const std::string& key);

  // The same, shown, with a default that is shown as such.
  std::string choice(std::string_view key, const std::vector<std::string>& choices, std::string_view fallback,
                     const std::vector<std::string>& not_yet = {});
  bool boolean(std::string_view key, bool fallback);
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t least, std::int64_t most);
  Duration duration(std::string_view key, std::string_view fallback, Duration least);
  std::string string(std::string_view key, std::string_view fallback);
  // Relative to the folder that the naming file's paths are relative to; the fallback to `base`. Empty fallback: none, not shown.
  // Empty: none, or unusable and reported.
  std::filesystem::path file_path(std::string_view key, std::string_view fallback, const std::filesystem::path& base);
  std::optional<std::filesystem::path> resolve(const ConfigNode& node, std::string_view key);

  // Reports at a value, at a key, at the table.
  void fail(const ConfigNode& value, std::string_view key, const std::string& message);
  void fail_key(std::string_view key, const std::string& message);
  void fail_table(const std::string& message);
  void warn(const ConfigPlace& place, std::string_view key, const std::string& message);
  // A key that is there and does nothing, because of what else is (not) there.
  void warn_if_idle(std::string_view key, bool idle, const std::string& why);
  void hint(const ConfigPlace& place, std::string_view key, const std::string& message);

  // Whoever knows this value is let in somewhere: it is masked from now on. `from`: what says it.
  void keep_secret(const ConfigNode& from, std::string_view key, const std::string& value);

  void show(std::string_view key, std::string value, const ConfigNode* from);
  void show_text(std::string_view key, const ConfigNode& node);
  void show_texts(std::string_view key, const std::vector<const ConfigNode*>& nodes, const ConfigNode* from);

  void allow(std::string_view key);                            // known, and read elsewhere
  void not_yet(std::initializer_list<std::string_view> keys);  // of the contract, not of this version
  // A key that means something in another table of this kind: "it belongs to `schedule` sources".
  void belongs(std::string_view key, std::string_view where);
  void finish();

 private:
  std::string path_of(std::string_view key) const;
  bool check_range(const ConfigNode& node, std::string_view key, std::int64_t least, std::int64_t most);

  const ConfigNode& table_;
  std::string path_;
  std::string heading_;
  std::string prefix_;
  ConfigReport& report_;
  std::vector<std::string> known_;
  std::vector<std::string> not_yet_;
  std::map<std::string, std::string, std::less<>> belongs_;
};

// "`gates` is not supported by this version of hark".
std::string not_supported(std::string_view what);
// The name of a source or handler: [A-Za-z0-9][A-Za-z0-9._-]*, at most limits::kNameLength bytes. Empty: it is one; else what is
// expected.
std::string check_config_name(std::string_view name);

}  // namespace hark
