#include "handlers/values.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "platform/process.h"
#include "tests/handlers/pipeline_fixture.h"

using namespace hark;
using namespace hark::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

void write(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

std::string content(const TemporaryFolder& folder, const std::vector<std::string>& paths, const std::string& origin = {}) {
  const auto text = files_content(paths, folder.path().string(), origin);
  REQUIRE(text);
  return *text;
}

// A repository with one commit for each second from `first` on, and a bell in each subject.
void make_commits(const std::filesystem::path& folder, int count, std::int64_t first) {
  const auto script = "cd '" + folder.string() + "' && git init -q . && i=0; while [ $i -lt " + std::to_string(count) +
                      " ]; do GIT_COMMITTER_DATE=\"@$((" + std::to_string(first) + " + i)) +0000\" git -c user.name=a -c user.email=a@b commit -q --allow-empty -m \"change\a $i\" || exit 1; i=$((i+1)); done";
  Command command;
  command.argv = {"/bin/sh", "-c", script};
  command.environment = {{"GIT_CONFIG_GLOBAL", "/dev/null"}, {"GIT_CONFIG_NOSYSTEM", "1"}};
  RealProcessSpawner processes;
  const auto made = processes.run(command, std::nullopt, {});
  REQUIRE(made);
  REQUIRE(made->code == 0);
}

Result<std::string> log_of(const TemporaryFolder& folder, std::optional<WallTime> since) {
  RealProcessSpawner processes;
  return git_log(folder.path().string(), since, {}, processes, "RUN1", std::chrono::steady_clock::now() + 60s, {});
}

}  // namespace

TEST_CASE("files_content: each file stands under a line with its path, wherever it is named from") {
  TemporaryFolder folder;
  write(folder / "a.py", "print(1)\n");
  write(folder / "sub/b.py", "no end of line");
  CHECK(content(folder, {"a.py", (folder / "sub/b.py").string()}) == "==> a.py <==\nprint(1)\n==> sub/b.py <==\nno end of line\n");
  CHECK(content(folder, {"/srv/project/a.py"}, "/srv/project") == "==> a.py <==\nprint(1)\n");
  CHECK(content(folder, {}).empty());
}

TEST_CASE("files_content: nothing leads out of the folder, and what is not shown is named") {
  TemporaryFolder folder, other;
  write(other / "key", "private\n");
  std::filesystem::create_symlink(other / "key", folder / "link");
  std::filesystem::create_directories(folder / "folder");
  write(folder / "image.png", std::string("\x89PNG\0\x1a", 6));
  write(folder / "latin1.txt", "caf\xe9\n");
  write(folder / "bad\nname", "x\n");
  const auto text = content(folder, {"link", "../key", (other / "key").string(), "/etc/passwd", "folder", "image.png", "latin1.txt", "gone", "bad\nname"});
  CAPTURE(text);
  CHECK(text.find("private") == std::string::npos);
  CHECK(text.find("root:") == std::string::npos);
  for (const std::string start : {"==> link: not shown, ", "==> ../key: not shown, ", "==> /etc/passwd: not shown, ", "==> folder: not shown, ", "==> image.png: binary, 6 bytes <==\n",
                                  "==> latin1.txt: binary, 5 bytes <==\n", "==> gone: there is no such file <==\n", "==> bad\\nname <==\nx\n"}) {
    CAPTURE(start);
    CHECK(text.find(start) != std::string::npos);
  }
}

TEST_CASE("files_content: a long file is cut between characters, and many files are not more than is good") {
  TemporaryFolder folder;
  std::string accents = "x";
  while (accents.size() < limits::kFileContent + 10) accents += "\xc3\xa9";
  write(folder / "long", accents);
  const auto cut = content(folder, {"long"});
  CHECK(cut.starts_with("==> long: the first " + std::to_string(limits::kFileContent - 1) + " of " + std::to_string(accents.size()) + " bytes <==\n"));
  CHECK(cut.ends_with("\xc3\xa9\n"));
  const std::vector<std::string> many(10, "long");
  const auto all = content(folder, many);
  CHECK(all.size() <= limits::kFilesContent + 100);
  CHECK(all.ends_with("==> 7 more files: not shown, 256 KiB are the most <==\n"));
}

