// The git step with the real git: real repositories, a bare remote, hostile names.
#include "handlers/steps/git.h"

#include <doctest/doctest.h>

#include <fstream>
#include <random>

#include "core/limits.h"
#include "handlers/git_trace.h"
#include "platform/clock.h"
#include "platform/process.h"
#include "tests/handlers/pipeline_fixture.h"
#include "tests/support/git_folder.h"

using namespace hark;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using hark::test::GitFolder;
using hark::test::PipelineFixture;
using Action = GitStepOptions::Action;
using Json = nlohmann::json;

namespace {

struct GitSteps : PipelineFixture {
  GitFolder repositories;
  RealProcessSpawner spawner{100ms};
  SystemClock system_clock;

  GitSteps() {
    repositories.shell("", "git init -q -b main r && git init -q -b main --bare far.git && git -C r remote add origin ../far.git");
    repositories.commit("r", "a.txt", "first");
    handler.working_directory = (repositories / "r").string();
    variable("HOME", handler.working_directory + "/..");
    variable("GIT_CONFIG_GLOBAL", "/dev/null");
    variable("GIT_CONFIG_NOSYSTEM", "1");
    variable("GIT_AUTHOR_NAME", "Ada Author");
    variable("GIT_AUTHOR_EMAIL", "ada@example.org");
    variable("GIT_COMMITTER_NAME", "Carl Committer");
    variable("GIT_COMMITTER_EMAIL", "carl@example.org");
  }

  void variable(const std::string& name, const std::string& value) { handler.environment.emplace_back(name, Template::parse(value)); }
  static std::optional<Template> text(const std::string& text) { return Template::parse(text); }

  GitStepOptions& step(Action action) {
    handler.steps.reserve(16);
    StepOptions step;
    step.name = "s" + std::to_string(handler.steps.size());
    GitStepOptions options;
    options.action = action;
    options.remote = Template::parse("origin");
    step.kind = options;
    handler.steps.push_back(std::move(step));
    return std::get<GitStepOptions>(handler.steps.back().kind);
  }
  Run run() {
    Run run = run_with(spawner, system_clock);
    handler.steps.clear();
    return run;
  }
  void write(const std::string& file, const std::string& content) { std::ofstream(repositories / ("r/" + file), std::ios::binary) << content; }
};

std::string line(std::string text) {
  REQUIRE(text.ends_with('\n'));
  text.pop_back();
  return text;
}

// Names that are something else to a careless caller of git. All are names that a file can have.
const std::vector<std::string> kHostileNames = {"--all", "-f", "--output=stolen", "*", "?.txt", "[a]", ":/", ":(glob)**", ":!a.txt", ":^a.txt", ":(exclude)x", "a b", "a\nb", "\"quoted\"",
                                                "$(touch stolen)", "`touch stolen`", "HEAD", "main", "..", "@{-1}", "ü", "\xff\xfe", "{payload.x}", "--", "#", "a\\b", "'"};

}  // namespace

TEST_CASE_FIXTURE(GitSteps, "git step: a log is a line a commit, or JSON that holds what git holds") {
  repositories.shell("r", "echo x > b.txt; git add -A; git commit -q -m 'Add b\n\nWhy it is.\nTwo lines.'");
  repositories.commit("r", "c.txt", "Grüße \"x\"");
  const auto tip = repositories.tip("r");
  step(Action::log);
  auto& json = step(Action::log);
  json.json = true;
  json.most = 2;
  auto& only = step(Action::log);
  only.paths = {Template::parse("b.txt")};
  auto& range = step(Action::log);
  range.from = text("HEAD~1");
  auto& old = step(Action::log);
  old.until = text("2001-01-01");
  const Run run = this->run();
  REQUIRE(run.error == "");
  const auto& all = run.steps[0].output;
  CHECK(std::count(all.begin(), all.end(), '\n') == 3);
  CHECK(all.starts_with(repositories.git("r", "rev-parse --short HEAD") + " 20"));
  CHECK(all.find(" Ada Author: Grüße \"x\"\n") != std::string::npos);
  const auto list = Json::parse(run.steps[1].output);
  REQUIRE(list.size() == 2);
  CHECK(list[0]["id"] == tip);
  CHECK(list[0]["author"] == "Ada Author");
  CHECK(list[0]["email"] == "ada@example.org");
  CHECK(list[0]["body"] == "");
  CHECK(list[1]["subject"] == "Add b");
  CHECK(list[1]["body"] == "Why it is.\nTwo lines.\n");
  CHECK(list[1]["time"].get<std::string>().starts_with("20"));
  CHECK(run.steps[2].output.ends_with("Ada Author: Add b\n"));
  CHECK(run.steps[3].output.ends_with("Ada Author: Grüße \"x\"\n"));
  CHECK(std::count(run.steps[3].output.begin(), run.steps[3].output.end(), '\n') == 1);
  CHECK(run.steps[4].output == "");
}

