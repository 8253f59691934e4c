// Workspaces with real folders, real cp, real git.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "handlers/workspace.h"
#include "platform/clock.h"
#include "tests/handlers/pipeline_fixture.h"
#include "tests/support/git_folder.h"

using namespace hark;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using hark::test::GitFolder;
using hark::test::PipelineFixture;
using Kind = WorkspaceOptions::Kind;
using Keep = WorkspaceOptions::Keep;

namespace {

constexpr const char* kRun = "01K7ABCDEFGHJKMNPQRSTVWXYZ";

void write(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

std::string read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::size_t entries(const fs::path& folder) {
  return fs::exists(folder) ? std::size_t(std::distance(fs::directory_iterator(folder), fs::directory_iterator())) : 0;
}

struct Working : PipelineFixture {
  GitFolder repositories;
  RealProcessSpawner spawner{100ms};
  SystemClock system_clock;
  fs::path workspaces = folder.path() / "workspaces";

  Working() {
    repositories.shell("", "git init -q -b main r");
    write(repositories / "r/.gitignore", "*.o\n");
    repositories.commit("r", "a.txt", "first");
    context.run.id = kRun;
    handler.working_directory = "";
  }

  WorkspaceWish wish(Kind kind) { return {kind, folder.path() / "at", (repositories / "r").string(), "main", workspaces, kRun}; }
  Workspace acquired(Kind kind, bool again = false) {
    auto made = Workspace::acquire(wish(kind), again, spawner, {});
    INFO((made ? "" : made.error().text()));
    REQUIRE(made.ok());
    return *made;
  }
  Run run() { return run_pipeline(handler, context, {spawner, http, system_clock, folder.path() / "runs", workspaces}); }
};

}  // namespace

TEST_CASE_FIXTURE(Working, "workspace: each kind is made, holds what it should, and is given back") {
  const auto worktree = acquired(Kind::git_worktree);
  CHECK(worktree.folder() == (workspaces / kRun).string());
  CHECK(read(worktree.folder() + "/a.txt") == "first\n");
  CHECK(repositories.git("r", "worktree list --porcelain").find("detached") != std::string::npos);
  REQUIRE(worktree.release(false).ok());
  CHECK_FALSE(fs::exists(worktree.folder()));
  CHECK(repositories.git("r", "worktree list --porcelain").find("detached") == std::string::npos);
  CHECK(entries(repositories / "r/.git/worktrees") == 0);

  const auto temporary = acquired(Kind::temporary);
  CHECK(entries(temporary.folder()) == 0);
  CHECK((fs::status(temporary.folder()).permissions() & fs::perms::all) == fs::perms::owner_all);
  write(temporary.folder() + "/x", "x");
  fs::create_directory(temporary.folder() + "/d");
  write(temporary.folder() + "/d/y", "y");
  fs::permissions(temporary.folder() + "/d", fs::perms::owner_read | fs::perms::owner_exec);
  REQUIRE(temporary.release(false).ok());
  CHECK(entries(workspaces) == 0);

  const auto path = acquired(Kind::path);
  CHECK(path.folder() == (folder.path() / "at").string());
  write(path.folder() + "/x", "x");
  REQUIRE(path.release(false).ok());
  CHECK(read(folder.path() / "at/x") == "x");
}

TEST_CASE_FIXTURE(Working, "workspace: what names no commit, and no repository, is an error that leaves nothing") {
  for (const char* ref : {"no-such-branch", "--help", "main..main", "-x", "", "main:a.txt"}) {
    auto wanted = wish(Kind::git_worktree);
    wanted.ref = ref;
    const auto made = Workspace::acquire(wanted, false, spawner, {});
    INFO(ref);
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().message.find(*ref == '\0' ? "`ref` of the workspace is empty" : "names no commit in " + wanted.repository) != std::string::npos);
  }
  auto wanted = wish(Kind::git_worktree);
  wanted.repository = folder.path().string();
  const auto made = Workspace::acquire(wanted, false, spawner, {});
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().message.starts_with("no workspace of " + wanted.repository + ": git ended with 128: fatal: not a git repository"));
  CHECK(entries(workspaces) == 0);
}

TEST_CASE_FIXTURE(Working, "workspace: an attempt that was cut off is found again, a new one begins afresh") {
  for (const auto kind : {Kind::temporary, Kind::git_worktree}) {
    const auto first = acquired(kind);
    write(first.folder() + "/mine", "x");
    CHECK(read(acquired(kind, true).folder() + "/mine") == "x");
    const auto fresh = acquired(kind);
    CHECK_FALSE(fs::exists(fresh.folder() + "/mine"));
    REQUIRE(fresh.release(false).ok());
    const auto again = Workspace::acquire(wish(kind), true, spawner, {});
    REQUIRE_FALSE(again.ok());
    CHECK(again.error().message.ends_with("has gone"));
  }
}

