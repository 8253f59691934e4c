// Templates: `{name}` and `{name.path.0}` in the strings of handlers; `{{` and `}}` are literal braces. Only a brace pair around
// a bare dotted name ([A-Za-z_][A-Za-z0-9_-]*, further parts may be numbers) is a template: `{print $1}`, `${HOME}` and `{"a":
// 1}` stay as they are. A value is put in once: braces inside it are not looked at. `}}` is a literal brace unless its first
// brace closes a `{` that stands in the text by itself, so that {"a": {"b": 1}} keeps both.
//
// For a shell the values never become text: render_shell() puts a reference to an environment variable, quoted by where it
// stands.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"

namespace hark {

class Template {
 public:
  // Finds a name's value; nullptr: there is none (an empty text is put in).
  using Lookup = std::function<const nlohmann::json*(std::string_view name)>;

  Template() = default;
  static Template parse(std::string_view text);  // every text is a template

  const std::string& text() const { return text_; }
  std::vector<std::string> names() const;  // each once, in order
  bool constant() const { return names().empty(); }
  // Text that begins as a name of an event's does ("{payload.id") and that no `}` ends: hardly meant as text. Empty: none.
  const std::string& unclosed() const { return unclosed_; }

  // Plain text: strings as they are, numbers and booleans in JSON's form, null and missing as nothing, a list of scalars joined
  // by spaces, anything else as compact JSON.
  std::string render(const Lookup& lookup) const;

  // One element of an argv, by itself. When the whole text is one template of a list: one argument an element (an empty list:
  // none).
  std::vector<std::string> render_arguments(const Lookup& lookup) const;

  struct Part {
    std::string text;  // literal text as it is put out, or the name
    bool is_name = false;
    std::size_t offset = 0;  // where it stands in text(); literal text runs on from there byte by byte
  };
  const std::vector<Part>& parts() const { return parts_; }

  friend bool operator==(const Template& a, const Template& b) { return a.text_ == b.text_; }

 private:
  std::vector<Part> parts_;
  std::string text_;
  std::string unclosed_;
};

// A value as plain text, by the rules of Template::render().
std::string template_text(const nlohmann::json* value);

struct ShellCommand {
  std::string script;                                            // for /bin/sh -c
  std::vector<std::pair<std::string, std::string>> environment;  // the values it refers to: HARK_V0, HARK_V1, ...
};

// The text of `script` with every template as a quoted reference: bare -> "${HARK_V0}"; inside double quotes or a here-document
// -> ${HARK_V0}; inside single quotes -> '"${HARK_V0}"'; in a comment -> nothing. A list that stands bare is one word an element
// ("${HARK_V0_0}" "${HARK_V0_1}"; empty: no word); elsewhere, and where a second word would be something else than an argument
// (an assignment, the target of a redirection), it is joined by spaces.
//
// An Error where a value could still become code or choose the program, as far as the text tells (core/shell_lexer.h has the
// list), or does not fit: with a NUL, or larger than limits::kEnvironmentString; it names the way out. What a program that hark
// does not know makes of its arguments stays with the author: a value may begin with '-' (put `--` before it), and name any
// file. A script without templates is left alone.
Result<ShellCommand> render_shell(const Template& script, const Template::Lookup& lookup);
// The same refusals as far as they follow from the text alone. For the configuration's check.
Status check_shell(const Template& script);

// A list command: an element that is one template of a list becomes several arguments, except where the second would be an
// option or a program (`sudo -u {x}`): there it is joined by spaces. An Error where a value would become code or choose the
// program, as for scripts; {env.NAME} is no event data and may choose it.
Result<std::vector<std::string>> render_arguments(const std::vector<Template>& arguments, const Template::Lookup& lookup);

struct ArgumentProblem {
  std::size_t argument = 0;  // which one
  Error error;
};
std::optional<ArgumentProblem> check_arguments(const std::vector<Template>& arguments);
// The same for a variable of a command's environment: event data in PATH or LD_PRELOAD would choose code.
Status check_variable(std::string_view name, const Template& value);

}  // namespace hark
