// Reads a POSIX shell script (POSIX.1-2017 XCU 2, as dash(1) reads it) as far as it takes to know where each template in it
// stands, and whether a value put there could become code. Pure; bounded by limits::kShellDepth and linear in the script.
//
// Refused: a value inside `...`, $((...)), ${...}, ((...)), [[...]], a quoted here-document, after a backslash; as the name of a
// command (also behind env, sudo, xargs, find -exec and their like); as an argument of eval, trap, ssh; as the command text of a
// shell's or an interpreter's -c or -e, as the program of awk or sed; in what is piped or here-documented into a shell; as the
// name of a variable (export, read, unset); after constructs that shells read differently ($'...', <<<, alias).
// Not seen, as it does not follow from the text: a shell variable that holds a value and is given to eval later, a script file
// that does so, a function's body. `. FILE` with a value is let through: it names a file, as any argument may.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hark {

struct ShellPlace {
  enum class Kind { bare, double_quotes, single_quotes, here_document, comment };
  Kind kind = Kind::bare;
  std::size_t position = 0;
  bool is_alone = false;   // bare: the whole of a word, so that an empty list may leave no word
  bool is_joined = false;  // bare: a list must be one word here
};

struct ShellProblem {
  std::size_t position = 0;
  std::string why;
  bool about_value = false;  // the template at `position` is refused; else the script cannot be followed
};

struct ShellReading {
  std::vector<ShellPlace> places;  // one for each template, in order
  std::optional<ShellProblem> problem;
};

// `script`: with kShellHole (core/shell_words.h) for each template.
ShellReading read_shell(std::string_view script);

}  // namespace hark
