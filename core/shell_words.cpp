#include "core/shell_words.h"

#include <utility>

#include "core/shell_programs.h"

namespace hark {

namespace {

class Reader {
 public:
  explicit Reader(std::vector<ShellWord> words) : words_(std::move(words)), size_(words_.size()), feeders_(size_) {}

  ShellWordsReading read(bool in_shell) {
    std::size_t at = 0;
    while (in_shell && at < size_ && words_[at].is_assignment) read_assignment(at++);
    read_command(at);
    // Something like `docker exec box sh -c ...`: a shell or interpreter among the arguments of what we do not know.
    for (std::size_t i = at + 1; i < size_ && !reading_.refusal; ++i) {
      if (!brings_value(i)) read_interpreter(i, false);
    }
    return std::move(reading_);
  }

 private:
  // A value stands there, or what xargs or find puts there. As a name, the signs before the first value count.
  bool brings_value(std::size_t at) const {
    return words_[at].has_value() || words_[at].text.find(kShellHole) != std::string::npos;
  }
  bool begins_with_value(std::size_t at) const {
    const std::string& text = words_[at].text;
    return text.starts_with(kShellHole) || (words_[at].expands_value && text.starts_with('$'));
  }

  void refuse(std::size_t word, std::string why, ShellCure cure = ShellCure::general) {
    if (reading_.refusal) return;
    if (words_[word].has_value()) {
      reading_.refusal = ShellRefusal{word, std::move(why), cure};
      return;
    }
    // What xargs or find puts there would be code. The names of files are as hostile as any value.
    const std::string feeder = program_name(words_[feeders_[word]].text);
    const std::string fed = "what " + feeder + " puts into its words would be code: ";
    if (feeder != "xargs" && word < size_) {  // behind them stands what xargs puts there
      reading_.refusal = ShellRefusal{word, fed + why, cure};
      return;
    }
    reading_.standard_input_is_code = true;
    for (std::size_t i = 0; i < size_; ++i) {
      if (words_[i].has_value()) return refuse(i, fed + why, cure);
    }
  }

  void join(std::size_t word) {
    if (word < size_) reading_.joined.push_back(word);
  }

  // The word at `at` is the program.
  void read_command(std::size_t at) {
    if (at >= words_.size() || reading_.refusal) return;
    if (brings_value(at)) return refuse(at, "a value here would choose the program", ShellCure::fixed_program);
    const std::string name = program_name(words_[at].text);
    if (reads_code(name)) reading_.standard_input_is_code = true;
    if ((name == "." || name == "source") && at + 1 < size_ && names_descriptor(words_[at + 1].text)) reading_.standard_input_is_code = true;
    if (const std::string_view what = code_in_arguments(name); !what.empty()) {
      refuse_values(at + 1, name + ' ' + std::string(what), name.ends_with("make") ? ShellCure::recipe : ShellCure::general);
    } else if (is_declaration(name)) {
      read_declaration(at, name);
    } else if (name == "[[") {
      refuse_values(at + 1, "[[ evaluates its words as arithmetic in some shells (use [)");
    } else if (name == "for" && at + 1 < words_.size() && brings_value(at + 1)) {
      refuse(at + 1, "a value here would choose the variable");
    } else if (name == "git") {
      read_git(at);
    } else if (name == "find" || name == "fd") {
      read_find(at);
    } else {
      read_interpreter(at, true);
      if (const Wrapper* wrapper = find_wrapper(name)) read_wrapper(at, *wrapper);
    }
  }

  void refuse_values(std::size_t from, const std::string& why, ShellCure cure = ShellCure::general) {
    for (std::size_t i = from; i < words_.size(); ++i) {
      if (brings_value(i)) return refuse(i, why, cure);
    }
  }

  void read_assignment(std::size_t at) {
    join(at);
    const std::string name = words_[at].text.substr(0, words_[at].text.find('='));
    if (brings_value(at) && chooses_code(name)) refuse(at, name + " chooses the code that commands run");
  }

  void read_declaration(std::size_t at, const std::string& name) {
    for (std::size_t i = at + 1; i < words_.size(); ++i) {
      const bool is_value = words_[i].is_assignment && name != "alias" && name != "let";
      if (is_value) {
        read_assignment(i);
      } else if (brings_value(i)) {
        return refuse(i, "a value here would choose what " + name + " works on");
      }
    }
  }

  // git -c NAME=VALUE: names such as alias.x and core.sshCommand hold commands.
  void read_git(std::size_t at) {
    for (++at; at + 1 < words_.size() && words_[at].text.starts_with('-'); ++at) {
      const std::string& text = words_[at].text;
      if (text.starts_with("--exec-path=") && brings_value(at))
        return refuse(at, "a value here would choose the programs of git");
      if (text != "-c" && text != "-C" && text != "--config-env" && text != "--git-dir" && text != "--work-tree") continue;
      join(++at);
      const bool names =
          words_[at].text.find(kShellHole) < words_[at].text.find('=') || words_[at].text.find('=') == std::string::npos;
      if (text == "-c" && names && brings_value(at))
        return refuse(at, "git would take a setting from it, and some name commands to run");
    }
    if (at < size_) read_git_command(at);
  }

