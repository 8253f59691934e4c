#include <doctest/doctest.h>

#include "handlers/names.h"

using namespace hark;

namespace {
std::string trouble(std::string_view name, const std::vector<std::string>& earlier = {}) {
  const auto status = check_name(name, {earlier, {}});
  return status ? "" : status.error().text();
}
}  // namespace

TEST_CASE("names: what a template may use is known") {
  for (const char* name :
       {"event",    "event.id",      "event.type", "event.data.a.b", "payload",     "payload.x.0.y", "files",
        "files.0",  "changed_files", "last_run",   "run.id",         "run.handler", "run.attempt",   "run.correlation_id",
        "env.HOME", "handler",       "source",     "feedback",       "iteration",   "payload_file",  "files_file",
        "files_content", "git_log", "repo"}) {
    CHECK_MESSAGE(trouble(name).empty(), name, ": ", trouble(name));
  }
  for (const char* name : {"steps.test.output", "steps.test.error_output", "steps.test.exit_code", "steps.test.state",
                           "steps.test.json", "steps.test.json.a.0", "steps.test.output_file", "steps.test.error_file"}) {
    CHECK_MESSAGE(trouble(name, {"build", "test"}).empty(), name, ": ", trouble(name, {"build", "test"}));
  }
}

TEST_CASE("names: what is unknown is refused with the nearest that is known") {
  CHECK(trouble("paylod.x") == "unknown name {paylod.x} (did you mean {payload}?)");
  CHECK(trouble("run.idd") == "unknown name {run.idd} (did you mean {run.id}?)");
  CHECK(trouble("run") == "unknown name {run} (known here: id, handler, attempt, correlation_id)");
  CHECK(trouble("handler.x") == "unknown name {handler.x} ({handler} is one value, there is nothing inside it)");
  CHECK(trouble("env") == "unknown name {env} (say which variable: {env.NAME})");
  CHECK(trouble("print").find("for braces themselves write {{print}}") != std::string::npos);
  CHECK(trouble("zzzzzzzz").find("names begin with event, payload, ") != std::string::npos);
  CHECK_FALSE(trouble("event.tpye").empty());
}

TEST_CASE("names: only steps before this one, and what a step has") {
  CHECK(trouble("steps.test.output") == "no step before this one is called 'test' (this is the first step)");
  CHECK(trouble("steps.tset.output", {"build", "test"}) ==
        "no step before this one is called 'tset' (did you mean {steps.test.output}?)");
  CHECK(trouble("steps.later.output", {"build", "test"}) ==
        "no step before this one is called 'later' (steps before it: build, test)");
  CHECK(trouble("steps.test.outptu", {"test"}) == "unknown name {steps.test.outptu} (did you mean {steps.test.output}?)");
  CHECK(trouble("steps.test.output.x", {"test"}) ==
        "unknown name {steps.test.output.x} (steps.test.output is one value, there is nothing inside it)");
  CHECK_FALSE(trouble("steps.test", {"test"}).empty());
  CHECK_FALSE(trouble("steps", {"test"}).empty());
}
