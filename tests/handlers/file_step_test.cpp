#include "handlers/steps/file.h"

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "core/limits.h"
#include "tests/handlers/pipeline_fixture.h"

using namespace hark;
using Action = FileStepOptions::Action;
using hark::test::PipelineFixture;

namespace {

struct Files : PipelineFixture {
  Files() { handler.working_directory = (folder / "work").string(); std::filesystem::create_directory(folder / "work"); }

  void step(const std::string& name, Action action, const std::string& path, const std::string& content = {}) {
    StepOptions step;
    step.name = name;
    step.kind = FileStepOptions{action, Template::parse(path), Template::parse(content)};
    handler.steps.push_back(std::move(step));
  }
  std::string content(const std::string& path) {
    std::ifstream file(folder / ("work/" + path), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

}  // namespace

TEST_CASE_FIXTURE(Files, "file step: writes what came, reads it, and finds it") {
  event(R"({"name": "a b/ü.md", "text": "line\n"})");
  step("write", Action::write, "notes/{payload.name}", "{payload.text}");
  step("append", Action::append, "notes/{payload.name}", "more");
  step("read", Action::read, "notes/{payload.name}");
  step("find", Action::glob, "notes/**");
  step("second", Action::write, "copy", "{steps.read.output}|{steps.find.json.0}");
  const Run run = this->run();
  CHECK(run.error == "");
  CHECK(content("notes/a b/ü.md") == "line\nmore");
  CHECK(content("copy") == "line\nmore|notes/a b/ü.md");
  CHECK(run.steps[3].output == R"(["notes/a b/ü.md"])");
}

TEST_CASE_FIXTURE(Files, "file step: a path from the event leads nowhere else") {
  for (const char* path : {"../out", "/tmp/out", "a/../../out", ""}) {
    event(nlohmann::json{{"path", path}}.dump());
    handler.steps.clear();
    step("write", Action::write, "{payload.path}", "mine");
    const Run run = this->run();
    CAPTURE(path);
    CHECK(run.state == RunState::failed);
    CHECK(run.error.find("path") != std::string::npos);
  }
  CHECK_FALSE(std::filesystem::exists(folder / "out"));
}

TEST_CASE_FIXTURE(Files, "file step: what is large goes by file, what is too large or not there is an error") {
  const std::string large(limits::kOutputInMemory + 10, 'x');
  std::ofstream(folder / "work/large") << large;
  step("read", Action::read, "large");
  step("copy", Action::read, "{steps.read.output_file}");
  Run run = this->run();
  CHECK(run.steps[0].output.size() == limits::kOutputInMemory);
  CHECK(run.steps[0].output_bytes == large.size());
  CHECK(std::filesystem::file_size(run.steps[0].output_file) == large.size());
  CHECK(run.error.find("is absolute") != std::string::npos);

  handler.steps.clear();
  std::filesystem::resize_file(folder / "work/large", limits::kFileStep + 1);
  step("read", Action::read, "large");
  CHECK(this->run().error.find("'large' has more than 16777216 bytes (hand its path to a command)") != std::string::npos);
  handler.steps.clear();
  step("read", Action::read, "gone");
  CHECK(this->run().error == "there is no file 'gone'");
}

TEST_CASE_FIXTURE(Files, "file step: a dry run shows what it would write, and writes nothing") {
  event(R"({"text": "hello"})");
  step("write", Action::write, "new/file", "{payload.text}");
  const auto shown = render_pipeline(handler, context);
  REQUIRE(shown.size() == 1);
  CHECK(shown[0].kind == "file");
  CHECK(shown[0].text == "write new/file\n\nhello");
  CHECK_FALSE(std::filesystem::exists(folder / "work/new"));
}
