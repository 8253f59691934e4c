// A configuration as a tree of values, each with the place it was written at. Made by daemon/toml_document, layered by
// daemon/config_layers, expanded by daemon/config_expand, read by daemon/config_reader. Values; the place outlives every merge.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hark {

// One file that took part.
struct ConfigFile {
  std::string name;            // as errors show it: relative to the working directory where it lies below it
  std::filesystem::path path;  // absolute
  std::filesystem::path base;  // what relative paths in it are relative to; absolute
  bool profile = false;        // found as a profile (or named by one): `base` is then not its own folder
  int order = 0;               // in which the files were read: 0 is the one that was asked for
};

struct ConfigPlace {
  std::shared_ptr<const ConfigFile> file;
  int line = 0;    // from 1; 0: the file as a whole
  int column = 0;  // from 1, in characters
};

struct ConfigEntry;

struct ConfigNode {
  enum class Kind { string, integer, real, boolean, date, array, table };

  Kind kind = Kind::table;
  ConfigPlace place;  // of the value; of a table written as [name]: its header
  std::string text;   // string, date
  std::int64_t integer = 0;
  double real = 0;
  bool boolean = false;
  std::vector<ConfigNode> items;       // array
  std::vector<ConfigEntry> entries;    // table, in the order of the file
  std::vector<std::string> variables;  // names of the environment variables that went into `text`
  bool derived = false;                // not written by anybody: a source's default name
  bool failed = false;                 // its variables could not be put in, which was reported: what `text` holds is not meant

  bool is(Kind wanted) const { return kind == wanted; }
  const ConfigEntry* find(std::string_view key) const;  // table; nullptr: no such key
  ConfigEntry* find(std::string_view key);
  bool is_array_of_tables() const;  // with at least one
};

struct ConfigEntry {
  std::string key;
  ConfigPlace key_place;
  ConfigNode value;
};

// The path of an array's item: "sources.code" by its name, else "sources #2".
std::string item_path(const std::string& path, const ConfigNode& item, std::size_t index);

// "a string", "an integer", ...: for "expected ..., found ...".
std::string_view with_article(ConfigNode::Kind kind);

// As TOML writes it. Bytes that are no UTF-8, and control characters, are escaped or replaced.
std::string toml_string(std::string_view text);
std::string toml_key(std::string_view key);

}  // namespace hark
