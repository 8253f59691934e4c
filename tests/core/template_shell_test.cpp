// render_shell() and check_shell(), with the real /bin/sh.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "core/event_field.h"
#include "core/limits.h"
#include "core/shell_lexer.h"
#include "core/template.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/rounds.h"

using hark::Template;
using Json = nlohmann::json;

namespace {

hark::Result<hark::ShellCommand> rendered(std::string_view script, const Json& values) {
  return hark::render_shell(Template::parse(script), [&](std::string_view name) { return hark::json_at(values, name); });
}

std::string script_of(std::string_view script, const Json& values) {
  const hark::Result<hark::ShellCommand> command = rendered(script, values);
  return command ? command->script : command.error().message;
}

std::string refusal(std::string_view script) {
  const hark::Status status = hark::check_shell(Template::parse(script));
  return status ? "none" : status.error().message;
}

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Runs the command in `folder` and returns its standard output, its standard error behind it.
std::string run(const hark::ShellCommand& command, const hark::test::TemporaryFolder& folder) {
  const std::string output = folder / "output";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.path().c_str());
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  std::vector<std::string> environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
  for (const auto& [name, value] : command.environment) environment.push_back(name + "=" + value);
  std::vector<char*> pointers;
  for (std::string& text : environment) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  std::string shell = "/bin/sh";
  std::string option = "-c";
  std::string script = command.script;
  char* arguments[] = {shell.data(), option.data(), script.data(), nullptr};
  pid_t child = 0;
  REQUIRE(posix_spawn(&child, "/bin/sh", &actions, nullptr, arguments, pointers.data()) == 0);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  const std::string text = file_text(output);
  unlink(output.c_str());
  return text;
}

bool is_empty(const hark::test::TemporaryFolder& folder) { return std::filesystem::is_empty(folder.path()); }

std::string words(std::initializer_list<std::string> list) {
  std::string text;
  for (const std::string& word : list) text += word + '\0';
  return text;
}

}  // namespace

TEST_CASE("shell: each template becomes a reference quoted by where it stands") {
  const Json values = {{"x", "v"}, {"y", "w"}, {"list", {"a", "b"}}, {"none", Json::array()}};
  struct Row {
    const char* script;
    const char* rendered;
  };
  const Row rows[] = {
      {"echo {x}", "echo \"${HARK_V0}\""},
      {"echo \"a {x} b\"", "echo \"a ${HARK_V0} b\""},
      {"echo 'a {x} b'", "echo 'a '\"${HARK_V0}\"' b'"},
      {"echo {x}{y}{x}", "echo \"${HARK_V0}\"\"${HARK_V1}\"\"${HARK_V0}\""},
      {"echo \"$(cat {x} \"{y}\")\"", "echo \"$(cat \"${HARK_V0}\" \"${HARK_V1}\")\""},
      {"echo $(echo '{x}')", "echo $(echo ''\"${HARK_V0}\"'')"},
      {"cat <<EOF\n\"{x}\"\nEOF\necho {y}", "cat <<EOF\n\"${HARK_V0}\"\nEOF\necho \"${HARK_V1}\""},
      {"cat <<-EOF\n\t{x}\n\tEOF\necho {y}", "cat <<-EOF\n\t${HARK_V0}\n\tEOF\necho \"${HARK_V1}\""},
      {"cat <<'EOF'\nit's $( ` \nEOF\necho {y}", "cat <<'EOF'\nit's $( ` \nEOF\necho \"${HARK_V0}\""},
      {"cat <<A <<\\B\n{x}'\nA\n'\nB\necho {y}", "cat <<A <<\\B\n${HARK_V0}'\nA\n'\nB\necho \"${HARK_V1}\""},
      // a comment: nothing, and its quotes count for nothing
      {"echo {x} # it's {y} \"\necho {y}", "echo \"${HARK_V0}\" # it's  \"\necho \"${HARK_V1}\""},
      {"echo a#'{x}'", "echo a#''\"${HARK_V0}\"''"},
      {"a={x} b='{y}'", "a=\"${HARK_V0}\" b=''\"${HARK_V1}\"''"},
      {"echo > {x} 2>&1", "echo > \"${HARK_V0}\" 2>&1"},
      {"case {x} in ({y}) echo {x};; *) echo b;; esac; echo {y}",
       "case \"${HARK_V0}\" in (\"${HARK_V1}\") echo \"${HARK_V0}\";; *) echo b;; esac; echo \"${HARK_V1}\""},
      {"echo $(case a in a) echo ')' {x};; esac) {y}", "echo $(case a in a) echo ')' \"${HARK_V0}\";; esac) \"${HARK_V1}\""},
      {"echo $((1 + (2))) {x}", "echo $((1 + (2))) \"${HARK_V0}\""},
      {"echo ${A:-'}'} \"${B:-\"}\"}\" {x}", "echo ${A:-'}'} \"${B:-\"}\"}\" \"${HARK_V0}\""},
      {"echo `echo \\`echo a\\`` {x}", "echo `echo \\`echo a\\`` \"${HARK_V0}\""},
      {"for f in {list} {x}; do echo \"$f\"; done",
       "for f in \"${HARK_V0_0}\" \"${HARK_V0_1}\" \"${HARK_V1}\"; do echo \"$f\"; done"},
      {"f() { echo \"$1\"; }; f {x}", "f() { echo \"$1\"; }; f \"${HARK_V0}\""},
      {"(cd a && ls {x})", "(cd a && ls \"${HARK_V0}\")"},
      {"if [ {x} = y ]; then echo {x}; fi", "if [ \"${HARK_V0}\" = y ]; then echo \"${HARK_V0}\"; fi"},
      {"echo \\\n{x}", "echo \\\n\"${HARK_V0}\""},
      {"echo \"\\\"{x}\\\\\" {y}", "echo \"\\\"${HARK_V0}\\\\\" \"${HARK_V1}\""},
      {"echo '\\' {x}", "echo '\\' \"${HARK_V0}\""},
      {"echo {{x}} ${x} {x}", "echo {x} ${x} \"${HARK_V0}\""},
      // lists
      {"ls {list}", "ls \"${HARK_V0_0}\" \"${HARK_V0_1}\""},
      {"ls a{list}b", "ls a\"${HARK_V0_0}\" \"${HARK_V0_1}\"b"},
      {"ls \"{list}\" '{list}'", "ls \"${HARK_V0}\" ''\"${HARK_V0}\"''"},
      {"ls {none} -l", "ls  -l"},
      {"ls a{none}b", "ls a\"\"b"},
      {"ls {none}#x", "ls \"\"#x"},
      {"ls \"{none}\"", "ls \"${HARK_V0}\""},
      // where a second word would be something else than an argument
      {"a={list}", "a=\"${HARK_V0}\""},
      {"a={list} env", "a=\"${HARK_V0}\" env"},
      {"> {list}", "> \"${HARK_V0}\""},
      {"echo >{list} x", "echo >\"${HARK_V0}\" x"},
      {"export A={list}", "export A=\"${HARK_V0}\""},
      {"env A={list} ls {list}", "env A=\"${HARK_V0}\" ls \"${HARK_V0_0}\" \"${HARK_V0_1}\""},
      {"sudo -u {list} ls", "sudo -u \"${HARK_V0}\" ls"},
      {"case {list} in *) ;; esac", "case \"${HARK_V0}\" in *) ;; esac"},
  };
  for (const Row& row : rows) CHECK_MESSAGE(script_of(row.script, values) == row.rendered, std::string(row.script));
}

