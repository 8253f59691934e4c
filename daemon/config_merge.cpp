#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/limits.h"
#include "daemon/config_layers.h"

namespace hark {
namespace {

using Kind = ConfigNode::Kind;

// What a step, a handler of one step or a hook does. Where the upper layer says another thing than the lower one, that is what is done.
constexpr auto kWork = std::to_array<std::string_view>({"run", "http", "tool", "prompt", "set", "publish", "wait", "recipe", "parallel", "steps"});
// Where those of a step stand, and what a step has whatever it does; its other keys go with what it did.
constexpr auto kStepLists = std::to_array<std::string_view>({"steps", "gates", "delivery", "parallel"});
constexpr auto kOfAnyStep = std::to_array<std::string_view>({"name", "if", "foreach", "timeout", "retry", "continue_on_error", "always"});

// Two ways to say one thing: the upper layer's way replaces the lower layer's, so that an override is not a contradiction.
struct Alternatives {
  std::string_view one;
  std::string_view other;
};
constexpr std::array kAlternatives = {
    Alternatives{"action", "run"},
    Alternatives{"action", "http"},
    Alternatives{"action", "publish"},
    Alternatives{"handler", "handlers"},
    Alternatives{"debounce", "debounce_ms"},
    Alternatives{"debounce_max", "debounce_max_ms"},
    Alternatives{"json", "body"},
    Alternatives{"json", "form"},
    Alternatives{"json", "file"},
    Alternatives{"body", "form"},
    Alternatives{"body", "file"},
    Alternatives{"form", "file"},
    Alternatives{"unsigned", "secret"},
    Alternatives{"unsigned", "secret_file"},
    Alternatives{"unsigned", "credential"},
};

// Keys of these tables are the user's own words.
constexpr auto kFreeTables = std::to_array<std::string_view>({"environment", "headers", "json", "form", "data", "set", "with", "handlers", "providers", "topics", "signals"});

bool holds(const auto& keys, std::string_view key) { return std::find(keys.begin(), keys.end(), key) != keys.end(); }

void drop_other_work(ConfigNode& base, const ConfigNode& over, bool step) {
  const auto has = [](const ConfigNode& table) { return [&table](std::string_view key) { return table.find(key) != nullptr; }; };
  if (std::none_of(kWork.begin(), kWork.end(), has(over))) return;
  const bool other = std::none_of(kWork.begin(), kWork.end(), [&](std::string_view key) { return has(base)(key) && has(over)(key); });
  std::erase_if(base.entries, [&](const ConfigEntry& entry) {
    if (over.find(entry.key) != nullptr) return false;
    return step && other ? !holds(kOfAnyStep, entry.key) : holds(kWork, entry.key);
  });
}

void drop_alternatives(ConfigNode& base, const ConfigNode& over) {
  const auto drop = [&](std::string_view said, std::string_view other) {
    if (over.find(said) == nullptr || over.find(other) != nullptr) return;
    std::erase_if(base.entries, [&](const ConfigEntry& entry) { return entry.key == other; });
  };
  for (const Alternatives& pair : kAlternatives) {
    drop(pair.one, pair.other);
    drop(pair.other, pair.one);
  }
}

const std::string* name_of(const ConfigNode& item) {
  const ConfigEntry* name = item.find("name");
  return name != nullptr && name->value.is(Kind::string) ? &name->value.text : nullptr;
}

bool all_named(const ConfigNode& array) {
  return array.is_array_of_tables() &&
         std::all_of(array.items.begin(), array.items.end(), [](const ConfigNode& item) { return name_of(item) != nullptr; });
}

class Merger {
 public:
  explicit Merger(ConfigReport& report) : report_(report) {}

  ConfigNode node(ConfigNode base, ConfigNode over, const std::string& key) {
    if (base.is(Kind::table) && over.is(Kind::table)) return table(std::move(base), std::move(over), holds(kFreeTables, key) ? Meaning::own_words : Meaning::keys);
    if (all_named(base) && all_named(over)) return named_items(std::move(base), std::move(over), holds(kStepLists, key) ? Meaning::step : Meaning::keys);
    if (base.is_array_of_tables() && over.is_array_of_tables() && key == "steps") {
      report_.warning(over.place, "`steps` replaces those of " + base.place.file->name + ":" + std::to_string(base.place.line) +
                                      ", as not all of both have a name to be merged by");
    }
    return over;
  }

