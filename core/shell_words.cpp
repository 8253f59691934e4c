#include "core/shell_words.h"

#include <algorithm>
#include <array>
#include <utility>

namespace hark {

namespace {

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr std::array<std::string_view, 10> kShells = {"sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "rbash", "yash", "fish"};

// Every argument is joined and parsed as shell text, here or on another host.
constexpr std::array<std::string_view, 9> kEvaluators = {"eval", "trap", "ssh",   "autossh", "slogin",
                                                         "rsh",  "mosh", "watch", "parallel"};

// Their standard input is shell text.
constexpr std::array<std::string_view, 6> kReadShellText = {"ssh", "autossh", "slogin", "rsh", "at", "batch"};

// Their arguments name variables, and a name may hold code (an array's index, an alias' text), or set what later commands obey.
constexpr std::array<std::string_view, 11> kDeclarations = {"export", "readonly", "local", "declare", "typeset", "unset",
                                                            "read",   "alias",    "let",   "getopts", "hash"};

// Run a shell of their own whose standard input may be ours.
constexpr std::array<std::string_view, 8> kContainers = {"docker", "podman", "kubectl", "oc",
                                                         "lxc",    "incus",  "nerdctl", "machinectl"};

// A command that runs the command in its arguments: the short options that take a value, and the operands before the program.
struct Wrapper {
  std::string_view name;
  std::string_view options_with_value;
  int operands;
};
constexpr std::array<Wrapper, 22> kWrappers = {{{"env", "uCS", 0},
                                                {"exec", "a", 0},
                                                {"command", "", 0},
                                                {"builtin", "", 0},
                                                {"sudo", "ugpUCDhrtRT", 0},
                                                {"doas", "uC", 0},
                                                {"nohup", "", 0},
                                                {"nice", "n", 0},
                                                {"ionice", "cnpPu", 0},
                                                {"setsid", "", 0},
                                                {"stdbuf", "ioe", 0},
                                                {"timeout", "ks", 1},
                                                {"chroot", "", 1},
                                                {"flock", "wE", 1},
                                                {"time", "fo", 0},
                                                {"xargs", "IEdLnPsa", 0},
                                                {"strace", "eopsuEaSPbIOX", 0},
                                                {"setpriv", "", 0},
                                                {"unshare", "SGRw", 0},
                                                {"nsenter", "tSGrw", 0},
                                                {"chronic", "", 0},
                                                {"systemd-run", "pEMHut", 0}}};

// A command with program text in an option, or in its first operand.
struct Interpreter {
  std::string_view name;
  std::string_view code_options;        // short ones; the text follows in the word or is the next word
  std::string_view options_with_value;  // others that take one
  bool operand_is_code;                 // without such an option
  bool options_anywhere;                // also after operands
};
constexpr std::array<Interpreter, 26> kInterpreters = {
    {{"sh", "c", "oO", false, false},         {"su", "c", "gGswT", false, true},
     {"runuser", "c", "gGsuwT", false, true}, {"flock", "c", "wE", false, true},
     {"script", "c", "BEIOTmo", false, true}, {"perl", "eE", "IMmidxFV0", false, false},
     {"python", "c", "WXQ", false, false},    {"python2", "c", "WXQ", false, false},
     {"python3", "c", "WXQ", false, false},   {"pypy3", "c", "WXQ", false, false},
     {"ruby", "e", "IrCEx", false, false},    {"node", "ep", "rC", false, false},
     {"nodejs", "ep", "rC", false, false},    {"php", "rBRE", "dczfF", false, false},
     {"lua", "e", "l", false, false},         {"Rscript", "e", "", false, false},
     {"tclsh", "", "", false, false},         {"awk", "e", "FvfEil", true, false},
     {"gawk", "e", "FvfEil", true, false},    {"mawk", "", "FvfW", true, false},
     {"nawk", "", "Fvf", true, false},        {"original-awk", "", "Fvf", true, false},
     {"sed", "e", "fl", true, true},          {"psql", "c", "dfFhLopPRTUv", false, true},
     {"mysql", "e", "DhPSu", false, true},    {"mariadb", "e", "DhPSu", false, true}}};
constexpr std::array<std::string_view, 9> kLongCodeOptions = {
    "--command", "--session-command", "--eval", "--print", "--expression", "--source", "--execute", "--run", "--split-string"};

std::string base_name(std::string_view word) { return std::string(word.substr(word.rfind('/') + 1)); }

bool is_shell(std::string_view word) {
  if (word == "$SHELL" || word == "${SHELL}" || word == "$BASH" || word == "${BASH}") return true;
  return contains(kShells, base_name(word));
}

bool has_hole(const ShellWord& word) { return word.holes > 0; }

class Reader {
 public:
  explicit Reader(const std::vector<ShellWord>& words) : words_(words) {}

  ShellWordsReading read() {
    std::size_t at = 0;
    while (at < words_.size() && words_[at].is_assignment) reading_.joined.push_back(at++);
    read_command(at);
    // Something like `docker exec box sh -c ...`: a shell or interpreter among the arguments of what we do not know.
    for (std::size_t i = at + 1; i < words_.size() && !reading_.refusal; ++i) {
      if (!has_hole(words_[i])) read_interpreter(i, false);
    }
    return std::move(reading_);
  }

 private:
  void refuse(std::size_t word, std::string why) {
    if (!reading_.refusal) reading_.refusal = ShellRefusal{word, std::move(why)};
  }

  // The word at `at` is the program.
  void read_command(std::size_t at) {
    if (at >= words_.size() || reading_.refusal) return;
    if (has_hole(words_[at])) return refuse(at, "a value here would choose the program");
    const std::string name = base_name(words_[at].text);
    if (contains(kEvaluators, name)) {
      refuse_holes(at + 1, name + " parses its arguments as shell text again");
      reading_.standard_input_is_code = contains(kReadShellText, name);
    } else if (contains(kReadShellText, name)) {
      reading_.standard_input_is_code = true;
    } else if (contains(kDeclarations, name)) {
      read_declaration(at, name);
    } else if (name == "[[") {
      refuse_holes(at + 1, "[[ evaluates its words as arithmetic in some shells (use [)");
    } else if (name == "for" && at + 1 < words_.size() && has_hole(words_[at + 1])) {
      refuse(at + 1, "a value here would choose the variable");
    } else {
      read_program(at, name);
    }
  }

  void read_program(std::size_t at, const std::string& name) {
    read_interpreter(at, true);
    for (const Wrapper& wrapper : kWrappers) {
      if (wrapper.name == name) return read_wrapper(at, wrapper);
    }
    if (name != "find" && name != "fd") return;
    for (std::size_t i = at + 1; i + 1 < words_.size(); ++i) {
      const std::string& text = words_[i].text;
      if (text == "-exec" || text == "-execdir" || text == "-ok" || text == "-okdir" || text == "-x" || text == "-X")
        read_command(i + 1);
    }
  }

  void refuse_holes(std::size_t from, const std::string& why) {
    for (std::size_t i = from; i < words_.size(); ++i) {
      if (has_hole(words_[i])) return refuse(i, why);
    }
  }

  void read_declaration(std::size_t at, const std::string& name) {
    for (std::size_t i = at + 1; i < words_.size(); ++i) {
      const bool is_value = words_[i].is_assignment && name != "alias" && name != "let";
      if (is_value) {
        reading_.joined.push_back(i);
      } else if (has_hole(words_[i])) {
        return refuse(i, "a value here would choose what " + name + " works on");
      }
    }
  }

  void read_wrapper(std::size_t at, const Wrapper& wrapper) {
    int operands = wrapper.operands;
    const auto skip = [&](std::size_t word) { reading_.joined.push_back(word); };
    for (++at; at < words_.size(); ++at) {
      const ShellWord& word = words_[at];
      const std::string_view text = word.text;
      if (text.starts_with("--split-string") || (wrapper.name == "env" && text.starts_with("-S"))) {
        const std::size_t code = text == "-S" || text == "--split-string" ? at + 1 : at;
        if (code < words_.size() && has_hole(words_[code])) return refuse(code, "env splits this into a command again");
      }
      if (text == "--" || (text.starts_with('-') && text.size() > 1)) {
        skip(at);
        const bool takes_value = text.size() == 2 && wrapper.options_with_value.find(text[1]) != std::string_view::npos;
        if (takes_value && at + 1 < words_.size()) skip(++at);
      } else if (word.is_assignment) {
        skip(at);
      } else if (operands > 0) {
        skip(at);
        --operands;
      } else {
        return read_command(at);
      }
    }
  }

  // `certain`: the word at `at` is the program; else it only looks like one among another program's arguments.
  void read_interpreter(std::size_t at, bool certain) {
    std::string name = is_shell(words_[at].text) ? "sh" : base_name(words_[at].text);
    if (name.starts_with("python3.")) name = "python3";
    for (const Interpreter& interpreter : kInterpreters) {
      if (interpreter.name == name) return read_code(at, interpreter, certain);
    }
  }

  void read_code(std::size_t at, const Interpreter& interpreter, bool certain) {
    const bool shell = interpreter.name == "sh";
    const std::string name = base_name(words_[at].text);
    const std::string why = name + " would parse the value as program text";
    Options options;
    bool operands = false;
    for (++at; at < words_.size(); ++at) {
      const std::string_view text = words_[at].text;
      if (text == "--" || text == "-") {
        options.ended = options.ended || text == "--";
        options.standard_input = options.standard_input || text == "-";
      } else if (!options.ended && (text[0] == '-' || (shell && text[0] == '+'))) {
        at = read_option(at, interpreter, why, options);
      } else if (!std::exchange(operands, true)) {
        const bool code = (shell && options.code) || (interpreter.operand_is_code && certain && !options.code);
        if (code && has_hole(words_[at])) refuse(at, why);
        const bool may_be_option = shell && certain && !options.ended && text[0] == kShellHole;
        if (may_be_option) refuse(at, "a value here could be an option of " + name + " such as -c (write -- or ./ before it)");
        if (!interpreter.options_anywhere) break;
      }
    }
    const bool script_named = operands && !options.standard_input && !interpreter.options_anywhere;
    const bool reads_program = !interpreter.operand_is_code && name != "flock" && name != "script" && name != "Rscript";
    const bool reads = certain || (shell && contains(kContainers, base_name(words_.front().text)));
    if (reads && reads_program && !script_named && !options.code) reading_.standard_input_is_code = true;
  }

  struct Options {
    bool code = false;            // one that brings the program's text was there
    bool standard_input = false;  // one that says that the program comes from there
    bool ended = false;
  };

  // Returns the last word that belongs to the option at `at`.
  std::size_t read_option(std::size_t at, const Interpreter& interpreter, const std::string& why, Options& options) {
    const std::string_view text = words_[at].text;
    const bool shell = interpreter.name == "sh";
    const bool more = at + 1 < words_.size();
    if (text.starts_with("--")) {
      const std::string_view option = text.substr(0, text.find('='));
      const bool takes_value = shell && (option == "--rcfile" || option == "--init-file");
      if (!contains(kLongCodeOptions, option)) return takes_value && more ? at + 1 : at;
      options.code = true;
      return refuse_code(at, text == option, why);
    }
    const std::size_t letter = text.find_first_of(interpreter.code_options, 1);
    const std::size_t valued = text.find_first_of(interpreter.options_with_value, 1);
    if (letter != std::string_view::npos && (shell || letter < valued)) {
      options.code = true;
      // A shell's command text is its first operand, wherever the `c` stands among the options.
      if (!shell) return refuse_code(at, text.find_first_not_of(interpreter.code_options, letter) == std::string_view::npos, why);
    }
    if (shell && has_hole(words_[at])) refuse(at, why);
    // awk's and sed's -f: the program is a file.
    if (interpreter.operand_is_code && valued != std::string_view::npos && text[valued] == 'f') options.code = true;
    options.standard_input = options.standard_input || (shell && text.find('s', 1) != std::string_view::npos);
    const bool takes_next = valued != std::string_view::npos && valued + 1 == text.size() && more;
    return takes_next && !words_[at + 1].text.starts_with('-') ? at + 1 : at;
  }

  std::size_t refuse_code(std::size_t at, bool in_next, const std::string& why) {
    if (has_hole(words_[at])) refuse(at, why);
    if (!in_next || at + 1 >= words_.size()) return at;
    if (has_hole(words_[at + 1])) refuse(at + 1, why);
    return words_[at + 1].text.starts_with('-') ? at : at + 1;
  }

  const std::vector<ShellWord>& words_;
  ShellWordsReading reading_;
};

}  // namespace

ShellWordsReading read_shell_words(const std::vector<ShellWord>& words) { return Reader(words).read(); }

}  // namespace hark