TEST_CASE("shell: a script without templates is left alone") {
  const char* scripts[] = {"echo `x", "echo 'unclosed", "cat <<< x | eval \"$y\"", "awk '{print $1}' \"${HOME}\""};
  for (const char* script : scripts) {
    CHECK(script_of(script, Json::object()) == script);
    CHECK(refusal(script) == "none");
  }
}

TEST_CASE("shell: a value is refused where it could become code or choose the program") {
  const char* scripts[] = {
      "{x}", "{x} foo", "./{x}", "'{x}'", "\"{x}\" a", "A=1 {x}", "true; {x}", "true && {x}", "true | {x}", "if {x}; then :; fi",
      "( {x} )", "{ {x}; }", "! {x}", "while {x}; do :; done", "echo $({x})", "echo \"$(\n{x})\"", ">f {x}", "f() {\n{x}\n}",
      "{x}() { :; }", "case a in a) {x};; esac", "for {x} in a; do :; done", "<<E\nE\n{x}",
      // wrappers
      "env {x}", "env -i A=b {x} foo", "exec {x}", "exec -a n {x}", "sudo {x}", "sudo -u me {x}", "command {x}", "nohup {x}",
      "nice -n 5 {x}", "timeout 5 {x}", "timeout -k 1 5 {x}", "xargs {x}", "xargs -n1 -0 {x}", "find . -name a -exec {x} ;",
      "/usr/bin/env {x}", "sudo env nice {x}", "env -S 'ls {x}'", "chroot /x {x}", "flock /l {x}", "flock /l -c 'ls {x}'",
      // expansions
      "echo `ls {x}`", "echo \"`ls {x}`\"", "echo $((1 + {x}))", "echo \"$(( $(echo {x}) ))\"", "echo ${a:-{x}}",
      "echo \"${a:-{x}}\"", "echo ${a#$(echo {x})}", "((a = {x}))", "[[ {x} -eq 1 ]]", "cat <<'EOF'\n{x}\nEOF",
      "cat <<\\EOF\n{x}\nEOF", "cat <<\"EOF\"\n{x}\nEOF", "cat <<E{x}\nE", "echo \\{x}", "echo \"\\{x}\"", "cat <<E\n\\{x}\nE",
      "echo \"$\\\n{x}\"",
      // parsed again
      "eval {x}", "eval \"ls '{x}'\"", "eval ls '{x}'", "command eval {x}", "sh -c {x}", "sh -c \"ls {x}\"", "sh -c 'ls {x}'",
      "/bin/bash -c 'ls {x}'", "bash -lc 'ls {x}'", "bash -euo pipefail -c 'ls {x}'", "sh -c -e 'ls {x}'", "sh -ec'{x}' ls",
      "env A=b sh -c 'ls {x}'", "exec dash -c 'ls {x}'", "sudo -u me sh -c 'ls {x}'", "command zsh -c 'ls {x}'",
      "xargs sh -c 'ls {x}'", "xargs -I% sh -c 'ls {x} %'", "find . -exec sh -c 'ls {x}' \\;", "docker exec box sh -c 'ls {x}'",
      "$SHELL -c 'ls {x}'", "\"$SHELL\" -c {x}", "'s'h -c 'ls {x}'", "s\\h -c 'ls {x}'", "busybox sh -c '{x}'", "sh {x}",
      "sh {x} {y}", "bash +x {x}", "bash --norc -c {x}", "bash -O extglob -c 'ls {x}'", "trap 'rm {x}' EXIT", "trap \"rm {x}\" 0",
      "ssh host ls {x}", "ssh {x}", "ssh host \"ls '{x}'\"", "su -c 'ls {x}'", "su me -c 'ls {x}'", "su - me -c \"ls {x}\"",
      "su --command='ls {x}'", "su --command 'ls {x}' me", "watch ls {x}", "runuser -u me -c '{x}'",
      // interpreters
      "perl -e 'print \"{x}\"'", "perl -ne 'print {x}'", "perl -MFile -e 'print {x}'", "perl -i.bak -pe 's/{x}//'",
      "perl -I lib -e '{x}'", "python -c 'print(\"{x}\")'", "python3 -c {x}", "python3 -uc {x}", "python3 -W ignore -c {x}",
      "python3.11 -c {x}", "ruby -e '{x}'", "node -e '{x}'", "node -pe '{x}'", "node --eval='{x}'", "awk '{x}'",
      "awk -F: '{ print $1, \"{x}\" }' f", "awk -v a=b '{x}'", "gawk -e '{x}'", "mawk '{x}'", "sed 's/a/{x}/' f",
      "sed -n -e 's/a/{x}/p'", "sed -i \"s/a/{x}/\" f", "sed -E 's/{x}//' f", "php -r '{x}'", "psql -c 'select {x}'",
      // fed into a shell
      "echo {x} | sh", "echo {x} | cat | bash -s a", "printf %s {x} | sudo sh", "cat <<E | sh\n{x}\nE", "sh <<E\nls {x}\nE",
      "bash -s <<E\nls {x}\nE", "ssh host <<E\nls {x}\nE", "python3 <<E\nprint('{x}')\nE", "python3 - a <<E\n{x}\nE",
      "{ echo {x}; } | sh", "(echo {x}) | sh", "echo {x} |\nsh", "for f in {x}; do echo $f; done | sh", "cat <<E |\n{x}\nE\nsh",
      "echo {x} | { sh; }", "echo {x} | while read a; do sh; done", "su me <<E\n{x}\nE", "docker exec -i box sh <<E\n{x}\nE",
      "if true; then echo {x}; fi | sh", "case a in a) echo {x};; esac | sh",
      // names
      "export {x}", "export A{x}=b", "read {x}", "unset {x}", "alias a={x}", "let {x}", "declare {x}=1",
      // what shells read differently
      "echo $'\\'' {x}", "cat <<< a {x}", "cat <<< {x}\necho {x}", "alias q=\"echo '\"\nq {x}", "echo \"${a#'}'}\" {x}",
      "cat <(ls) {x}",
      // what cannot be followed
      "echo {x} \"", "echo {x} '", "echo {x} $(", "echo {x} ${a", "echo {x} `", "echo {x} )", "case {x} in a) b",
      "echo $(cat <<E) {x}\nE", "(echo {x}", "echo {x} ;; b", "case {x} of a) b;; esac", "echo ( {x} )", "echo {x} >",
      "cat <<E\n${b#\nE\necho } {x}", "cat <<E\na\\\nE\necho {x}", "cat <<E $(\nls {x})\nE\n"};
  for (const char* script : scripts) CHECK_MESSAGE(refusal(script) != "none", std::string(script));
}

