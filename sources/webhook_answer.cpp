#include "sources/webhook_answer.h"

#include <algorithm>
#include <chrono>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/payload.h"

namespace hark {

namespace {

nlohmann::json told(const Acceptance& acceptance) {
  nlohmann::json body = {{"event_id", acceptance.event_id}};
  if (acceptance.outcome == Acceptance::Outcome::duplicate) body["duplicate"] = true;
  return body;
}

}  // namespace

HttpResponse json_answer(int status, const nlohmann::json& body) {
  HttpResponse response;
  response.status = status;
  response.body = write_json(body);
  return response;
}

HttpResponse come_again(int status, const std::string& detail, Duration after) {
  auto response = problem(status, {}, detail);
  const auto seconds = std::max(std::chrono::ceil<std::chrono::seconds>(after), std::chrono::seconds(1));
  response.headers.add("Retry-After", std::to_string(seconds.count()));
  return response;
}

HttpResponse answer_to(const Acceptance& acceptance) {
  if (!acceptance.taken()) return come_again(503, acceptance.reason, limits::kWebhookRetryAfter);
  return json_answer(acceptance.outcome == Acceptance::Outcome::duplicate ? 200 : 202, told(acceptance));
}

HttpResponse answer_to(const std::vector<Acceptance>& all) {
  auto events = nlohmann::json::array();
  for (const auto& acceptance : all) {
    if (!acceptance.taken()) return answer_to(acceptance);
    events.push_back(told(acceptance));
  }
  return json_answer(202, {{"events", events}});
}

std::optional<HttpResponse> answer_to(const std::vector<Run>& runs, const std::string& content_type) {
  if (runs.empty()) return std::nullopt;
  const auto& run = runs.front();
  HttpResponse response;
  response.headers.add("X-Content-Type-Options", "nosniff");
  const auto* step = run.steps.empty() ? nullptr : &run.steps.back();
  if (run.state != RunState::succeeded) {
    // Why is for whoever runs hark: a command's complaints are not for who called it.
    response = problem(500, "the run did not succeed", "run " + run.id + " " + std::string(to_string(run.state)));
  } else if (step != nullptr && step->output_bytes > step->output.size()) {
    response = problem(500, "the output is too large", "run " + run.id + " wrote " + std::to_string(step->output_bytes) + " bytes");
  } else {
    response.content_type = content_type;
    if (step != nullptr) response.body = step->output;
  }
  response.headers.add("X-Hark-Event", run.event_id);
  response.headers.add("X-Hark-Run", run.id);
  return response;
}

}  // namespace hark
