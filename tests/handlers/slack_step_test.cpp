#include "handlers/steps/slack.h"

#include <doctest/doctest.h>

#include <random>

#include "core/payload.h"
#include "tests/handlers/pipeline_fixture.h"

using namespace hark;
using hark::test::PipelineFixture;

namespace {

std::string unescaped(std::string text) {
  for (const auto& [from, to] : {std::pair<std::string, std::string>("&lt;", "<"), {"&gt;", ">"}, {"&amp;", "&"}}) {
    for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace

TEST_CASE_FIXTURE(PipelineFixture, "slack step: whatever an event holds, Slack shows it and does not read it") {
  std::mt19937 random(20261123);  // NOLINT: the same every time
  const std::string letters = "ab<>&;!@#|lgtamp \n\"\\{}";
  for (int i = 0; i < 200; ++i) {
    std::string value = "x";
    for (unsigned length = random() % 30; length > 0; --length) value += letters[random() % letters.size()];
    CAPTURE(value);
    event(nlohmann::json{{"v", value}}.dump());
    SlackStepOptions options;
    options.url = "https://hooks.slack.com/services/x";
    options.text = Template::parse("{payload.v}");
    options.blocks = nlohmann::json{{{"text", "{payload.v}"}}};
    StepOptions step;
    step.name = "say";
    step.kind = options;
    handler.steps = {step};
    REQUIRE(run().state == RunState::succeeded);
    const auto sent = nlohmann::json::parse(http.calls().back().body);
    for (const auto& text : {sent["text"].get<std::string>(), sent["blocks"][0]["text"].get<std::string>()}) {
      CHECK(text.find_first_of("<>") == text.npos);
      CHECK(unescaped(text) == value);
    }
  }
}