TEST_CASE("shell: what is no code is not refused") {
  const char* scripts[] = {"sh -c 'ls \"$1\"' _ {x}",
                           "bash -euc 'ls \"$@\"' _ {x}",
                           "sh -- {x}",
                           "sh ./{x}",
                           "sh script.sh {x}",
                           "sh script.sh -c {x}",
                           "sh -e script {x}",
                           "python3 tool.py -c {x}",
                           "python3 -c 'import sys' {x}",
                           "perl -e 'print @ARGV' -- {x}",
                           "perl -e'print 1' -- {x}",
                           "python3 -m pytest {x}",
                           "node x.js -e {x}",
                           "awk '{print $1}' {x}",
                           "awk -v a={x} '{print a}'",
                           "awk -F {x} '{print $1}'",
                           "awk -f prog.awk -- {x}",
                           "sed -n 1p -- {x}",
                           "sed -e p -- {x}",
                           "sed -i s/a/b/ -- {x}",
                           "xargs -n 1 echo {x}",
                           "find {x} -name '*.c'",
                           "find . -name {x} -exec ls '{}' +",
                           "sudo -u {x} ls",
                           "env A={x} ls",
                           "timeout -- {x} ls",
                           "nice -n 3 ls {x}",
                           "echo {x} | grep sh",
                           "echo {x} | wc",
                           "cat <<E | sort\n{x}\nE",
                           "sh script <<E\n{x}\nE",
                           "echo {x}; echo ls | sh",
                           "echo {x} && echo ls | sh",
                           "echo ls | sh; echo {x}",
                           "su -c 'ls' -- {x}",
                           "git commit -m eval {x}",
                           "echo eval {x}",
                           "ls trap {x}",
                           "export A={x}",
                           "local a={x}",
                           "A={x} ls",
                           "read a <<E\n{x}\nE",
                           "test {x} = a && exit 3",
                           "[ -n {x} ]",
                           "printf '%s\\n' {x}",
                           "cd {x}",
                           ". ./env; ls {x}",
                           "kill {x}",
                           "echo in {x}",
                           "set -- {x}",
                           "echo a;# {x}\nls",
                           "cat <<E\n$(ls {x})\nE",
                           "x=$(ls {x})",
                           "echo \"${A}\" ${B:-c} $D {x}",
                           "while read -r l; do echo \"$l\" {x}; done < {x}",
                           "until false; do echo {x}; break; done",
                           "if a; then b; elif c; then d {x}; else e; fi",
                           "ls 2>/dev/null {x}",
                           "ls {x} &",
                           "a || b {x}",
                           "case a in esac; ls {x}",
                           "case a in\n# it's\n a|b) ;;\n (c) ls\nesac\nls {x}",
                           "echo if {x}; echo fi",
                           "echo $# $$ $? $! $- {x}",
                           "echo \"$\" {x}",
                           "(ls; (ls {x}))",
                           "echo # '\necho {x}",
                           "docker run box ls {x}",
                           "grep -c {x} f",
                           "tar -c {x}"};
  for (const char* script : scripts) CHECK_MESSAGE(refusal(script) == "none", std::string(script));
}

