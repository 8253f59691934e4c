// render_shell() and check_shell() of core/template.h.
#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/printable.h"
#include "core/shell_lexer.h"
#include "core/shell_words.h"
#include "core/template.h"
#include "core/template_cure.h"

namespace hark {

namespace {

using Json = nlohmann::json;

constexpr const char* kLargerWays = "use {payload_file}, {files_file} or the event on standard input";

// The script with a hole for each template; parts whose text has a NUL of its own are none.
Result<std::string> with_holes(const Template& script) {
  std::string text;
  for (const Template::Part& part : script.parts()) {
    if (!part.is_name && part.text.find(kShellHole) != std::string::npos) return Error{"the command has a NUL in it", ""};
    text += part.is_name ? std::string(1, kShellHole) : part.text;
  }
  return text;
}

// Where `position` of the script with holes stands in the text as written, and the template there.
std::pair<std::string, std::string> place_in(const Template& script, std::size_t position) {
  std::size_t offset = script.text().size();
  std::string name;
  for (const Template::Part& part : script.parts()) {
    const std::size_t length = part.is_name ? 1 : part.text.size();
    if (position < length) {
      offset = part.offset + position;
      if (part.is_name) name = part.text;
      break;
    }
    position -= length;
  }
  const std::string_view before = std::string_view(script.text()).substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  const auto is_first_byte = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  const auto column = 1 + std::count_if(before.begin() + static_cast<std::ptrdiff_t>(line_start), before.end(), is_first_byte);
  const bool lines = script.text().find('\n') != std::string::npos;
  return {(lines ? "line " + std::to_string(line) + ", column " : "column ") + std::to_string(column), name};
}

Error to_error(const Template& script, const ShellProblem& problem) {
  const auto [where, name] = place_in(script, problem.position);
  const std::string why = printable(problem.why, 400);
  if (!problem.about_value) {
    const bool known = problem.cure != ShellCure::general;
    return Error{"shell command, " + where + ": " + why, known ? cure_text(problem.cure, "", false) : ""};
  }
  return Error{"shell command, " + where + ": {" + printable(name, limits::kShownValue) + "} cannot stand here: " + why,
               cure_text(problem.cure, name, false)};
}

Result<std::vector<ShellPlace>> places_in(const Template& script) {
  Result<std::string> text = with_holes(script);
  if (!text) return text.error();
  if (script.constant()) return std::vector<ShellPlace>{};  // nothing can go wrong, and the shell knows its language better
  ShellReading reading = read_shell(*text);
  if (reading.problem) return to_error(script, *reading.problem);
  return std::move(reading.places);
}

// Puts references into the script and collects what they refer to.
class Renderer {
 public:
  explicit Renderer(const Template::Lookup& lookup) : lookup_(lookup) {}

  Status add(const std::string& name, const ShellPlace& place) {
    const Json* value = lookup_(name);
    const bool listed = place.kind == ShellPlace::Kind::bare && !place.is_joined && value != nullptr && value->is_array();
    if (listed) return add_list(name, *value, place.is_alone);
    switch (place.kind) {
      case ShellPlace::Kind::comment:
        return {};
      case ShellPlace::Kind::bare:
        command_.script += '"' + reference(number(name)) + '"';
        break;
      case ShellPlace::Kind::single_quotes:
        command_.script += "'\"" + reference(number(name)) + "\"'";
        break;
      case ShellPlace::Kind::double_quotes:
      case ShellPlace::Kind::here_document:
        command_.script += reference(number(name));
        break;
    }
    return define(name, number(name), template_text(value));
  }

  void add_text(const std::string& text) { command_.script += text; }

  Result<ShellCommand> finish() && {
    if (command_.script.size() <= limits::kEnvironmentString) return std::move(command_);
    return Error{"the shell command with its words is " + std::to_string(command_.script.size()) + " bytes, more than the " +
                     std::to_string(limits::kEnvironmentString) + " that fit",
                 kLargerWays};
  }

 private:
  Status add_list(const std::string& name, const Json& list, bool alone) {
    if (list.empty() && !alone) command_.script += "\"\"";
    std::size_t index = 0;
    for (const Json& element : list) {
      const std::string variable = number(name) + '_' + std::to_string(index);
      if (index++ > 0) command_.script += ' ';
      command_.script += '"' + reference(variable) + '"';
      if (Status status = define(name, variable, template_text(&element)); !status) return status;
      if (command_.script.size() > limits::kEnvironmentString) return {};  // finish() says so
    }
    return {};
  }

  // HARK_V0, HARK_V1, ... in the order in which the names come.
  std::string number(const std::string& name) {
    return "HARK_V" + std::to_string(numbers_.try_emplace(name, numbers_.size()).first->second);
  }
  static std::string reference(const std::string& variable) { return "${" + variable + "}"; }

  Status define(const std::string& name, const std::string& variable, std::string value) {
    if (!defined_.try_emplace(variable, true).second) return {};
    const std::string what = "the value of {" + printable(name, limits::kShownValue) + "}";
    if (value.find('\0') != std::string::npos) return Error{what + " has a NUL in it, which no shell can hold", kLargerWays};
    const std::size_t size = variable.size() + 1 + value.size();
    if (size > limits::kEnvironmentString) {
      return Error{what + " is " + std::to_string(value.size()) + " bytes, more than the " +
                       std::to_string(limits::kEnvironmentString) + " that one variable holds",
                   kLargerWays};
    }
    total_ += size + 1;
    if (total_ > limits::kEnvironmentTotal) {
      return Error{"the values of this shell command are more than " + std::to_string(limits::kEnvironmentTotal) + " bytes",
                   kLargerWays};
    }
    command_.environment.emplace_back(variable, std::move(value));
    return {};
  }

  const Template::Lookup& lookup_;
  ShellCommand command_;
  std::map<std::string, std::size_t> numbers_;
  std::map<std::string, bool> defined_;
  std::size_t total_ = 0;
};

}  // namespace

Result<ShellCommand> render_shell(const Template& script, const Template::Lookup& lookup) {
  Result<std::vector<ShellPlace>> places = places_in(script);
  if (!places) return places.error();
  Renderer renderer(lookup);
  std::size_t next = 0;
  for (const Template::Part& part : script.parts()) {
    if (!part.is_name) {
      renderer.add_text(part.text);
    } else if (Status status = renderer.add(part.text, (*places)[next++]); !status) {
      return status.error();
    }
  }
  return std::move(renderer).finish();
}

Status check_shell(const Template& script) {
  Result<std::vector<ShellPlace>> places = places_in(script);
  if (!places) return places.error();
  return {};
}

}  // namespace hark