TEST_CASE_FIXTURE(Working, "workspace: its state is what it holds, and a snapshot brings it back") {
  for (const auto kind : {Kind::temporary, Kind::path, Kind::git_worktree}) {
    const auto workspace = acquired(kind);
    const fs::path at = workspace.folder();
    write(at / "kept", "as it was");
    write(at / "b.txt", "b");
    fs::create_symlink("b.txt", at / "link");
    const auto before = workspace.state();
    REQUIRE(before.ok());
    CHECK(*workspace.state() == *before);
    REQUIRE(workspace.keep_snapshot("start").ok());
    CHECK(*workspace.state() == *before);

    write(at / "kept", "otherwise");
    CHECK(*workspace.state() != *before);
    REQUIRE(workspace.keep_snapshot("start").ok());  // stays as it is
    fs::remove(at / "b.txt");
    fs::create_directories(at / "new/er");
    write(at / "new/er/file", "x");
    fs::permissions(at / "kept", fs::perms::owner_all);
    if (kind == Kind::git_worktree) {
      repositories.shell("", "cd '" + at.string() + "' && git add -A && git commit -qm more && git switch -qc elsewhere");
      write(at / "ignored.o", "x");
      write(at / "untracked", "x");
    }
    const auto restored = workspace.restore("start");
    INFO((restored ? "" : restored.error().text()));
    REQUIRE(restored.ok());
    CHECK(*workspace.state() == *before);
    CHECK(read(at / "kept") == "as it was");
    CHECK(fs::read_symlink(at / "link") == "b.txt");
    CHECK_FALSE(fs::exists(at / "new"));
    CHECK_FALSE(fs::exists(at / "untracked"));
    if (kind == Kind::git_worktree) {
      CHECK(repositories.shell("", "cd '" + at.string() + "' && git rev-parse HEAD") == repositories.tip("r", "main"));
      CHECK(repositories.shell("", "cd '" + at.string() + "' && git status --porcelain") == "?? b.txt\n?? kept\n?? link");
      CHECK(fs::exists(at / "ignored.o"));
    }
    REQUIRE(workspace.release(false).ok());
    CHECK(entries(workspaces) == 0);
    if (kind == Kind::path) fs::remove_all(at);
  }
}

TEST_CASE_FIXTURE(Working, "workspace: a worktree that was cut off while it was made is made anew") {
  const auto cut_off = acquired(Kind::git_worktree);
  fs::remove(workspaces / (std::string(kRun) + ".git-dir"));
  const auto workspace = acquired(Kind::git_worktree);
  CHECK(workspace.state().ok());
  CHECK(entries(repositories / "r/.git/worktrees") == 1);
}

TEST_CASE_FIXTURE(Working, "workspace: a worktree whose .git was replaced is still that of its repository, and given back") {
  for (const auto* evil : {"rm .git; mkdir .git; git init -q --bare other; echo \"gitdir: $PWD/other\" > .git/x", "rm .git; mkfifo .git", "rm .git", "rm .git; ln -s /dev/zero .git",
                           "rm .git; git init -q . && git config user.name a && git config user.email a@b && git commit -q --allow-empty -m evil && git config core.fsmonitor \"touch $PWD/../evil; false\""}) {
    INFO(evil);
    const auto workspace = acquired(Kind::git_worktree);
    REQUIRE(workspace.keep_snapshot("start").ok());
    const auto before = workspace.state();
    repositories.shell("", "cd '" + workspace.folder() + "' && { " + evil + "; }");
    CHECK(workspace.state().ok());
    CHECK_FALSE(fs::exists(workspaces / "evil"));
    REQUIRE(workspace.restore("start").ok());
    CHECK(repositories.shell("", "cd '" + workspace.folder() + "' && git rev-parse HEAD && git status --porcelain") == repositories.tip("r", "main"));
    CHECK(workspace.state().value() == before.value());
    repositories.shell("", "cd '" + workspace.folder() + "' && { " + evil + "; }");
    REQUIRE(workspace.release(false).ok());
    CHECK(entries(workspaces) == 0);
    CHECK(entries(repositories / "r/.git/worktrees") == 0);
  }
}

TEST_CASE_FIXTURE(Working, "workspace: what a run that will not go on has left is retired and deleted, what was kept stays") {
  const auto worktree = acquired(Kind::git_worktree);
  REQUIRE(worktree.keep_snapshot("start").ok());
  write(workspaces / "of somebody else", "x");
  const auto none = [](const std::string&, bool) { return Result<bool>(false); };
  const auto unkept = [](const std::string& run_id, bool kept) {
    CHECK(run_id == kRun);
    return Result<bool>(!kept);
  };
  REQUIRE(retire_workspaces(workspaces, none).ok());
  CHECK(fs::exists(worktree.folder()));
  REQUIRE(worktree.release(true).ok());
  REQUIRE(retire_workspaces(workspaces, unkept).ok());
  CHECK(read(worktree.folder() + "/a.txt") == "first\n");
  fs::remove(worktree.folder() + ".kept");
  REQUIRE(retire_workspaces(workspaces, unkept).ok());
  CHECK_FALSE(fs::exists(worktree.folder()));
  CHECK(entries(repositories / "r/.git/worktrees") == 0);
  REQUIRE(remove_retired_workspaces(workspaces).ok());
  CHECK(entries(workspaces) == 1);
  CHECK(retire_workspaces(folder.path() / "not there", none).ok());
  CHECK(remove_retired_workspaces(folder.path() / "not there").ok());
}