TEST_CASE("shell: what xargs and find put into the text of a program is code") {
  const char* refused[] = {"echo {x} | xargs -I% sh -c 'echo %'",
                           "v={x}; ls | xargs -I \"$v\" echo a",
                           "xargs -I {x} echo {x}",
                           "printf '%s\\n' {x} | xargs -d '\\n' -I% sh -c 'echo %'",
                           "echo {x} | xargs sh -c",
                           "printf '%s\\0' {x} | xargs -0 bash -c",
                           "echo {x} | xargs -I% %",
                           "echo {x} | xargs --replace=R sh -c 'echo R'",
                           "echo {x} | xargs -i sh -c 'echo {{}}'",
                           "echo {x} | xargs env",
                           "echo {x} | xargs sudo sh -c",
                           "echo {x} | xargs python3",
                           "echo {x} | xargs ssh host",
                           "xargs -a {x} sh -c",
                           "find . -name {x} -exec sh -c 'echo {{}}' ';'",
                           "find . -exec {{}} ';' -name {x}",
                           "find . -name {x} -exec awk '{{}}' ';'",
                           "touch {x}; find . -exec sh -c 'echo {{}}' ';'"};
  for (const char* script : refused) CHECK_MESSAGE(refusal(script) != "none", std::string(script));
  const char* accepted[] = {"echo {x} | xargs",
                            "echo {x} | xargs -n1 echo",
                            "echo {x} | xargs -I% sh -c 'echo \"$1\"' sh %",
                            "printf '%s\\0' {x} | xargs -0 sh -c 'ls \"$@\"' sh",
                            "xargs -0 -a {x} clang-format -i",
                            "find . -name {x} -exec sh -c 'echo \"$1\"' sh '{}' ';'",
                            "ls | xargs sh -c; echo {x}"};
  for (const char* script : accepted) CHECK_MESSAGE(refusal(script) == "none", std::string(script));
}

TEST_CASE("shell: what a here-document or a redirected file brings is followed") {
  const char* refused[] = {"read X <<E\n{x}\nE\neval \"$X\"",
                           "read X <<E\n{x}\nE\n$X",
                           "while read -r f; do sh -c \"$f\"; done <<E\n{x}\nE",
                           "cat <<E | while read l; do $l; done\n{x}\nE",
                           "while read l; do eval \"$l\"; done < {x}",
                           "y={x}; while read l; do eval \"$l\"; done <<E\n$y\nE",
                           "set -- {x}; for i; do eval \"$i\"; done",
                           "set -- {x}; for i do eval \"$i\"; done",
                           "for i do eval {x}; done",
                           "sh /dev/stdin <<E\n{x}\nE",
                           "sh /dev/fd/0 <<E\n{x}\nE",
                           "python3 /dev/stdin <<E\n{x}\nE",
                           ". /dev/stdin <<E\n{x}\nE",
                           "exec 3<<E\n{x}\nE\nsh <&3",
                           "exec 3<<E\n{x}\nE\nsh /proc/self/fd/3",
                           "exec <<E\n{x}\nE\nsh",
                           "exec < {x}; sh",
                           "sh < {x}",
                           "xargs -I% sh -c 'wc %' < {x}",
                           "xargs -0 -n1 sh -c < {x}"};
  for (const char* script : refused) CHECK_MESSAGE(refusal(script) != "none", std::string(script));
  const char* accepted[] = {"read X <<E\n{x}\nE\necho \"$X\"",
                            "while read -r f; do wc \"$f\"; done < {x}",
                            "xargs -0 wc < {x}",
                            "xargs -0 sh -c 'wc \"$@\"' sh < {x}",
                            "read X < f; eval \"$X\"; echo {x}",
                            "set -- {x}; for i; do echo \"$i\"; done",
                            "mail me <<E\n{x}\nE\nssh -n host ls",
                            "sh script < {x}",
                            "exec 3> log; sh script {x}"};
  for (const char* script : accepted) CHECK_MESSAGE(refusal(script) == "none", std::string(script));
}

