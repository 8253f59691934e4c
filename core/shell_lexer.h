// Reads a POSIX shell script (POSIX.1-2017 XCU 2, as dash(1) reads it) as far as it takes to know where each template in it
// stands, and whether a value put there could become code. Pure; bounded by limits::kShellDepth and linear in the script.
//
// Refused: a value inside `...`, $((...)), ${...}, ((...)), [[...]], a quoted here-document, after a backslash; as the name of a
// command (also behind env, sudo, xargs, find -exec and their like); as an argument of eval, trap, ssh, ., make; as the command
// text of a shell's or an interpreter's -c or -e, as the program of awk or sed, or where it could be such an option; in what is
// piped or here-documented into a shell, or through xargs into its command text; as the name of a variable (export, read, unset)
// or the value of one that chooses code (PATH, LD_PRELOAD); after constructs that shells read differently ($'...', <<<, alias).
// core/shell_programs.h has the programs. The same where a value comes in a variable (v={x}; eval "$v"), a for, a read from a
// pipe or a $(...).
// Not seen, as it does not follow from the words: what a function, a script file, the text of an inner `sh -c` or an unknown
// program does with its arguments, its standard input and its environment; a variable used before the line that sets it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/shell_words.h"

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
  ShellCure cure = ShellCure::general;
};

struct ShellReading {
  std::vector<ShellPlace> places;  // one for each template, in order
  std::optional<ShellProblem> problem;
};

// `script`: with kShellHole (core/shell_words.h) for each template.
ShellReading read_shell(std::string_view script);

}  // namespace hark