  // What of the command of git at `at` is a command for the shell.
  void read_git_command(std::size_t at) {
    const std::string command = words_[at].text;
    const std::string second = at + 1 < size_ ? words_[at + 1].text : "";
    const std::string why = "git runs it as a command";
    if (command == "filter-branch" || (command == "bisect" && second == "run") || (command == "submodule" && second == "foreach")) return refuse_values(at + 1, why);
    for (++at; at < size_ && words_[at].text != "--"; ++at) {
      const std::string option = words_[at].text.substr(0, words_[at].text.find('='));
      const bool is_long = option == "--upload-pack" || option == "--receive-pack" || option == "--exec" || option == "--extcmd";
      const bool is_short = option == "-x" && (command == "rebase" || command == "difftool");
      if (is_long || is_short) at = refuse_code(at, words_[at].text == option, why, ShellCure::general);
    }
  }

  // Every list is one word: its elements could be an -exec. `{}` in what -exec runs stands for the files that are found.
  void read_find(std::size_t at) {
    const std::size_t find = at;
    for (std::size_t i = at + 1; i < size_; ++i) join(i);
    for (++at; at + 1 < words_.size(); ++at) {
      const std::string& text = words_[at].text;
      if (text != "-exec" && text != "-execdir" && text != "-ok" && text != "-okdir" && text != "-x" && text != "-X") continue;
      feed(find, at + 1, "{}");
      read_command(at + 1);
    }
  }

  // What the feeder reads takes the place of `sign` in the words from `from` on.
  void feed(std::size_t feeder, std::size_t from, const std::string& sign) {
    for (std::size_t i = from; i < size_; ++i) {
      for (std::size_t at = 0; (at = words_[i].text.find(sign, at)) != std::string::npos; ++at) {
        words_[i].text.replace(at, sign.size(), 1, kShellHole);
        feeders_[i] = feeder;
      }
    }
  }

  void read_wrapper(std::size_t at, const Wrapper& wrapper) {
    const bool is_xargs = wrapper.name == "xargs";
    const std::size_t feeder = at;
    int operands = wrapper.operands;
    std::string sign;  // of xargs: -I
    for (++at; at < size_; ++at) {
      const ShellWord& word = words_[at];
      const std::string_view text = word.text;
      if (text.starts_with("--split-string") || (wrapper.name == "env" && text.starts_with("-S"))) {
        const std::size_t code = text == "-S" || text == "--split-string" ? at + 1 : at;
        if (code < size_ && brings_value(code)) return refuse(code, "env splits this into a command again");
      }
      if (text == "--" || (text.starts_with('-') && text.size() > 1)) {
        join(at);
        if (brings_value(at) && text.find_first_not_of('-') == text.find(kShellHole))
          return refuse(at, "a value here would choose the option of " + std::string(wrapper.name));
        const bool takes_value = text.size() == 2 && wrapper.options_with_value.find(text[1]) != std::string_view::npos;
        if (is_xargs && (text.starts_with("-I") || text.starts_with("-i") || text.starts_with("--replace"))) {
          const std::size_t where = text == "-I" && at + 1 < size_ ? at + 1 : at;
          if (brings_value(where)) return refuse(where, "a value here would choose which words xargs replaces");
          sign = replace_sign(at, text);
        }
        if (takes_value && at + 1 < size_) join(++at);
      } else if (word.is_assignment) {
        read_assignment(at);
      } else if (operands > 0) {
        join(at);
        --operands;
        const bool ended = words_[at - 1].text == "--";
        if (begins_with_value(at) && !ended)
          refuse(at, "a value here could be an option of " + std::string(wrapper.name), ShellCure::end_of_options);
      } else {
        if (is_xargs) feed_xargs(feeder, at, sign);
        return read_command(at);
      }
    }
    read_command(at);  // what xargs puts there, if anything
  }

  std::string replace_sign(std::size_t at, std::string_view option) const {
    if (option == "-I") return at + 1 < size_ ? words_[at + 1].text : "";
    const std::size_t length = option.starts_with("--") ? std::string_view("--replace=").size() : 2;
    return option.size() > length ? std::string(option.substr(length)) : "{}";
  }

  // Without -I the arguments that xargs reads come last.
  void feed_xargs(std::size_t feeder, std::size_t program, const std::string& sign) {
    if (!sign.empty()) return feed(feeder, program, sign);
    words_.emplace_back().text = kShellHole;
    feeders_.push_back(feeder);
  }

  // `certain`: the word at `at` is the program; else it only looks like one among another program's arguments.
  void read_interpreter(std::size_t at, bool certain) {
    if (const Interpreter* interpreter = find_interpreter(words_[at].text)) read_code(at, *interpreter, certain);
  }