TEST_CASE("shell: a value that comes in a variable or a substitution is followed") {
  const char* refused[] = {"$(echo {x})",
                           "x=$(echo {x}); $x",
                           "v={x}; eval \"$v\"",
                           "v={x}; `echo $v`",
                           "v={x}; w=`echo $v`; $w",
                           "v={x}; echo `$v`",
                           "v={x}; echo \"`ls \\`$v\\``\"",
                           "v={x}; sh -c \"`echo $v`\"",
                           "v={x}; w=\"a $v\"; sh -c \"$w\"",
                           "export v={x}; ${v}",
                           "for f in {x}; do eval \"$f\"; done",
                           "for f in {x}; do ./$f; done",
                           "set -- {x}; eval \"$1\"",
                           "echo {x} | while read -r l; do eval \"$l\"; done",
                           "v={x}; echo \"$v\" | sh",
                           "v={x}; echo $((v + 1))",
                           "v={x}; sh <<E\n$v\nE",
                           "v={x}; awk \"/$v/\" f",
                           "eval \"$(cat {x})\"",
                           "v={x}; ssh host \"ls $v\"",
                           "v={x}; eval \"$(echo ${v:-a})\"",
                           "v={x}; python3 \"$v\"",
                           "v={x}; . \"$v\"",
                           "v={x}; PATH=$v ls"};
  for (const char* script : refused) CHECK_MESSAGE(refusal(script) != "none", std::string(script));
  CHECK(refusal("v={x}; eval \"$v\"") ==
        "shell command, column 3: {x} cannot stand here: eval parses its arguments as shell text again (it comes there through "
        "$v)");
  const char* accepted[] = {"v={x}; ls \"$v\"",
                            "export v={x}; sh -c 'echo \"$v\"'",
                            "v={x}; sh -c 'echo \"$1\"' sh \"$v\"",
                            "v={x}; w=1; eval \"$w\"",
                            "v={x}; echo \"${#v}\" $((w + 1))",
                            "v={x}; case $v in a) ls;; esac",
                            "for f in {x}; do wc -l \"$f\"; done",
                            "echo {x} | while read -r l; do echo \"$l\"; done",
                            "v=$(git rev-parse {x}); git show \"$v\"",
                            "v={x} make deploy",
                            "v={x}; vv=ls; $vv"};
  for (const char* script : accepted) CHECK_MESSAGE(refusal(script) == "none", std::string(script));
}

TEST_CASE("shell: programs that take code from their arguments, and variables that choose code, get no value") {
  const char* refused[] = {"make deploy REF={x}", "make {x}", "gmake -C a {x}", ". {x}", "source {x}", "git -c {x} st",
                           "git -c {x}.name=b st", "sqlite3 :memory: {x}", "gdb -batch -ex {x}", "echo {x} | ed f", "vim -c {x}",
                           "busybox awk {x}", "busybox sh -c {x}", "echo {x} | parallel", "echo {x} | crontab -",
                           "echo {x} | at now", "echo {x} | m4", "PATH={x} ls", "PATH=\"$PATH:{x}\"", "LD_PRELOAD={x} ls",
                           "export BASH_ENV={x}", "env PYTHONPATH={x} ls", "sudo LD_LIBRARY_PATH={x} ls",
                           "GIT_SSH_COMMAND={x} git fetch", "IFS={x}",
                           // where it could be an option that brings code
                           "python3 {x}", "perl -e 'print' {x}", "node {x}", "sed -n 1p {x}", "awk -f f {x}", "su -c ls {x}",
                           "psql db {x}", "perl -M{x} -e 1", "python3 -{x}", "timeout {x} ls", "sudo -{x} ls"};
  for (const char* script : refused) CHECK_MESSAGE(refusal(script) != "none", std::string(script));
}

