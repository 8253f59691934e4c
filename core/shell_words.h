// What the words of one command say about the values in them: which would be parsed as code again, or choose the program. The
// words are those of a simple shell command (shell_lexer.h finds them) or the arguments of a list command. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace hark {

// Stands for a template in a script's text; a script has no NUL of its own.
inline constexpr char kShellHole = '\0';

struct ShellWord {
  std::string text;            // without its quotes; expansions as they are written
  bool is_quoted = false;      // something in it is, so it is no reserved word
  bool is_assignment = false;  // NAME=..., the name unquoted
  bool expands_value = false;  // an expansion in it brings a value: $(... {x} ...), or $v after v={x}
  std::size_t start = 0;       // in the script
  std::size_t first_hole = 0;  // the numbers of its templates: first_hole, ... first_hole + holes - 1; without any: of the one
                               // whose value is expanded
  std::size_t holes = 0;

  bool has_value() const { return holes > 0 || expands_value; }
};

// What to do instead.
enum class ShellCure { general, shell_argument, argument, fixed_program, end_of_options, recipe };

struct ShellRefusal {
  std::size_t word = 0;  // which one; it has a value, or find puts the names of files there
  std::string why;
  ShellCure cure = ShellCure::general;
};

struct ShellWordsReading {
  std::optional<ShellRefusal> refusal;
  std::vector<std::size_t>
      joined;  // words in which a list must stay one word, or its second element would be a program or an option
  bool standard_input_is_code = false;  // a shell without a script: what is piped or here-documented into it is one
};

// `words`: the command's, assignments before it included, redirections not.
ShellWordsReading read_shell_words(std::vector<ShellWord> words);
// `words`: a program and its arguments as execve(2) takes them: no assignment stands before them.
ShellWordsReading read_argument_words(std::vector<ShellWord> words);

}  // namespace hark
