// render_arguments() and check_arguments() of core/template.h.
#include <algorithm>

#include "core/limits.h"
#include "core/printable.h"
#include "core/shell_programs.h"
#include "core/shell_words.h"
#include "core/template.h"
#include "core/template_cure.h"

namespace hark {

namespace {

// The daemon's environment is its owner's, as the configuration is: a reference to it stands as a shell would write it.
bool is_event_data(const Template::Part& part) { return part.is_name && !part.text.starts_with("env."); }

bool is_assignment(std::string_view text) {
  const auto sign = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  const std::size_t name = text.find('=');
  return name != std::string_view::npos && name > 0 &&
         std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(name), sign);
}

ShellWord to_word(const Template& argument) {
  ShellWord word;
  for (const Template::Part& part : argument.parts()) {
    if (is_event_data(part)) {
      word.text += kShellHole;
      ++word.holes;
    } else {
      word.text += part.is_name ? '$' + part.text.substr(std::string_view("env.").size()) : part.text;
    }
  }
  word.is_assignment = is_assignment(word.text);
  return word;
}

// The first template of event data in it.
std::string first_name(const Template& argument) {
  const auto part = std::find_if(argument.parts().begin(), argument.parts().end(), is_event_data);
  return part == argument.parts().end() ? "" : part->text;
}

// Which elements are one argument; the problem, where there is one.
struct ArgumentsReading {
  std::optional<ArgumentProblem> problem;
  std::vector<std::size_t> joined;
};

ArgumentsReading read_arguments(const std::vector<Template>& arguments) {
  const auto constant = [](const Template& argument) { return argument.constant(); };
  if (std::all_of(arguments.begin(), arguments.end(), constant)) return {};  // no value, nothing can go wrong
  std::vector<ShellWord> words;
  for (const Template& argument : arguments) {
    for (const Template::Part& part : argument.parts()) {
      if (!part.is_name && part.text.find(kShellHole) != std::string::npos)
        return {ArgumentProblem{words.size(), Error{"the argument has a NUL in it, which no program can be given", ""}}, {}};
    }
    words.push_back(to_word(argument));
  }
  ShellWordsReading reading = read_argument_words(std::move(words));
  if (!reading.refusal) return {std::nullopt, std::move(reading.joined)};
  const ShellRefusal& refusal = *reading.refusal;
  const std::string name = first_name(arguments[refusal.word]);
  const std::string value = name.empty() ? "" : '{' + printable(name, limits::kShownValue) + "} cannot stand here: ";
  const std::string what = value + printable(refusal.why, 400);
  return {ArgumentProblem{refusal.word, Error{what, cure_text(refusal.cure, name, true)}}, {}};
}

}  // namespace

std::optional<ArgumentProblem> check_arguments(const std::vector<Template>& arguments) {
  return read_arguments(arguments).problem;
}

Status check_variable(std::string_view name, const Template& value) {
  const std::string event_data = first_name(value);
  if (event_data.empty() || !chooses_code(name)) return {};
  return Error{'{' + printable(event_data, limits::kShownValue) + "} cannot stand here: " + std::string(name) +
                   " chooses the code that commands run",
               "give it in a variable of another name"};
}

Result<std::vector<std::string>> render_arguments(const std::vector<Template>& arguments, const Template::Lookup& lookup) {
  const ArgumentsReading reading = read_arguments(arguments);
  if (reading.problem) return reading.problem->error;
  std::vector<std::string> argv;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (std::find(reading.joined.begin(), reading.joined.end(), i) != reading.joined.end()) {
      argv.push_back(arguments[i].render(lookup));
    } else {
      for (std::string& word : arguments[i].render_arguments(lookup)) argv.push_back(std::move(word));
    }
  }
  return argv;
}

}  // namespace hark
