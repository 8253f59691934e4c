#include "daemon/toml_document.h"

#include <algorithm>
#include <sstream>
#include <tuple>

#include <toml++/toml.h>

#include "core/limits.h"

namespace hark {
namespace {

struct TooDeep {
  ConfigPlace place;
};

class Converter {
 public:
  explicit Converter(std::shared_ptr<const ConfigFile> file) : file_(std::move(file)) {}

  ConfigPlace place(const toml::source_region& region) const {
    return {file_, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
  }

  // Throws TooDeep, so that whoever walks the tree later may recurse.
  ConfigNode node(const toml::node& from, int depth = 0) const {
    if (depth > limits::kConfigDepth) throw TooDeep{place(from.source())};
    using Kind = ConfigNode::Kind;
    ConfigNode to;
    to.place = place(from.source());
    switch (from.type()) {
      case toml::node_type::string:
        to.kind = Kind::string;
        to.text = from.as_string()->get();
        break;
      case toml::node_type::integer:
        to.kind = Kind::integer;
        to.integer = from.as_integer()->get();
        break;
      case toml::node_type::floating_point:
        to.kind = Kind::real;
        to.real = from.as_floating_point()->get();
        break;
      case toml::node_type::boolean:
        to.kind = Kind::boolean;
        to.boolean = from.as_boolean()->get();
        break;
      case toml::node_type::array:
        to.kind = Kind::array;
        for (const toml::node& item : *from.as_array()) to.items.push_back(node(item, depth + 1));
        break;
      case toml::node_type::table:
        to.kind = Kind::table;
        to.entries = entries(*from.as_table(), depth);
        break;
      default:
        to.kind = Kind::date;
        to.text = date(from);
        break;
    }
    return to;
  }

 private:
  // toml++ sorts a table's keys by name; people are answered in the order of their file.
  std::vector<ConfigEntry> entries(const toml::table& from, int depth) const {
    std::vector<ConfigEntry> out;
    out.reserve(from.size());
    for (const auto& [key, value] : from) out.push_back({std::string(key.str()), place(key.source()), node(value, depth + 1)});
    std::stable_sort(out.begin(), out.end(), [](const ConfigEntry& a, const ConfigEntry& b) {
      return std::tie(a.key_place.line, a.key_place.column) < std::tie(b.key_place.line, b.key_place.column);
    });
    return out;
  }

  static std::string date(const toml::node& from) {
    std::ostringstream out;
    if (const auto* day = from.as_date()) out << day->get();
    if (const auto* time = from.as_time()) out << time->get();
    if (const auto* both = from.as_date_time()) out << both->get();
    return out.str();
  }

  std::shared_ptr<const ConfigFile> file_;
};

std::string described(const toml::parse_error& error) {
  std::string text(error.description());
  // The trap of this file format: steps are often written over several lines.
  if (text.find("inline table") != std::string::npos && text.find("\\n") != std::string::npos) {
    text += " (TOML wants a { ... } table on one line; for longer ones write [[handlers.NAME.steps]] tables)";
  }
  return text;
}

}  // namespace

std::variant<ConfigNode, TomlFault> parse_toml(std::string_view text, std::shared_ptr<const ConfigFile> file) {
  const Converter converter(file);
  try {
    const toml::table root = toml::parse(text);
    ConfigNode node = converter.node(root);
    node.place = {file, 1, 1};
    return node;
  } catch (const toml::parse_error& error) {
    ConfigPlace place = converter.place(error.source());
    place.line = std::max(place.line, 1);
    place.column = std::max(place.column, 1);
    return TomlFault{place, described(error)};
  } catch (const TooDeep& deep) {
    return TomlFault{deep.place, "tables nested deeper than " + std::to_string(limits::kConfigDepth)};
  } catch (const std::exception& error) {
    return TomlFault{{file, 1, 1}, error.what()};
  }
}

}  // namespace hark