TEST_CASE_FIXTURE(Working, "workspace: a run works in it, and it goes or stays as asked") {
  handler.workspace.kind = Kind::git_worktree;
  handler.workspace.repository = (repositories / "r").string();
  handler.workspace.ref = Template::parse("{payload.branch}");
  event(R"({"branch": "main"})");
  shell("look", "cat a.txt; test \"$PWD\" = {workspace} && echo here; echo more > b.txt");
  Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.steps.at(0).output == "first\nhere\n");
  CHECK(entries(workspaces) == 0);
  CHECK(told == std::vector<std::string>{"workspace:acquired", "iteration:complete", "workspace:released"});

  handler.workspace.keep = Keep::on_failure;
  CHECK(this->run().state == RunState::succeeded);
  CHECK(entries(workspaces) == 0);
  shell("fail", "exit 3");
  CHECK(this->run().state == RunState::failed);
  CHECK(read(workspaces / kRun / "b.txt") == "more\n");

  event(R"({"branch": "nowhere"})");
  run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.error.starts_with("'nowhere' names no commit"));
  CHECK(run.steps.empty());
}

TEST_CASE_FIXTURE(Working, "workspace: a path from an event stays below the configuration's folder") {
  handler.workspace.kind = Kind::path;
  handler.workspace.base = (folder.path() / "base").string();
  handler.workspace.path = Template::parse("work/{payload.name}");
  shell("touch", "touch x");
  event(R"({"name": "one"})");
  CHECK(run().state == RunState::succeeded);
  CHECK(fs::exists(folder.path() / "base/work/one/x"));
  for (const char* name : {"../../out", "a/../../../out", "..", ""}) {
    event(nlohmann::json{{"name", name}}.dump());
    INFO(name);
    if (*name != '\0') CHECK(run().state == RunState::failed);
  }
  CHECK_FALSE(fs::exists(folder.path() / "out"));
  CHECK(entries(folder.path() / "base") == 1);
}

TEST_CASE_FIXTURE(Working, "workspace: an iteration that did not pass is undone where asked, and one that changed nothing is the last") {
  handler.workspace.kind = Kind::temporary;
  handler.workspace.keep = Keep::always;
  handler.iterations.most = 5;
  shell("work", "ls | tr '\\n' ' '; test {iteration} = 3 || touch file-{iteration}");
  gate("never", "false");
  handler.workspace.restore = true;
  handler.iterations.stop_on_no_progress = true;
  Run run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.error == "gate 'never' did not pass: exit status 1; iteration 3 left the workspace as it was (iteration 3 of 5); its workspace is kept: " + (workspaces / kRun).string());
  REQUIRE(run.steps.size() == 6);
  CHECK(run.steps[2].output == "");
  CHECK(entries(workspaces / kRun) == 0);

  handler.workspace.restore = false;
  run = this->run();
  REQUIRE(run.steps.size() == 6);
  CHECK(run.steps[4].output == "file-1 file-2 ");
  CHECK(entries(workspaces / kRun) == 2);
}

TEST_CASE_FIXTURE(Working, "workspace: the best of several is the one that passed most gates, each from the same beginning") {
  handler.workspace.kind = Kind::temporary;
  handler.iterations.strategy = IterationOptions::Strategy::best_of;
  handler.iterations.most = 3;
  shell("work", "ls | wc -l; echo {iteration} > result");
  gate("even", "test $(cat result) = 2");
  gate("small", "test $(cat result) -lt 3");
  deliver("deliver", "cat result");
  Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  REQUIRE(run.steps.size() == 10);
  for (const std::size_t step : {0u, 3u, 6u}) CHECK(run.steps[step].output == "0\n");
  CHECK(run.steps.back().output == "2\n");

  handler.gates.clear();
  gate("never", "false");
  gate("small", "test $(cat result) -lt 2");
  handler.workspace.keep = Keep::on_failure;
  run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.error == "iteration 1 was the best: gate 'never' did not pass: exit status 1 (in the last of 3 iterations); its workspace is kept: " + (workspaces / kRun).string());
  CHECK(read(workspaces / kRun / "result") == "1\n");
}

TEST_CASE_FIXTURE(Working, "workspace: what hark cuts off to end keeps it") {
  handler.workspace.kind = Kind::temporary;
  shell("one", "echo x > mine");
  shell("two", "sleep 60");
  std::stop_source leave;
  context.leave = leave.get_token();
  context.step_finished = [&](std::size_t, const StepResult&, bool) {
    leave.request_stop();
    stop.request_stop();
  };
  const Run cut = this->run();
  CHECK(cut.state == RunState::cancelled);
  CHECK(read(workspaces / kRun / "mine") == "x\n");

  PipelineFixture again;
  handler.steps[1].kind = RunStepOptions{true, Template::parse("cat mine"), {}};
  context.run.steps = {cut.steps.at(0)};
  context.leave = {};
  context.stop = {};
  context.step_finished = nullptr;
  const Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.steps.at(1).output == "x\n");
  CHECK(entries(workspaces) == 0);
}