TEST_CASE("shell: what runs a command of its arguments gets no value there") {
  for (const char* script : {"runuser -u x -- {x}", "taskset 1 {x}", "setarch x86_64 {x}", "linux32 {x}", "bwrap --bind / / {x}", "firejail {x}", "xterm -e {x}", "tmux new -d {x}", "screen -dm {x}",
                             "socat - EXEC:{x}", "powershell -c {x}", "R -e {x}", "split --filter={x} f", "split --filter {x} f", "git submodule foreach {x}", "git bisect run {x}", "git rebase -x {x} HEAD",
                             "git -C a filter-branch --tree-filter {x}", "git ls-remote --upload-pack {x} .", "git ls-remote --upload-pack={x} .", "git push --receive-pack={x} o", "git difftool -x {x}"}) {
    CAPTURE(script);
    CHECK(refusal(script) != "none");
  }
  for (const char* script : {"taskset 1 make-it {x}", "split -l 5 -- {x}", "git clean -x -- {x}", "git log -- {x}", "git submodule update -- {x}", "git bisect good {x}", "git rebase -- {x}", "R CMD check {x}"}) {
    CAPTURE(script);
    CHECK(refusal(script) == "none");
  }
}

TEST_CASE("shell: a list cannot bring an option or a program where one word is meant") {
  const Json values = {{"l", {"a", "BEGIN { system(\"x\") }"}}};
  CHECK(script_of("awk -v a={l} '{print a}'", values) == "awk -v a=\"${HARK_V0}\" '{print a}'");
  CHECK(script_of("awk -va={l} '{print a}'", values) == "awk -va=\"${HARK_V0}\" '{print a}'");
  CHECK(script_of("python3 -W {l} tool.py", values) == "python3 -W \"${HARK_V0}\" tool.py");
  CHECK(script_of("find . -name {l}", values) == "find . -name \"${HARK_V0}\"");
  CHECK(script_of("git -C {l} status", values) == "git -C \"${HARK_V0}\" status");
}

TEST_CASE("shell: ordinary commands stay accepted, as scripts and as lists") {
  const char* commands[] = {"git checkout {x}",
                            "git checkout -b {x} origin/main",
                            "git fetch origin {x}",
                            "git log --since={x} --oneline",
                            "git -C {x} status",
                            "git -c user.name={x} commit -m {x}",
                            "git commit -am {x}",
                            "git diff --name-only {x} {y}",
                            "make test",
                            "make -j2 -C build",
                            "cmake --build {x}",
                            "ctest --test-dir {x}",
                            "cargo test {x}",
                            "go test {x}",
                            "npm run test -- {x}",
                            "npm test",
                            "pytest -q {x}",
                            "python3 -m pytest -q {x}",
                            "python3 tool.py {x}",
                            "python3 -m py_compile {x}",
                            "ruff check {x}",
                            "black {x}",
                            "eslint --fix {x}",
                            "prettier --write {x}",
                            "shellcheck {x}",
                            "clang-format -i {x}",
                            "xargs -0 -a {files_file} clang-format -i",
                            "xargs -a {files_file} wc -l",
                            "grep -F -- {x} file",
                            "grep -rn {x} src",
                            "find . -name {x} -print",
                            "find . -name {x} -delete",
                            "find . -newer {x} -exec ls -l {{}} +",
                            "sort -u {x}",
                            "wc -l {x}",
                            "cat {x}",
                            "cp {x} backup/",
                            "mv -- {x} old/",
                            "rm -f -- {x}",
                            "mkdir -p out/{x}",
                            "touch {x}",
                            "tar -czf out.tgz -- {x}",
                            "rsync -a -- {x} /srv/www/",
                            "scp -- {x} host:/srv/",
                            "curl -fsS --data-urlencode ref={x} https://x.example/",
                            "docker build -t app:{x} .",
                            "docker run --rm app:{x} ls",
                            "docker compose restart {x}",
                            "kubectl rollout restart deployment/{x}",
                            "systemctl restart {x}",
                            "logger -t hark {x}",
                            "echo {x}",
                            "printf %s {x}",
                            "notify-send hark {x}",
                            "jq -r .ref {payload_file}",
                            "timeout 5m pytest {x}",
                            "nice -n 10 pytest {x}",
                            "sudo -u deploy deploy {x}",
                            "env CI=1 REF={x} deploy",
                            "sh deploy.sh {x}",
                            "bash -e deploy.sh {x}",
                            "awk -F : -v a={x} -f p.awk f",
                            "sed -i -f fix.sed -- {x}",
                            "ssh-keygen -lf {x}",
                            "mail -s {x} me",
                            "dot -Tsvg {x}",
                            "convert {x} out.png"};
  for (const char* command : commands) {
    CHECK_MESSAGE(refusal(command) == "none", std::string(command));
    std::vector<Template> arguments;
    std::istringstream words(command);
    for (std::string word; words >> word;) arguments.push_back(Template::parse(word));
    CHECK_MESSAGE(!hark::check_arguments(arguments), std::string(command));
  }
}

TEST_CASE("shell: a refusal names the place, the template and the way out") {
  const hark::Status status = hark::check_shell(Template::parse("echo \xc3\xbc; eval {payload.x}"));
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message ==
        "shell command, column 14: {payload.x} cannot stand here: eval parses its arguments as shell text again");
  CHECK(status.error().cure.find("`environment`") != std::string::npos);
  CHECK(status.error().cure.find("list") == std::string::npos);  // a list would run it all the same
  CHECK(refusal("ls\necho {{ {a} \"") == "shell command, line 2, column 13: this double quote is not closed");
  CHECK(refusal("ls `ls {a}`").find("use $(...) instead") != std::string::npos);
}

