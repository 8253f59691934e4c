// Pipelines with real processes.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "core/event_json.h"
#include "platform/clock.h"
#include "tests/handlers/pipeline_fixture.h"
#include "tests/support/eventually.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::eventually;

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Real : hark::test::PipelineFixture {
  RealProcessSpawner spawner{100ms};
  SystemClock system_clock;
  Real() { handler.working_directory = folder.path(); }
  Run run() {
    Run run = run_with(spawner, system_clock);
    INFO("error: ", run.error);
    return run;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Real, "end to end: no value of an event ever becomes shell text") {
  const std::vector<std::string> hostile = {"$(touch pwned)",
                                            "`touch pwned`",
                                            "; touch pwned;",
                                            "' touch pwned '",
                                            "\" touch pwned \"",
                                            "a b  c",
                                            "*",
                                            "~",
                                            "-rf",
                                            "\n touch pwned\n",
                                            "${HOME}",
                                            "{payload.v}",
                                            "{{x}}",
                                            "\\",
                                            "\\\"$(touch pwned)",
                                            "'\"'\"'$(touch pwned)",
                                            "é\u202e",
                                            "||touch pwned",
                                            "",
                                            "$((1+1))"};
  shell("bare", "printf '<%s>' {payload.v}");
  shell("double", "printf '<%s>' \"a {payload.v} b\"");
  shell("single", "printf '<%s>' 'a {payload.v} b'");
  shell("heredoc", "cat <<END\n{payload.v}\nEND\n");
  argv("list", {"printf", "<%s>", "{payload.v}"});
  for (const auto& value : hostile) {
    event(nlohmann::json{{"v", value}}.dump());
    const Run run = this->run();
    INFO(value);
    REQUIRE(run.error == "");
    CHECK(run.steps[0].output == "<" + value + ">");
    CHECK(run.steps[1].output == "<a " + value + " b>");
    CHECK(run.steps[2].output == "<a " + value + " b>");
    CHECK(run.steps[3].output == value + "\n");
    CHECK(run.steps[4].output == "<" + value + ">");
    CHECK_FALSE(std::filesystem::exists(folder / "pwned"));
  }
}

TEST_CASE_FIXTURE(Real, "end to end: random values come through a shell unharmed") {
  const auto seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937 random(seed);
  constexpr std::string_view kSigns = "$`'\"\\;&|<>(){}[]*?~#!\n\t -=%aA1";
  shell("all", "printf '%s|' {payload.v} \"{payload.v}\" '{payload.v}' x{payload.v}y");
  for (int round = 0; round < 60; ++round) {
    std::string value;
    for (auto left = random() % 12; left > 0; --left) value += kSigns[random() % kSigns.size()];
    event(nlohmann::json{{"v", value}}.dump());
    CHECK(run().steps[0].output == value + "|" + value + "|" + value + "|x" + value + "y|");
  }
}

TEST_CASE_FIXTURE(Real, "end to end: a list of files becomes one argument each, with and without a shell") {
  event(R"({"files": ["a b.txt", "$(x).txt", "-n", "'q'"]})");
  shell("shell", "printf '<%s>' {files}");
  argv("list", {"printf", "<%s>", "{files}"});
  argv("one", {"printf", "<%s>", "all: {files}"});
  shell("file", "xargs -0 printf '<%s>' < {files_file}");
  const Run run = this->run();
  REQUIRE(run.error == "");
  CHECK(run.steps[0].output == "<a b.txt><$(x).txt><-n><'q'>");
  CHECK(run.steps[1].output == run.steps[0].output);
  CHECK(run.steps[2].output == "<all: a b.txt $(x).txt -n 'q'>");
  CHECK(run.steps[3].output == run.steps[0].output);
  struct stat status {};
  REQUIRE(stat((folder / "runs/RUN1/files").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE_FIXTURE(Real, "end to end: a list of files may come under other names, as objects, or not at all") {
  argv("list", {"printf", "<%s>", "{changed_files}", "{files.0}"});
  event(R"({"changed_files": ["x", "y"]})");
  CHECK(run().steps[0].output == "<x><y><x>");
  event(R"({"files": [{"filename": "a"}, {"path": "b"}, {"other": 1}, 3]})");
  CHECK(run().steps[0].output == "<a><b><a>");
  event(R"([1, 2])");
  CHECK(run().steps[0].output == "<>");
}

TEST_CASE_FIXTURE(Real, "end to end: outputs go from step to step, as $( ) would hand them on") {
  shell("make", "printf '{\"url\": \"https://x/{payload.n}\", \"tags\": [\"a\", \"b\"]}\\n\\n'; echo careful >&2; exit 0");
  event(R"({"n": 7})");
  argv("use", {"printf", "%s|", "{steps.make.json.url}", "{steps.make.json.tags}", "{steps.make.json.tags.1}",
               "{steps.make.exit_code}", "{steps.make.state}", "{steps.make.error_output}", "{steps.make.output}"});
  argv("file", {"cat", "{steps.use.output_file}"});
  const Run run = this->run();
  REQUIRE(run.error == "");
  CHECK(run.steps[1].output == "https://x/7|a|b|b|0|succeeded|careful|{\"url\": \"https://x/7\", \"tags\": [\"a\", \"b\"]}|");
  CHECK(run.steps[2].output == run.steps[1].output);
}

TEST_CASE_FIXTURE(Real, "end to end: the event stands on standard input, and its data in a file when asked for") {
  event(R"({"big": 12345678901234567890, "s": "\u0000x"})");
  argv("input", {"cat"});
  argv("file", {"cat", "{payload_file}"});
  const Run run = this->run();
  REQUIRE(run.error == "");
  CHECK(run.steps[0].output == to_json_text(*context.event));
  CHECK(run.steps[1].output == context.event->data.text());
}

TEST_CASE_FIXTURE(Real, "end to end: a value that a shell cannot hold is an error with the way out") {
  event(R"({"s": "a\u0000b"})");
  shell("one", "echo {payload.s}");
  const Run nul = run();
  CHECK(nul.state == RunState::failed);
  CHECK(nul.error.find("payload_file") != std::string::npos);
  event(nlohmann::json{{"s", std::string(200'000, 'x')}}.dump());
  CHECK(run().error.find("payload_file") != std::string::npos);
  handler.steps.clear();
  argv("two", {"echo", "{payload.s}"});
  CHECK(run().error.find("payload_file") != std::string::npos);
}

TEST_CASE_FIXTURE(Real, "end to end: names of the scope") {
  context.last_run = from_rfc3339("2026-11-21T07:17:07.123Z");
  context.environment = [](const std::string& name) {
    return name == "COLOUR" ? std::optional<std::string>("blue") : std::nullopt;
  };
  argv("all", {"printf", "%s|", "{last_run}", "{run.id}", "{run.handler}", "{run.attempt}", "{run.correlation_id}", "{handler}",
               "{source}", "<{feedback}>", "{iteration}", "{env.COLOUR}", "<{env.NONE}>", "{event.type}", "{event.subject}",
               "<{payload.nothing}>", "<{steps.later.output}>"});
  Run run = this->run();
  REQUIRE(run.error == "");
  CHECK(run.steps[0].output ==
        "2026-11-21T07:17:07.123Z|RUN1|on-change|2|STORY1|on-change|deploy|<>|1|blue|<>|webhook|main|<>|<>|");
  context.last_run.reset();
  run = this->run();
  CHECK(run.steps[0].output.starts_with("1970-01-01T00:00:00.000Z|"));
}

TEST_CASE_FIXTURE(Real,
                  "end to end: a step that takes too long is ended with all its children, and the next attempt is the last") {
  auto& step = shell("slow", "echo $$ >> pids; (setsid sh -c 'echo $$ >> pids; sleep 1000; :' &); sleep 1000; :");
  step.timeout = 300ms;
  step.retry = {2, {1ms, 1ms}};
  const Run run = this->run();
  CHECK(run.state == RunState::timed_out);
  CHECK(run.error.starts_with("timed out after 300ms"));
  CHECK(run.steps[0].attempts == 2);
  std::ifstream pids(folder / "pids");
  int count = 0;
  for (pid_t pid; pids >> pid; ++count) CHECK(kill(pid, 0) == -1);
  CHECK(count >= 2);
}

TEST_CASE_FIXTURE(Real, "end to end: a cancel ends the running command") {
  shell("one", "echo $$ > pid; sleep 1000; :");
  shell("two", "true");
  std::jthread canceller([&] {
    eventually([&] { return read_file(folder / "pid").ends_with('\n'); });
    stop.request_stop();
  });
  const Run run = this->run();
  CHECK(run.state == RunState::cancelled);
  CHECK(run.steps.size() == 1);
  CHECK(kill(std::stoi(read_file(folder / "pid")), 0) == -1);
}

TEST_CASE_FIXTURE(Real, "end to end: what is to be run is not there") {
  argv("one", {"pytset"});
  CHECK(run().error.find("cannot run 'pytset': not found in PATH (") == 0);
  handler.steps.clear();
  argv("two", {"true"});
  handler.working_directory = "/no/such/folder";
  CHECK(run().error.find("cannot enter working directory '/no/such/folder'") != std::string::npos);
}
