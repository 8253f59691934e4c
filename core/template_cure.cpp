#include "core/template_cure.h"

#include "core/limits.h"
#include "core/printable.h"

namespace hark {

std::string cure_text(ShellCure cure, const std::string& name, bool in_list) {
  const std::string value = name.empty() ? "{{}}" : '{' + printable(name, limits::kShownValue) + '}';  // find's
  switch (cure) {
    case ShellCure::shell_argument:
      return "write \"$1\" in the program text, and the value as an argument after it: " +
             (in_list ? R"(["sh", "-c", 'echo "$1"', "sh", ")" + value + "\"]" : R"(sh -c 'echo "$1"' sh )" + value);
    case ShellCure::argument:
      return "give it as an argument after the program text and `--`, and let the program read its arguments";
    case ShellCure::fixed_program:
      return "write the program; to choose among some, write a handler for each, with a filter in `where`";
    case ShellCure::end_of_options:
      return "write -- or ./ before it";
    case ShellCure::recipe:
      return "set a variable of the handler's `environment` to it, and write \"$$NAME\" in the recipe, for the shell to read";
    case ShellCure::general:
      break;
  }
  return "let the command read it from the event on standard input, or from a variable of the handler's `environment`";
}

}  // namespace hark
