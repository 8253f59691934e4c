// ${VAR} in the strings of a configuration: ${VAR}, ${VAR:-default} (also where VAR is empty), ${VAR:?message}; `$$` is a literal
// `$`, any other `$` stays as it is. Not in the commands and prompts of handlers and providers, where `$` belongs to the shell or the text.
//
// In strings that are templates (fields of http steps, environments of handlers) the braces of what the environment gave are
// doubled: they are text, and never make a template.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "daemon/config_report.h"
#include "daemon/config_tree.h"

namespace hark {

using Environment = std::function<std::optional<std::string>(const std::string&)>;

struct Expansion {
  std::string text;
  std::vector<std::string> variables;  // those asked for, each once
};
enum class Braces { keep, escape };
Result<Expansion> expand(std::string_view text, const Environment& environment, Braces braces);

// Every string of the tree, in place. A missing variable is an error at the value's place.
void expand_tree(ConfigNode& root, const Environment& environment, ConfigReport& report);
// The same of a recipe's file, which has steps as a handler does.
void expand_recipe(ConfigNode& root, const Environment& environment, ConfigReport& report);

}  // namespace hark