TEST_CASE("git_log: one line a commit, newest first, the last few where there was no success yet") {
  TemporaryFolder folder;
  make_commits(folder.path(), limits::kGitLogFirst + 2, 1'700'000'000);
  const auto log = log_of(folder, std::nullopt);
  REQUIRE(log);
  CHECK(std::count(log->begin(), log->end(), '\n') == limits::kGitLogFirst);
  CHECK(log->find(" 2023-11-14 change\\x07 21\n") != std::string::npos);
  CHECK(log->find("change\\x07 21\n") < log->find("change\\x07 2\n"));
  CHECK(log->find("change\\x07 1\n") == std::string::npos);
}

TEST_CASE("git_log: since the last success") {
  TemporaryFolder folder;
  make_commits(folder.path(), 5, 1'700'000'000);
  const auto log = log_of(folder, WallTime{1'700'000'003s});
  REQUIRE(log);
  CHECK(std::count(log->begin(), log->end(), '\n') == 2);
  CHECK(log->find("change\\x07 3\n") != std::string::npos);
  CHECK(log_of(folder, WallTime{1'700'000'005s})->empty());
}

TEST_CASE("git_log: a folder that lies in no repository is an error that says so") {
  TemporaryFolder folder;
  const auto log = log_of(folder, std::nullopt);
  REQUIRE_FALSE(log);
  CHECK(log.error().text().find("not a git repository") != std::string::npos);
}

TEST_CASE("repo: the name that a forge gives, or that the place of the repository ends with, or the folder's") {
  CHECK(repository_name(json::parse(R"({"repository": {"full_name": "ada/engine"}})"), "/x") == "ada/engine");
  CHECK(repository_name(json::parse(R"({"project": {"path_with_namespace": "group/sub/engine"}})"), "/x") == "group/sub/engine");
  CHECK(repository_name(json::parse(R"({"repository": "ada/engine"})"), "/x") == "ada/engine");
  CHECK(repository_name(json::parse(R"({"repository": "https://forge.example/ada/engine.git"})"), "/x") == "ada/engine");
  CHECK(repository_name(json::parse(R"({"repository": "git@forge.example:ada/engine.git"})"), "/x") == "ada/engine");
  CHECK(repository_name(json::parse(R"({"repository": "/srv/engine.git/"})"), "/x") == "engine");
  CHECK(repository_name(json::parse(R"({"root": "/home/ada/engine"})"), "/x") == "engine");
  CHECK(repository_name(json::parse("[]"), "/home/ada/project") == "project");
  CHECK(repository_name(json::parse("[]"), "") == "");
}

TEST_CASE_FIXTURE(PipelineFixture, "values: they stand where any other value does, in a script as one word, and are gathered anew for each step") {
  handler.working_directory = folder.path().string();
  write(folder / "a", "'; touch pwned; $(id) {payload.x}\n");
  event(R"({"files": ["a"], "repository": "ada/engine"})");
  processes.answer(FakeProcesses::exited(0));
  processes.answer([&](const FakeProcesses::Call&, const std::stop_token&) {
    write(folder / "a", "changed\n");
    return Result<ProcessResult>(FakeProcesses::exited(0));
  });
  shell("one", "echo {files_content} {repo}");
  argv("two", {"echo", "{files_content}"});
  call("three", "https://x.example/{repo}").body = Template::parse("{files_content}");
  REQUIRE(run().state == RunState::succeeded);
  const auto calls = processes.calls();
  CHECK(calls[0].command.argv[2].find("pwned") == std::string::npos);
  CHECK(calls[1].command.argv[1] == "==> a <==\n'; touch pwned; $(id) {payload.x}");
  CHECK(http.calls()[0].url == "https://x.example/ada%2Fengine");
  CHECK(http.calls()[0].body == "==> a <==\nchanged");
}
