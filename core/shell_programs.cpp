#include "core/shell_programs.h"

#include <algorithm>
#include <array>

namespace hark {

namespace {

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr std::array<std::string_view, 10> kShells = {"sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "rbash", "yash", "fish"};

struct Evaluator {
  std::string_view name;
  std::string_view what;
};
constexpr std::string_view kShellText = "parses its arguments as shell text again";
constexpr std::string_view kFile = "runs the file that the value names";
constexpr std::string_view kMakeText = "expands $(shell ...) in its arguments";
constexpr std::string_view kCommands = "takes commands from its arguments";
constexpr std::string_view kRuns = "runs the command in its arguments";
constexpr std::array<Evaluator, 33> kEvaluators = {
    {{"eval", kShellText}, {"trap", kShellText}, {"ssh", kShellText},   {"autossh", kShellText},  {"slogin", kShellText},
     {"rsh", kShellText},  {"mosh", kShellText}, {"watch", kShellText}, {"parallel", kShellText}, {".", kFile},
     {"source", kFile},    {"make", kMakeText},  {"gmake", kMakeText},  {"sqlite3", kCommands},   {"gdb", kCommands},
     {"lldb", kCommands},  {"vim", kCommands},   {"vi", kCommands},     {"nvim", kCommands},      {"view", kCommands},
     {"ex", kCommands},    {"ed", kCommands},    {"emacs", kCommands},  {"gnuplot", kCommands},   {"dc", kCommands},
     {"m4", kCommands},    {"lftp", kCommands}, {"socat", kCommands},  {"bwrap", kRuns},        {"firejail", kRuns},
     {"xterm", kRuns},     {"tmux", kRuns},     {"screen", kRuns}}};

constexpr std::array<std::string_view, 20> kReadCode = {"ssh",     "autossh", "slogin", "rsh",  "at",   "batch", "parallel",
                                                        "crontab", "sqlite3", "gdb",    "lldb", "ed",   "ex",    "dc",
                                                        "m4",      "gnuplot", "ftp",    "sftp", "lftp", "octave"};

// A name may hold code (an array's index, an alias' text), or set what later commands obey.
constexpr std::array<std::string_view, 11> kDeclarations = {"export", "readonly", "local", "declare", "typeset", "unset",
                                                            "read",   "alias",    "let",   "getopts", "hash"};

constexpr std::array<std::string_view, 8> kContainers = {"docker", "podman", "kubectl", "oc",
                                                         "lxc",    "incus",  "nerdctl", "machinectl"};

constexpr std::array<Wrapper, 29> kWrappers = {{{"env", "uCS", 0},
                                                {"exec", "a", 0},
                                                {"command", "", 0},
                                                {"builtin", "", 0},
                                                {"sudo", "ugpUCDhrtRT", 0},
                                                {"doas", "uC", 0},
                                                {"nohup", "", 0},
                                                {"nice", "n", 0},
                                                {"ionice", "cnpPu", 0},
                                                {"setsid", "", 0},
                                                {"taskset", "", 1},
                                                {"setarch", "", 1},
                                                {"linux32", "", 0},
                                                {"linux64", "", 0},
                                                {"runuser", "ugG", 0},
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
                                                {"systemd-run", "pEMHut", 0},
                                                {"busybox", "", 0},
                                                {"toybox", "", 0}}};

constexpr std::array<Interpreter, 36> kInterpreters = {{{"sh", "c", "oO"},
                                                        {"su", "c", "gGswT", false, true},
                                                        {"runuser", "c", "gGsuwT", false, true},
                                                        {"flock", "c", "wE", false, true},
                                                        {"script", "c", "BEIOTmo", false, true},
                                                        {"perl", "eEMm", "IidxFV0"},
                                                        {"python", "c", "WXQ", false, false, true},
                                                        {"python2", "c", "WXQ", false, false, true},
                                                        {"python3", "c", "WXQ", false, false, true},
                                                        {"pypy3", "c", "WXQ", false, false, true},
                                                        {"ruby", "e", "IrCEx"},
                                                        {"node", "ep", "rC"},
                                                        {"nodejs", "ep", "rC"},
                                                        {"bun", "ep", "r"},
                                                        {"php", "rBRE", "dczfF"},
                                                        {"lua", "e", "l"},
                                                        {"julia", "eE", "HJCLpt"},
                                                        {"guile", "c", "lLCx", false, false, true},
                                                        {"expect", "c", "b"},
                                                        {"elixir", "e", "rS"},
                                                        {"osascript", "e", "l"},
                                                        {"pwsh", "c", "f"},
                                                        {"powershell", "c", "f"},
                                                        {"Rscript", "e", ""},
                                                        {"R", "e", "fg"},
                                                        {"split", "", "abnClt", false, true},
                                                        {"tclsh", "", ""},
                                                        {"awk", "e", "FvfEil", true},
                                                        {"gawk", "e", "FvfEil", true},
                                                        {"mawk", "", "FvfW", true},
                                                        {"nawk", "", "Fvf", true},
                                                        {"original-awk", "", "Fvf", true},
                                                        {"sed", "e", "fl", true, true},
                                                        {"psql", "c", "dfFhLopPRTUv", false, true},
                                                        {"mysql", "e", "DhPSu", false, true},
                                                        {"mariadb", "e", "DhPSu", false, true}}};
constexpr std::array<std::string_view, 10> kLongCodeOptions = {
    "--filter", "--command", "--session-command", "--eval", "--print", "--expression", "--source", "--execute", "--run", "--split-string"};

constexpr std::array<std::string_view, 5> kVariablePrefixes = {"LD_", "DYLD_", "GIT_CONFIG", "BASH_FUNC_", "npm_config_"};
constexpr std::array<std::string_view, 49> kVariables = {"PATH",
                                                         "IFS",
                                                         "ENV",
                                                         "BASH_ENV",
                                                         "SHELL",
                                                         "PS4",
                                                         "PROMPT_COMMAND",
                                                         "GCONV_PATH",
                                                         "PYTHONPATH",
                                                         "PYTHONHOME",
                                                         "PYTHONSTARTUP",
                                                         "PERL5LIB",
                                                         "PERLLIB",
                                                         "PERL5OPT",
                                                         "PERL5DB",
                                                         "RUBYOPT",
                                                         "RUBYLIB",
                                                         "NODE_OPTIONS",
                                                         "NODE_PATH",
                                                         "LUA_INIT",
                                                         "LUA_PATH",
                                                         "LUA_CPATH",
                                                         "PHPRC",
                                                         "AWKPATH",
                                                         "AWKLIBPATH",
                                                         "CLASSPATH",
                                                         "_JAVA_OPTIONS",
                                                         "JAVA_TOOL_OPTIONS",
                                                         "JDK_JAVA_OPTIONS",
                                                         "MAKEFLAGS",
                                                         "GNUMAKEFLAGS",
                                                         "MFLAGS",
                                                         "MAKEFILES",
                                                         "PAGER",
                                                         "MANPAGER",
                                                         "EDITOR",
                                                         "VISUAL",
                                                         "BROWSER",
                                                         "LESSOPEN",
                                                         "LESSCLOSE",
                                                         "SSH_ASKPASS",
                                                         "RSYNC_RSH",
                                                         "TAR_OPTIONS",
                                                         "GIT_SSH",
                                                         "GIT_SSH_COMMAND",
                                                         "GIT_EXEC_PATH",
                                                         "GIT_EXTERNAL_DIFF",
                                                         "GIT_PAGER",
                                                         "GIT_EDITOR"};

template <class Row, std::size_t N>
const Row* find_row(const std::array<Row, N>& rows, std::string_view name) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& each) { return each.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

}  // namespace

std::string program_name(std::string_view word) { return std::string(word.substr(word.rfind('/') + 1)); }

bool is_shell(std::string_view word) {
  if (word == "$SHELL" || word == "${SHELL}" || word == "$BASH" || word == "${BASH}") return true;
  return contains(kShells, program_name(word));
}

const Wrapper* find_wrapper(std::string_view name) { return find_row(kWrappers, name); }

const Interpreter* find_interpreter(std::string_view word) {
  const std::string name = program_name(word);
  return find_row(kInterpreters, is_shell(word) ? "sh" : name.starts_with("python3.") ? "python3" : std::string_view(name));
}

bool is_long_code_option(std::string_view option) { return contains(kLongCodeOptions, option); }

std::string_view code_in_arguments(std::string_view name) {
  const Evaluator* row = find_row(kEvaluators, name);
  return row == nullptr ? std::string_view() : row->what;
}

bool reads_code(std::string_view name) { return contains(kReadCode, name); }
bool names_descriptor(std::string_view file) {
  return file == "/dev/stdin" || file.starts_with("/dev/fd/") || (file.starts_with("/proc/") && file.find("/fd/") != std::string_view::npos);
}
bool is_declaration(std::string_view name) { return contains(kDeclarations, name); }
bool is_container(std::string_view name) { return contains(kContainers, name); }

bool chooses_code(std::string_view variable) {
  const auto begins = [&](std::string_view prefix) { return variable.starts_with(prefix); };
  return contains(kVariables, variable) || std::any_of(kVariablePrefixes.begin(), kVariablePrefixes.end(), begins);
}

}  // namespace hark