TEST_CASE_FIXTURE(GitSteps, "git step: since the last run there is what was committed since, and everything before the first one") {
  repositories.shell("r", "GIT_COMMITTER_DATE=2020-01-02T03:04:05Z git commit -q --allow-empty -m old && GIT_COMMITTER_DATE=2024-01-02T03:04:05Z git commit -q --allow-empty -m new");
  step(Action::log).since = text("{last_run}");
  CHECK(run().steps[0].output.find("first") != std::string::npos);
  context.last_run = WallTime{std::chrono::seconds(1'650'000'000)};
  step(Action::log).since = text("{last_run}");
  const auto shown = run().steps[0].output;
  CHECK(shown.ends_with("2024-01-02 Ada Author: new\n"));
  CHECK(shown.find("old") == std::string::npos);
}

TEST_CASE_FIXTURE(GitSteps, "git step: diff and show tell what has changed, a large one by file") {
  write("a.txt", "changed\n");
  step(Action::diff);
  auto& stat = step(Action::diff);
  stat.stat = true;
  auto& show = step(Action::show);
  show.ref = text("HEAD");
  Run run = this->run();
  REQUIRE(run.error == "");
  CHECK(run.steps[0].output.find("-first\n+changed\n") != std::string::npos);
  CHECK(run.steps[1].output.find(" a.txt | 2 +-\n") != std::string::npos);
  CHECK(run.steps[2].output.starts_with("commit " + repositories.tip("r")));
  CHECK(run.steps[2].output.find("+first\n") != std::string::npos);

  write("a.txt", std::string(limits::kOutputInMemory, 'x') + "\n");
  step(Action::diff);
  run = this->run();
  CHECK(run.steps[0].output.size() == limits::kOutputInMemory);
  CHECK(fs::file_size(run.steps[0].output_file) == run.steps[0].output_bytes);
}

TEST_CASE_FIXTURE(GitSteps, "git step: a diff from where two parted leaves out what the other did since") {
  repositories.shell("r", "git switch -q -c feature && echo f > f.txt && git add -A && git commit -q -m f && git switch -q main && echo m > m.txt && git add -A && git commit -q -m m");
  for (const bool merge_base : {false, true}) {
    auto& diff = step(Action::diff);
    diff.from = text("main");
    diff.to = text("feature");
    diff.merge_base = merge_base;
  }
  const Run run = this->run();
  REQUIRE(run.error == "");
  CHECK(run.steps[0].output.find("m.txt") != std::string::npos);
  CHECK(run.steps[1].output.find("m.txt") == std::string::npos);
  CHECK(run.steps[1].output.find("f.txt") != std::string::npos);
}

TEST_CASE_FIXTURE(GitSteps, "git step: a worktree is made at a commit, made anew where one is, and taken away") {
  repositories.commit("r", "b.txt", "second");
  const auto place = (repositories / "r/trees/old").string();
  const auto worktree = [&](const std::string& path, bool remove) -> GitStepOptions& {
    auto& options = step(Action::worktree);
    options.path = Template::parse(path);
    options.remove = remove;
    return options;
  };
  worktree("trees/old", false).ref = text("HEAD~1");
  Run run = this->run();
  REQUIRE(run.error == "");
  CHECK(run.steps[0].output == place + "\n");
  CHECK(fs::exists(place + "/a.txt"));
  CHECK_FALSE(fs::exists(place + "/b.txt"));
  CHECK(repositories.tip("r") == line(repositories.git("r", "rev-parse main") + "\n"));

  write("trees/old/half.txt", "of an attempt that was cut off");
  worktree("trees/old", false);
  REQUIRE(this->run().error == "");
  CHECK(fs::exists(place + "/b.txt"));
  CHECK_FALSE(fs::exists(place + "/half.txt"));

  fs::remove_all(place);  // by somebody else: git still knows it
  worktree("trees/old", false);
  REQUIRE(this->run().error == "");
  CHECK(fs::exists(place + "/b.txt"));

  write("trees/old/changed.txt", "x");
  worktree("trees/old", true);
  worktree("trees/old", true);
  run = this->run();
  REQUIRE(run.error == "");
  CHECK_FALSE(fs::exists(place));
  CHECK(run.steps[1].output == "");
  CHECK(repositories.git("r", "worktree list").find("trees") == std::string::npos);
}

TEST_CASE_FIXTURE(GitSteps, "git step: a worktree stands within the folder, and takes the place of nothing else") {
  event(R"({"up": "../x", "flag": "--force", "link": "out/x"})");
  fs::create_directory_symlink("..", repositories / "r/out");
  fs::create_directory(repositories / "r/mine");
  write("mine/file", "kept");
  const auto refused = [&](const std::string& path, bool remove) {
    auto& options = step(Action::worktree);
    options.path = Template::parse(path);
    options.remove = remove;
    return this->run().error;
  };
  CHECK(refused("{payload.up}", false).find("'..'") != std::string::npos);
  CHECK(refused("{payload.link}", false).find("leads out of the folder") != std::string::npos);
  CHECK(refused("out", true).find("symbolic link") != std::string::npos);
  CHECK(refused("mine", false).find("already exists") != std::string::npos);
  CHECK(refused("mine", true) == "");
  CHECK(fs::exists(repositories / "r/mine/file"));
  CHECK(refused("{payload.flag}", false) == "");
  CHECK(fs::exists(repositories / "r/--force/a.txt"));
  CHECK_FALSE(fs::exists(repositories / "x"));
}

TEST_CASE_FIXTURE(GitSteps, "git step: a commit holds everything or the paths, tells its id, and nothing to commit is a success") {
  event(R"({"text": "-x #1\n\n# kept: --amend", "paths": ["b", "d"], "none": []})");
  for (const char* name : {"b", "c", "d"}) write(name, "1");
  auto& some = step(Action::commit);
  some.message = Template::parse("{payload.text}");
  some.paths = {Template::parse("{payload.paths}")};
  some.author = text("Eve <eve@example.org>");
  auto& none = step(Action::commit);
  none.message = Template::parse("none of it");
  none.paths = {Template::parse("{payload.none}")};
  auto& rest = step(Action::commit);
  rest.message = Template::parse("rest");
  step(Action::commit).message = Template::parse("again");
  auto& empty = step(Action::commit);
  empty.message = Template::parse("empty");
  empty.allow_empty = true;
  const Run run = this->run();
  REQUIRE(run.error == "");
  CHECK(repositories.git("r", "show --format=%B%an%cn --name-only HEAD~2") == "-x #1\n\n# kept: --amend\nEveCarl Committer\n\nb\nd");
  CHECK(line(run.steps[0].output) == repositories.tip("r", "HEAD~2"));
  CHECK(run.steps[1].output == "");
  CHECK(run.steps[1].error_output == "no paths: there is nothing to do\n");
  CHECK(line(run.steps[2].output) == repositories.tip("r", "HEAD~1"));
  CHECK(repositories.git("r", "show --format= --name-only HEAD~1") == "c");
  CHECK(run.steps[3].state == StepState::succeeded);
  CHECK(run.steps[3].output == "");
  CHECK(run.steps[3].error_output == "nothing to commit\n");
  CHECK(line(run.steps[4].output) == repositories.tip("r"));
}

TEST_CASE_FIXTURE(GitSteps, "git step: who commits without a name is told how to get one, and a hook that refuses is a failure") {
  write("b", "1");
  step(Action::commit).message = Template::parse("m");
  const auto kept = handler.environment;
  handler.environment.resize(3);
  repositories.git("r", "config user.useConfigOnly true");
  CHECK(run().error.find("git does not know who commits (set user.name and user.email by `git config`") != std::string::npos);
  handler.environment = kept;
  std::ofstream(repositories / "r/.git/hooks/pre-commit") << "#!/bin/sh\necho 'no, not so' >&2; exit 1\n";
  fs::permissions(repositories / "r/.git/hooks/pre-commit", fs::perms::owner_all);
  step(Action::commit).message = Template::parse("m");
  CHECK(run().error == "git commit: exit status 1: no, not so");
}

TEST_CASE_FIXTURE(GitSteps, "git step: a branch is made, switched to, and begins anew only by force") {
  const auto first = repositories.tip("r");
  repositories.commit("r", "a.txt", "second");
  const auto second = repositories.tip("r");
  auto& made = step(Action::branch);
  made.branch = text("fix/1");
  made.from = text("main~1");
  Run run = this->run();
  REQUIRE(run.error == "");
  CHECK(run.steps[0].output == "fix/1\n");
  CHECK(repositories.git("r", "symbolic-ref HEAD") == "refs/heads/fix/1");
  CHECK(repositories.tip("r") == first);

  for (const bool force : {false, true}) {
    auto& again = step(Action::branch);
    again.branch = text("fix/1");
    again.from = text("main");
    again.force = force;
    REQUIRE(this->run().error == "");
    CHECK(repositories.tip("r", "fix/1") == (force ? second : first));
  }
}

TEST_CASE_FIXTURE(GitSteps, "git step: a push brings HEAD to the remote's branch; what is newer there is overwritten by force alone, as it was last seen") {
  auto& named = step(Action::push);
  named.branch = text("fix/1");
  step(Action::push);
  Run run = this->run();
  REQUIRE(run.error == "");
  CHECK(line(run.steps[0].output) == repositories.tip("r"));
  CHECK(repositories.tip("far.git", "fix/1") == repositories.tip("r"));
  CHECK(repositories.tip("far.git", "main") == repositories.tip("r"));

  repositories.git("r", "commit -q --amend -m other");
  step(Action::push);
  CHECK(this->run().error.find("git push: exit status 1") != std::string::npos);
  step(Action::push).force = true;
  CHECK(this->run().error == "");
  CHECK(repositories.tip("far.git", "main") == repositories.tip("r"));

  repositories.shell("", "git clone -q far.git other");
  repositories.commit("other", "b.txt", "theirs");
  repositories.git("other", "push -q");
  repositories.git("r", "commit -q --amend -m mine");
  step(Action::push).force = true;
  CHECK(this->run().state == RunState::failed);
  CHECK(repositories.tip("far.git", "main") == repositories.tip("other"));

  repositories.git("r", "checkout -q --detach");
  step(Action::push);
  CHECK(this->run().error.find("is on no branch (say `branch`, to which it is pushed)") != std::string::npos);
}

TEST_CASE_FIXTURE(GitSteps, "git step: a push that does not come back ends with the step's time, and its tree with it") {
  std::ofstream(repositories / "r/.git/hooks/pre-push") << "#!/bin/sh\necho $$ > ../pid; exec sleep 600\n";
  fs::permissions(repositories / "r/.git/hooks/pre-push", fs::perms::owner_all);
  step(Action::push);
  handler.steps.back().timeout = 2s;
  CHECK(run().error.find("timed out after 2s") != std::string::npos);
  std::string pid;
  std::ifstream(repositories / "pid") >> pid;
  REQUIRE(pid != "");
  CHECK_FALSE(fs::exists("/proc/" + pid));
}

TEST_CASE_FIXTURE(GitSteps, "git step: a path from an event is that file, whatever it is called") {
  for (const auto& name : kHostileNames) {
    if (name == "..") continue;  // no file's
    write(name == ":/" ? "colon" : name, "1");
    const auto path = name == ":/" ? "colon" : name;
    CAPTURE(path);
    event(Json{{"path", path}}.dump(-1, ' ', false, Json::error_handler_t::replace));
    if (path == "\xff\xfe") {  // JSON has no name for it
      fs::remove(repositories / ("r/" + path));
      continue;
    }
    write("bystander", path);  // changed as well: it must not be in the commit
    auto& commit = step(Action::commit);
    commit.message = Template::parse("m");
    commit.paths = {Template::parse("{payload.path}")};
    auto& log = step(Action::log);
    log.paths = {Template::parse("{payload.path}")};
    log.json = true;
    auto& diff = step(Action::diff);
    diff.from = text("HEAD~1");
    diff.to = text("HEAD");
    diff.paths = {Template::parse("{payload.path}")};
    const Run run = this->run();
    REQUIRE(run.error == "");
    CHECK(repositories.git("r", "show -z --format= --name-only HEAD --") == path + std::string(1, '\0'));
    CHECK(Json::parse(run.steps[1].output).size() == 1);
    CHECK(run.steps[2].output.find("new file mode") != std::string::npos);
    CHECK(run.steps[2].output.find("bystander") == std::string::npos);
  }
  CHECK_FALSE(fs::exists(repositories / "r/stolen"));
}

TEST_CASE_FIXTURE(GitSteps, "git step: where one commit is meant no value is an option, a range or a pattern") {
  repositories.commit("r", "a.txt", "second");
  for (const std::string ref : {"--all", "main..main", "main~1...main", "^main", "--output=stolen", "-x", "main:a.txt", "--branches=*", "refs/heads/*", "main main~1", "--help", "main^{/fir.t}", ":/first"}) {
    CAPTURE(ref);
    event(Json{{"ref", ref}}.dump());
    for (const auto action : {Action::log, Action::diff, Action::show, Action::branch}) {
      auto& options = step(action);
      (action == Action::show ? options.ref : action == Action::log ? options.to : options.from) = text("{payload.ref}");
      if (action == Action::branch) options.branch = text("b");
      const Run run = this->run();
      CHECK(run.error.find("names no commit in " + handler.working_directory) != std::string::npos);
    }
  }
  for (const auto& entry : {std::pair("", "`ref` is empty"), std::pair(" \n", "`ref` is empty")}) {
    event(Json{{"ref", entry.first}}.dump());
    step(Action::show).ref = text("{payload.ref}");
    CHECK(run().error.find(entry.second) != std::string::npos);
  }
  event(Json{{"paths", {""}}}.dump());
  step(Action::log).paths = {Template::parse("{payload.paths}")};
  CHECK(run().error.find("`paths` is empty") != std::string::npos);
  CHECK_FALSE(fs::exists(repositories / "r/stolen"));
}

TEST_CASE_FIXTURE(GitSteps, "git step: a branch, a remote and an author from an event are those, or refused") {
  for (const auto action : {Action::branch, Action::push}) {
    step(action).branch = text("refs/heads/main");  // which would be refs/heads/refs/heads/main
    CHECK(run().error.find("'refs/heads/main' is the whole name of a reference") != std::string::npos);
  }
  for (const auto& name : kHostileNames) {
    if (name == "\xff\xfe") continue;
    CAPTURE(name);
    event(Json{{"name", name}}.dump());
    repositories.git("r", "checkout -q main");
    auto& branch = step(Action::branch);
    branch.branch = text("{payload.name}");
    const Run made = run();
    if (made.state == RunState::succeeded) {
      CHECK(repositories.git("r", "symbolic-ref HEAD") == "refs/heads/" + name);
    } else {
      CHECK(repositories.git("r", "symbolic-ref HEAD") == "refs/heads/main");
    }
    auto& push = step(Action::push);
    push.branch = text("{payload.name}");
    if (run().state == RunState::succeeded) {
      CHECK(repositories.git("far.git", "for-each-ref --format='%(refname) %(objectname)'") == "refs/heads/" + name + " " + repositories.tip("r"));
      repositories.shell("far.git", "git for-each-ref --format='delete %(refname)' | git update-ref --stdin");
    }
    CHECK(repositories.git("far.git", "for-each-ref") == "");
    step(Action::push).remote = Template::parse("{payload.name}");
    CHECK(run().error.find("is no remote of") != std::string::npos);
    auto& commit = step(Action::commit);
    commit.allow_empty = true;
    commit.message = Template::parse("m");
    commit.author = text("{payload.name}");
    CHECK(run().error.find("is not of the form 'Name <mail>'") != std::string::npos);
  }
  for (const std::string address : {"ext::touch% stolen", "../far.git", "https://evil.example/x"}) {
    event(Json{{"name", address}}.dump());
    step(Action::push).remote = Template::parse("{payload.name}");
    CHECK(run().error.find("is no remote of") != std::string::npos);
  }
}

TEST_CASE_FIXTURE(GitSteps, "git step: any message and any bytes of an author reach the commit as they are") {
  std::mt19937 random(20261123);  // NOLINT: the same every time
  const std::string letters = "ab-#\"'$`\\{}%:*\n ü<>@!~^";
  for (int i = 0; i < 40; ++i) {
    std::string message = "x";
    for (unsigned length = random() % 40; length > 0; --length) message += letters[random() % letters.size()];
    message += "x";
    if (Json::accept(Json(message).dump(-1, ' ', true, Json::error_handler_t::replace)) && Json::parse(Json(message).dump(-1, ' ', true, Json::error_handler_t::replace)) != message) continue;  // half an ü
    CAPTURE(message);
    event(Json{{"text", message}}.dump());
    auto& commit = step(Action::commit);
    commit.allow_empty = true;
    commit.message = Template::parse("{payload.text}");
    REQUIRE(run().error == "");
    std::string wanted;  // --cleanup=whitespace: no blanks at a line's end, no two empty lines in a row
    for (std::size_t at = 0, empty = 0; at <= message.size();) {
      const auto end = std::min(message.find('\n', at), message.size());
      auto one = message.substr(at, end - at);
      one.erase(one.find_last_not_of(' ') + 1);
      empty = one.empty() ? empty + 1 : 0;
      if (empty < 2) wanted += one + "\n";
      at = end + 1;
    }
    wanted.pop_back();
    CHECK(repositories.git("r", "log -1 --format=%B") == wanted);
  }
}

TEST_CASE_FIXTURE(GitSteps, "git step: another repository by its path, whose moves the run's trace tells of") {
  repositories.shell("", "git init -q -b main second");
  repositories.commit("second", "a.txt", "there");
  handler.traces_git = true;
  auto& commit = step(Action::commit);
  commit.repository = (repositories / "second").string();
  commit.message = Template::parse("m");
  commit.allow_empty = true;
  REQUIRE(run().error == "");
  CHECK(repositories.git("second", "log -1 --format=%s") == "m");
  const auto moves = ref_moves(git_trace_file(folder.path() / "runs", context.run.id));
  REQUIRE(moves.size() >= 1);
  CHECK(moves.back().ref == "refs/heads/main");
  CHECK(moves.back().after == repositories.tip("second"));

  auto& nowhere = step(Action::log);
  nowhere.repository = folder.path().string();
  CHECK(run().error.find("not a git repository") != std::string::npos);
}

TEST_CASE_FIXTURE(GitSteps, "git step: a dry run shows the command, and does nothing") {
  event(R"({"text": "hello", "path": "-f"})");
  auto& commit = step(Action::commit);
  commit.message = Template::parse("{payload.text}");
  commit.paths = {Template::parse("{payload.path}")};
  step(Action::push);
  const auto shown = render_pipeline(handler, context);
  REQUIRE(shown.size() == 2);
  CHECK(shown[0].kind == "git");
  CHECK(shown[0].text == "git commit --quiet --cleanup=whitespace --file=- -- ':(literal)-f'\n\nhello");
  CHECK(shown[1].text == "git push --quiet -- origin 'HEAD:refs/heads/{the branch that HEAD is on}'");
  CHECK(repositories.git("far.git", "for-each-ref") == "");
}