TEST_CASE("shell: a value that does not fit is an error that names the way out") {
  const std::string large(hark::limits::kEnvironmentString, 'x');
  for (const Json& value : {Json(std::string("a\0b", 3)), Json(large)}) {
    const auto command = rendered("echo {x}", {{"x", value}});
    REQUIRE_FALSE(command.ok());
    CHECK(command.error().message.find("{x}") != std::string::npos);
    CHECK(command.error().cure.find("{payload_file}") != std::string::npos);
    CHECK(rendered("echo # {x}", {{"x", value}}).ok());
  }
  Json list = Json::array();
  for (int i = 0; i < 20; ++i) list.push_back(std::string(100'000, 'x'));
  CHECK(rendered("echo {x}", {{"x", list}}).error().message.find("more than") != std::string::npos);
  CHECK(rendered("echo {x}", {{"x", std::vector<int>(100'000, 1)}}).error().cure.find("{files_file}") != std::string::npos);
  CHECK_FALSE(rendered(std::string("echo \0", 6), Json::object()).ok());
  CHECK_FALSE(hark::check_shell(Template::parse(std::string("echo {x} \0", 10))).ok());
}

TEST_CASE("shell: the largest value that fits reaches the command") {
  const hark::test::TemporaryFolder folder;
  const std::string value(hark::limits::kEnvironmentString - std::string("HARK_V0=").size(), '\'');
  const auto command = rendered("printf %s {x} | wc -c", {{"x", value}});
  REQUIRE(command.ok());
  CHECK(run(*command, folder) == std::to_string(value.size()) + "\n");
}

TEST_CASE("shell: hostile values come out of /bin/sh byte for byte, and nothing else happens") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const hark::test::TemporaryFolder folder;
  const std::vector<std::string> pieces = {
      "'",        "\"",       "\\", "`touch p`", "$(touch p)", "${HOME}", "$x",   "; touch p;", "\n",   "&& touch p",
      "|touch p", "*",        "?",  "[a]",       "~",          " ",       "\t",   "#",          "EOF",  "\nEOF\n",
      ")",        "(",        "}",  "{y}",       "> p",        "-n",      "%s",   "é",          "\xff", "\x81",
      "\x82",     "\x84\x88", "\r", "!!",        "<p",         "a",       "\x01", "\x7f",       "esac", "$((1/0))"};
  const auto value = [&] {
    std::string text;
    for (unsigned count = random() % 7; count > 0; --count) text += pieces[random() % pieces.size()];
    return text;
  };
  for (int round = 0; round < hark::test::rounds(150); ++round) {
    const std::string a = value();
    const std::string b = value();
    std::vector<std::string> list;
    for (unsigned count = random() % 4; count > 0; --count) list.push_back(value());
    const Json values = {{"x", a}, {"y", b}, {"l", list}};
    std::string joined;
    for (const std::string& element : list) joined += (&element == &list.front() ? "" : " ") + element;
    const auto command = rendered(R"sh(# it's {x} "
p() { printf '%s\0' "$@"; }
p {x} "{x}" '{x}' a{x}b "a{x}b" 'a{x}b' {x}{y}"{x}"'{y}' {x}'{y}'
p "$(printf '%s.' {x} "{y}" '{x}')" $(p "{x}" '{x}' >/dev/null) "$(printf '%s.' "$(printf %s. {x})")"
v={x} w="{y}"'{x}'; p "$v" "$w"
v={l}; p "$v" "{l}" '{l}'
case {x} in {x}) p same;; *) p other;; esac
case "$(case {y} in '{y}') echo ")";; esac)" in ")") p same;; *) p other;; esac
for f in {x} {l}; do p "$f"; done # {y}
v=$(cat <<EOF
[{x}] "{x}" '{y}'
EOF
printf .)
p "$v"
	cat <<-E; p {y}
	<{x}>
	E
f() { p "$#" "$@"; }; f - {l} -; f a{l}b
export V={l}; p "$V"
env W={l} sh -c 'printf "%s\0" "$W" "$@"' _ {x}
if [ {x} = "{x}" ]; then { p yes; }; fi; (p '{x}' | cat)
p {x}>&1 "'{x}'" '"{x}"' "\"{x}\\" \
{y}
)sh",
                                  values);
    REQUIRE_MESSAGE(command.ok(), (command.ok() ? "" : command.error().text()));
    std::string expected = words({a, a, a, "a" + a + "b", "a" + a + "b", "a" + a + "b", a + b + a + b, a + b});
    // A substitution loses line breaks at its end; the dots keep them.
    expected += words({a + "." + b + "." + a + ".", a + ".."});
    expected += words({a, b + a}) + words({joined, joined, joined}) + words({"same"}) + words({"same"}) + words({a});
    for (const std::string& element : list) expected += words({element});
    expected += words({"[" + a + "] \"" + a + "\" '" + b + "'\n."});
    expected += "<" + a + ">\n" + words({b});
    expected += words({std::to_string(list.size() + 2), "-"});
    for (const std::string& element : list) expected += words({element});
    expected += words({"-"});
    if (list.empty()) expected += words({"1", "ab"});
    if (!list.empty()) expected += words({std::to_string(list.size())});
    for (std::size_t i = 0; i < list.size(); ++i) {
      expected += words({(i == 0 ? "a" : "") + list[i] + (i + 1 == list.size() ? "b" : "")});
    }
    expected += words({joined}) + words({joined, a}) + words({"yes"}) + words({a});
    expected += words({a, "'" + a + "'", "\"" + a + "\"", "\"" + a + "\\", b});
    const std::string actual = run(*command, folder);
    CHECK_MESSAGE(actual == expected, command->script, "\n", actual, "\n-----\n", expected, "\nx=", a, "\ny=", b);
    CHECK(is_empty(folder));
  }
}