 private:
  enum class Meaning { keys, step, own_words };  // of a table's entries

  ConfigNode table(ConfigNode base, ConfigNode over, Meaning meaning) {
    if (meaning != Meaning::own_words) {
      drop_other_work(base, over, meaning == Meaning::step);
      drop_alternatives(base, over);
    }
    for (ConfigEntry& entry : over.entries) {
      if (ConfigEntry* under = base.find(entry.key)) {
        under->value = node(std::move(under->value), std::move(entry.value), entry.key);
        under->key_place = entry.key_place;
      } else {
        base.entries.push_back(std::move(entry));
      }
    }
    base.place = over.place;
    return base;
  }

  // An item of `over` meets each item of `base` at most once, so that a name given twice in one file stays there twice, and is
  // found by the check of names.
  ConfigNode named_items(ConfigNode base, ConfigNode over, Meaning meaning) {
    std::multimap<std::string, std::size_t> unmet;  // those of one name in their order
    for (std::size_t at = 0; at < base.items.size(); ++at) unmet.emplace(*name_of(base.items[at]), at);
    for (ConfigNode& item : over.items) {
      const auto first = unmet.lower_bound(*name_of(item));
      if (first == unmet.end() || first->first != *name_of(item)) {
        base.items.push_back(std::move(item));
        continue;
      }
      ConfigNode& under = base.items[first->second];
      under = table(std::move(under), std::move(item), meaning);
      unmet.erase(first);
    }
    base.place = over.place;
    return base;
  }

  ConfigReport& report_;
};

// What a name may hold, runs of anything else as one '-'.
std::string slug(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  std::string out;
  for (char c : text.substr(0, 4 * kLongest)) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    if (fits) {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  const auto trimmed = [](char c) { return c == '-' || c == '.'; };
  if (out.size() > kLongest) out.resize(kLongest);
  while (!out.empty() && trimmed(out.back())) out.pop_back();
  while (!out.empty() && trimmed(out.front())) out.erase(0, 1);
  return out;
}

std::string text_at(const ConfigNode& table, std::string_view key) {
  const ConfigEntry* entry = table.find(key);
  return entry != nullptr && entry->value.is(Kind::string) ? entry->value.text : std::string();
}

// An address less what may be a secret in it.
std::string without_user(std::string text) {
  const auto begin = text.find("://");
  if (begin == text.npos) return text;
  const auto at = text.substr(0, text.find('/', begin + 3)).rfind('@');
  return at == text.npos || at < begin ? text : text.erase(begin + 3, at + 1 - begin - 3);
}

std::string derived_name(const ConfigNode& source) {
  std::string name = slug(text_at(source, "type"));
  if (name.empty()) name = "source";
  std::string place;
  for (const char* key : {"path", "repository", "cron", "topic"}) {
    if (place.empty()) place = slug(without_user(text_at(source, key)));
  }
  return place.empty() ? name : name + "-" + place;
}

}  // namespace

ConfigNode merge_config(ConfigNode base, ConfigNode over, ConfigReport& report) {
  return Merger(report).node(std::move(base), std::move(over), "");
}

void name_sources(ConfigNode& root) {
  ConfigEntry* sources = root.find("sources");
  if (sources == nullptr || !sources->value.is_array_of_tables()) return;
  if (sources->value.items.size() > limits::kSources) return;  // refused later
  std::set<std::string> taken;
  std::map<std::string, int> last;  // numbers given to those that would have the same name
  for (const ConfigNode& item : sources->value.items) taken.insert(text_at(item, "name"));
  for (ConfigNode& item : sources->value.items) {
    if (item.find("name") != nullptr) continue;
    const std::string plain = derived_name(item);
    std::string name = plain;
    for (int& n = last.try_emplace(plain, 1).first->second; !taken.insert(name).second;) name = plain + "-" + std::to_string(++n);
    ConfigNode value;
    value.kind = Kind::string;
    value.place = item.place;
    value.text = name;
    value.derived = true;
    item.entries.insert(item.entries.begin(), ConfigEntry{"name", item.place, value});
  }
}

}  // namespace hark
