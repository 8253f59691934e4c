#include "daemon/config_expand.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/limits.h"

namespace hark {
namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

std::string braces_doubled(const std::string& text) {
  std::string out;
  for (char c : text) {
    out += c;
    if (c == '{' || c == '}') out += c;
  }
  return out;
}

// One string. A default may hold ${...} itself; how deep is bounded, as each level is a call.
class Expander {
 public:
  Expander(const Environment& environment, Braces braces) : environment_(environment), braces_(braces) {}

  Result<std::string> run(std::string_view text, int depth = 0) {
    std::string out;
    std::size_t at = 0;
    while (at < text.size()) {
      if (text.substr(at, 2) == "$$") {
        out += '$';
        at += 2;
      } else if (text.substr(at, 2) == "${") {
        const std::size_t end = closing(text, at + 2);
        if (end == std::string_view::npos) return Error{"`${` without its `}`", "write `$$` for a literal `$`"};
        Result<std::string> value = one(text.substr(at + 2, end - at - 2), depth);
        if (!value) return value;
        out += *value;
        at = end + 1;
      } else {
        out += text[at++];
      }
      if (out.size() > limits::kConfigString) return Error{"is longer than 1 MiB once its variables are put in", ""};
    }
    return out;
  }

  std::vector<std::string> variables;
  std::string missing;  // the variable that the error is about; empty: it is about something else

 private:
  // The `}` that ends the `${` before `from`, past those of nested ones.
  static std::size_t closing(std::string_view text, std::size_t from) {
    int open = 1;
    for (std::size_t at = from; at < text.size(); ++at) {
      if (text.substr(at, 2) == "$$") {
        ++at;
      } else if (text.substr(at, 2) == "${") {
        ++open;
        ++at;
      } else if (text[at] == '}' && --open == 0) {
        return at;
      }
    }
    return std::string_view::npos;
  }

  // What stands between `${` and `}`.
  Result<std::string> one(std::string_view inside, int depth) {
    const auto name_end = std::find_if_not(inside.begin(), inside.end(), is_name_part);
    const std::string name(inside.begin(), name_end);
    const std::string_view rest = inside.substr(name.size());
    const std::string_view sign = rest.substr(0, 2);
    if (name.empty() || !is_name_start(name[0]) || !(rest.empty() || sign == ":-" || sign == ":?")) {
      return Error{"malformed variable; expected ${NAME}, ${NAME:-default} or ${NAME:?message}", "write `$$` for a literal `$`"};
    }
    if (std::find(variables.begin(), variables.end(), name) == variables.end()) variables.push_back(name);
    const std::optional<std::string> value = environment_ ? environment_(name) : std::nullopt;
    if (value && (rest.empty() || !value->empty())) return braces_ == Braces::escape ? braces_doubled(*value) : *value;
    if (sign == ":-") {
      if (depth >= limits::kVariableDepth) return Error{"defaults of variables are nested too deep", ""};
      return run(rest.substr(2), depth + 1);
    }
    missing = name;
    if (sign == ":?") return Error{"${" + name + "}: " + std::string(rest.size() > 2 ? rest.substr(2) : "it must be set"), ""};
    return Error{"the environment variable " + name + " is not set", "set it, or write ${" + name + ":-default} where a default is safe"};
  }

  const Environment& environment_;
  Braces braces_;
};

// Where in the tree a value stands, as far as expansion needs to know.
enum class Where { root, handlers, handler, steps, hooks, http, environment, providers, provider, elsewhere };

constexpr std::array<std::string_view, 3> kVerbatim = {"run", "prompt", "system"};
constexpr std::array<std::string_view, 2> kVerbatimOfProvider = {"command", "system"};

bool holds(const auto& keys, std::string_view key) { return std::find(keys.begin(), keys.end(), key) != keys.end(); }


Where below(Where where, std::string_view key) {
  if (where == Where::root && key == "hooks") return Where::hooks;
  if (where == Where::root && key == "providers") return Where::providers;
  if (where == Where::root) return key == "handlers" ? Where::handlers : Where::elsewhere;
  if (where == Where::providers) return Where::provider;
  if (where == Where::handlers) return Where::handler;
  const bool like_steps = key == "steps" || key == "gates" || key == "delivery";
  if (where == Where::handler && like_steps) return Where::steps;
  if ((where == Where::handler || where == Where::steps) && key == "parallel") return Where::steps;
  if (where == Where::handler && key == "environment") return Where::environment;
  if ((where == Where::handler || where == Where::steps) && (key == "with" || key == "set")) return Where::environment;
  if ((where == Where::handler || where == Where::steps) && key == "http") return Where::http;
  if (where == Where::http || where == Where::environment) return where;
  return Where::elsewhere;
}

class TreeExpander {
 public:
  TreeExpander(const Environment& environment, ConfigReport& report) : environment_(environment), report_(report) {}

  void node(ConfigNode& node, Where where, const std::string& path) {
    switch (node.kind) {
      case ConfigNode::Kind::string:
        string(node, where, path);
        break;
      case ConfigNode::Kind::array:
        for (std::size_t i = 0; i < node.items.size(); ++i) {
          ConfigNode& item = node.items[i];
          this->node(item, where, item.is(ConfigNode::Kind::table) ? item_path(path, item, i) : path);
        }
        break;
      case ConfigNode::Kind::table:
        for (ConfigEntry& entry : node.entries) {
          const bool in_handler = where == Where::handler || where == Where::steps || where == Where::hooks;
          const bool command = (in_handler && holds(kVerbatim, entry.key)) || (where == Where::provider && holds(kVerbatimOfProvider, entry.key));
          const std::string below_path = path.empty() ? toml_key(entry.key) : path + "." + toml_key(entry.key);
          if (!command) this->node(entry.value, below(where, entry.key), below_path);
        }
        break;
      default:
        break;
    }
  }

 private:
  void string(ConfigNode& node, Where where, const std::string& path) {
    if (node.text.find('$') == std::string::npos) return;
    const bool is_template = where == Where::http || where == Where::environment;
    Expander expander(environment_, is_template ? Braces::escape : Braces::keep);
    Result<std::string> text = expander.run(node.text);
    node.variables = expander.variables;
    if (!text) {
      const bool known = !expander.missing.empty() && !missing_.insert(expander.missing).second;  // told where it came first
      if (!known) report_.error(node.place, path + ": " + text.error().text());
      node.failed = true;
      return;
    }
    node.text = std::move(*text);
  }

  const Environment& environment_;
  ConfigReport& report_;
  std::set<std::string> missing_;
};

}  // namespace

Result<Expansion> expand(std::string_view text, const Environment& environment, Braces braces) {
  Expander expander(environment, braces);
  Result<std::string> expanded = expander.run(text);
  if (!expanded) return expanded.error();
  return Expansion{std::move(*expanded), std::move(expander.variables)};
}

void expand_recipe(ConfigNode& root, const Environment& environment, ConfigReport& report) { TreeExpander(environment, report).node(root, Where::handler, ""); }

void expand_tree(ConfigNode& root, const Environment& environment, ConfigReport& report) {
  TreeExpander(environment, report).node(root, Where::root, "");
}

}  // namespace hark