TEST_CASE("shell: in random scripts a value stays one word and is never run, whatever stands around it") {
  // What the lexer lets through is given to the real shell. `p` and `c` write their words and their standard input to a log. Were
  // a value's place misjudged, it would be split at its blanks, run, or its reference or quotes would show.
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const hark::test::TemporaryFolder folder;
  const std::vector<std::string> pieces = {
      "{x}",    "{x}",       "{x}",         " {x} ",      " {x}",   "'",         "'",
      "\"",     "\"",        "\\",          " ",          " ",      "\n",        "\n",
      "\\\n",   "$(",        "$(p ",        ")",          ")",      "${b:-",     "${b#",
      "}",      "$((",       "))",          "`",          "#",      " # ",       ";",
      "\np ",   "\np ",      "; p ",        ":",          "<<E",    "\nc <<E\n", "\nc <<-E\n\t",
      "\nE\n",  "\nE\np ",   "<<'E'\n",     "case a in ", "a) ",    ";;",        " esac\n",
      "(",      "{ ",        " }\n",        " && p ",     " | c ",  "if ",       "; then p ",
      "; fi\n", "for a in ", "; do p ",     "; done\n",   "a=",     "$b",        "b",
      "eval ",  "sh -c ",    ">/dev/null ", " & ",        "f() ",   "!",         "~",
      "*",      "\t",        "$",           " in ",       "\"$(p ", ")\"",       "'\"'",
      "\"'\"",  "\\\"",      "\\'"};
  const std::string hostile = "HH'\"`;\n p * $(touch p) `touch p`\nE\n) }; touch p GG";
  const std::string log = folder / "log";
  const std::string prologue = "p() { printf '<%s>' \"$@\" >>log; }; c() { cat >>log; }\np ";
  int accepted = 0;
  int shown = 0;
  for (int round = 0; round < 200000 && accepted < hark::test::rounds(1000); ++round) {
    std::string script = prologue;
    for (unsigned count = 1 + random() % 14; count > 0; --count) script += pieces[random() % pieces.size()];
    if (Template::parse(script).constant()) continue;
    const Json values = {{"x", random() % 2 == 0 ? Json(hostile) : Json{hostile, hostile}}};
    const auto command = rendered(script, values);
    if (!command || command->environment.empty()) continue;
    ++accepted;
    (void)run(*command, folder);
    std::string written = file_text(log);
    CAPTURE(script);
    CAPTURE(command->script);
    CAPTURE(written);
    CHECK(!std::filesystem::exists(folder / "p"));
    for (std::size_t at = 0; (at = written.find(hostile, at)) != std::string::npos; ++shown)
      written.replace(at, hostile.size(), "-");
    CHECK(written.find("HH") == std::string::npos);
    CHECK(written.find("GG") == std::string::npos);
    CHECK(written.find("HARK_V") == std::string::npos);
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) std::filesystem::remove_all(entry);
  }
  CHECK(accepted >= hark::test::rounds(500));
  CHECK(shown >= hark::test::rounds(100));
}

TEST_CASE("shell: random bytes never crash the lexer, and places and templates are as many") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string signs = std::string("'\"\\`$(){};&|<>#\n\t =aE-!") + '\0' + '\0';
  for (int round = 0; round < hark::test::rounds(60000); ++round) {
    std::string script;
    for (unsigned length = random() % 30; length > 0; --length) script += signs[random() % signs.size()];
    const hark::ShellReading reading = hark::read_shell(script);
    if (reading.problem) {
      CHECK(reading.problem->position <= script.size());
      CHECK_FALSE(reading.problem->why.empty());
    } else {
      CHECK(reading.places.size() == static_cast<std::size_t>(std::count(script.begin(), script.end(), '\0')));
    }
  }
}

TEST_CASE("shell: nesting is bounded") {
  for (const char* open : {"$(", "(", "${a:-", "\"$(", "$((", "case a in a) ", "\"${a:-"}) {
    std::string script = "echo {x} ";
    for (int i = 0; i < 50000; ++i) script += open;
    CHECK(refusal(script) != "none");
  }
}
