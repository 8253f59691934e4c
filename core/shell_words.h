// What the words of one simple shell command say about the values in them: which would be parsed as code again, or choose the
// program. Knows the utilities that do so; shell_lexer.h finds the words. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hark {

// Stands for a template in a script's text; a script has no NUL of its own.
inline constexpr char kShellHole = '\0';

struct ShellWord {
  std::string text;            // without its quotes; expansions as they are written
  bool is_quoted = false;      // something in it is, so it is no reserved word
  bool is_assignment = false;  // NAME=..., the name unquoted
  std::size_t start = 0;       // in the script
  std::size_t first_hole = 0;  // the numbers of its templates: first_hole, ... first_hole + holes - 1
  std::size_t holes = 0;
};

struct ShellRefusal {
  std::size_t word = 0;  // which one
  std::string why;
};

struct ShellWordsReading {
  std::optional<ShellRefusal> refusal;
  std::vector<std::size_t>
      joined;  // words in which a list must stay one word, or its second element would be a program or an option
  bool standard_input_is_code = false;  // a shell without a script: what is piped or here-documented into it is one
};

// `words`: the command's, assignments before it included, redirections not.
ShellWordsReading read_shell_words(const std::vector<ShellWord>& words);

}  // namespace hark
