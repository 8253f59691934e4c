// What hark knows of the programs that take code, and of the variables that choose it: tables without rules (those are in
// shell_words.h). A program that is not here may do with its arguments what it likes. Pure; callable from any thread.
#pragma once

#include <string>
#include <string_view>

namespace hark {

// A command that runs the command in its arguments: the short options that take a value, and the operands before the program.
struct Wrapper {
  std::string_view name;
  std::string_view options_with_value;
  int operands;
};

// A command with program text in an option, or in its first operand.
struct Interpreter {
  std::string_view name;
  std::string_view code_options;        // short ones; the text follows in the word or is the next word
  std::string_view options_with_value;  // others that take one
  bool operand_is_code = false;         // without such an option
  bool options_anywhere = false;        // also after operands
  bool code_ends_options = false;       // what follows the program text is an argument, whatever it begins with
};

// Without its folders: "/bin/sh" -> "sh".
std::string program_name(std::string_view word);

bool is_shell(std::string_view word);                // also "$SHELL"
const Wrapper* find_wrapper(std::string_view name);  // nullptr: none, as below
const Interpreter* find_interpreter(std::string_view word);
bool is_long_code_option(std::string_view option);  // of any interpreter: "--eval"

// What the program does with any of its arguments that makes a value among them code, as words after its name; empty: nothing.
std::string_view code_in_arguments(std::string_view name);
bool reads_code(std::string_view name);      // its standard input is code, even if it has arguments
bool names_descriptor(std::string_view file);  // an open file, the standard input among them: /dev/stdin, /dev/fd/3
bool is_declaration(std::string_view name);  // its arguments name variables: export, read
bool is_container(std::string_view name);    // runs a shell of its own whose standard input may be ours: docker

// Whoever sets the variable chooses what later commands run: PATH, LD_PRELOAD, GIT_SSH_COMMAND.
bool chooses_code(std::string_view variable);

}  // namespace hark