  struct Options {
    bool code = false;            // one that brings the program's text was there
    bool standard_input = false;  // one that says that the program comes from there
    bool ended = false;
  };

  void read_code(std::size_t at, const Interpreter& interpreter, bool certain) {
    const bool shell = interpreter.name == "sh";
    const std::string name = program_name(words_[at].text);
    const std::string why = name + " would parse the value as program text";
    const ShellCure cure = shell ? ShellCure::shell_argument : ShellCure::argument;
    Options options;
    bool operands = false;
    for (++at; at < words_.size(); ++at) {
      const std::string_view text = words_[at].text;
      if (text == "--" || text == "-") {
        options.ended = options.ended || text == "--";
        options.standard_input = options.standard_input || text == "-";
      } else if (!options.ended && !text.empty() && (text[0] == '-' || (shell && text[0] == '+'))) {
        at = read_option(at, interpreter, why, options);
      } else {
        const bool first = !std::exchange(operands, true);
        options.standard_input = options.standard_input || (first && names_descriptor(text));
        const bool code = first && ((shell && options.code) || (interpreter.operand_is_code && certain && !options.code));
        if (code && brings_value(at)) refuse(at, why, cure);
        const bool may_be_option = certain && !code && !options.ended && begins_with_value(at);
        if (may_be_option)
          refuse(at, "a value here could be an option of " + name + " that brings program text", ShellCure::end_of_options);
        if (!interpreter.options_anywhere) break;
      }
    }
    const bool script_named = operands && !options.standard_input && !interpreter.options_anywhere;
    const bool reads_program = !interpreter.operand_is_code && name != "flock" && name != "script" && name != "Rscript";
    const bool reads = certain || (shell && is_container(program_name(words_.front().text)));
    if (reads && reads_program && !script_named && !options.code) reading_.standard_input_is_code = true;
  }

  // Returns the last word that belongs to the option at `at`. A list in them stays one word: its second element would be the
  // program's text or another option.
  std::size_t read_option(std::size_t at, const Interpreter& interpreter, const std::string& why, Options& options) {
    const std::string_view text = words_[at].text;
    const bool shell = interpreter.name == "sh";
    const ShellCure cure = shell ? ShellCure::shell_argument : ShellCure::argument;
    const bool more = at + 1 < words_.size();
    const auto with_next = [&] {
      join(at + 1);
      return at + 1;
    };
    join(at);
    if (brings_value(at) && text.find_first_not_of('-') == text.find(kShellHole)) refuse(at, why, cure);
    if (text.starts_with("--")) {
      const std::string_view option = text.substr(0, text.find('='));
      const bool takes_value = shell && (option == "--rcfile" || option == "--init-file");
      if (!is_long_code_option(option)) return takes_value && more ? with_next() : at;
      options.code = true;
      return refuse_code(at, text == option, why, cure);
    }
    const std::size_t letter = text.find_first_of(interpreter.code_options, 1);
    const std::size_t valued = text.find_first_of(interpreter.options_with_value, 1);
    if (letter != std::string_view::npos && (shell || letter < valued)) {
      options.code = true;
      options.ended = interpreter.code_ends_options;
      // A shell's command text is its first operand, wherever the `c` stands among the options.
      if (!shell)
        return refuse_code(at, text.find_first_not_of(interpreter.code_options, letter) == std::string_view::npos, why, cure);
    }
    if (shell && brings_value(at)) refuse(at, why, cure);
    // awk's and sed's -f: the program is a file.
    if (interpreter.operand_is_code && valued != std::string_view::npos && text[valued] == 'f') options.code = true;
    options.standard_input = options.standard_input || (shell && text.find('s', 1) != std::string_view::npos);
    const bool takes_next = valued != std::string_view::npos && valued + 1 == text.size() && more;
    return takes_next && !words_[at + 1].text.starts_with('-') ? with_next() : at;
  }

  std::size_t refuse_code(std::size_t at, bool in_next, const std::string& why, ShellCure cure) {
    if (brings_value(at)) refuse(at, why, cure);
    if (!in_next || at + 1 >= words_.size()) return at;
    if (brings_value(at + 1)) refuse(at + 1, why, cure);
    return words_[at + 1].text.starts_with('-') ? at : at + 1;
  }

  std::vector<ShellWord> words_;  // with kShellHole where xargs or find puts something
  std::size_t size_;              // what was written; an argument of xargs may stand behind it
  std::vector<std::size_t> feeders_;  // of each word: that xargs or find
  ShellWordsReading reading_;
};

}  // namespace

ShellWordsReading read_shell_words(std::vector<ShellWord> words) { return Reader(std::move(words)).read(true); }
ShellWordsReading read_argument_words(std::vector<ShellWord> words) { return Reader(std::move(words)).read(false); }

}  // namespace hark
