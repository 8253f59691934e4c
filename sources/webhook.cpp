#include "sources/webhook.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/json_keys.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/digest.h"
#include "platform/http_server.h"
#include "sources/webhook_signature.h"

namespace hark {

namespace {

enum class Content { json, form, other };

Content content_of(const HttpHeaders& headers) {
  auto type = headers.get("Content-Type").value_or("");
  type = type.substr(0, type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  if (type.empty() || equal_ignoring_case(type, "application/json")) return Content::json;
  constexpr std::string_view kSuffix = "+json";
  if (type.size() > kSuffix.size() && equal_ignoring_case(type.substr(type.size() - kSuffix.size()), kSuffix))
    return Content::json;
  return equal_ignoring_case(type, "application/x-www-form-urlencoded") ? Content::form : Content::other;
}

// What a sender calls one delivery; empty: not given. One that is long, or not for eyes, by its fingerprint: it is the same one each time.
std::string delivery_id(const HttpHeaders& headers, std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    if (headers.count(name) != 1) continue;
    const auto id = *headers.get(name);
    const bool printable = std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (id.empty()) continue;
    if (id.size() <= limits::kDeliveryId && printable) return std::string(id);
    std::string fingerprint = "sha256:";
    for (const auto byte : hmac_sha256("delivery", id)) {
      fingerprint += "0123456789abcdef"[byte >> 4];
      fingerprint += "0123456789abcdef"[byte & 15];
    }
    return fingerprint;
  }
  return {};
}

// The fields as an object of strings.
Result<Payload> parse_form_body(std::string_view form) {
  auto object = nlohmann::json::object();
  for (auto& [name, value] : form_values(form)) {
    if (!object.emplace(name, std::move(value)).second) {
      return Error{"the field " + write_json(name.substr(0, 80)) + " is there more than once", ""};
    }
  }
  return Payload(object);
}

HttpResponse json_response(int status, const nlohmann::json& body) {
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
  switch (acceptance.outcome) {
    case Acceptance::Outcome::accepted:
      return json_response(202, {{"event_id", acceptance.event_id}});
    case Acceptance::Outcome::duplicate:
      return json_response(200, {{"event_id", acceptance.event_id}, {"duplicate", true}});
    case Acceptance::Outcome::refused:
      break;
  }
  return come_again(503, acceptance.reason, limits::kWebhookRetryAfter);
}

class Webhook final : public Source {
 public:
  Webhook(WebhookOptions options, HttpServer& server, const Clock& clock)
      : options_(std::move(options)), server_(server), clock_(clock), github_(options_.provider == "github") {
    if (options_.rate_limit) limiter_.emplace(*options_.rate_limit);
  }
  ~Webhook() override { stop(); }

  Status start(SourceHost& host) override;
  void stop() override {
    if (host_ == nullptr) return;
    server_.remove("POST", options_.path);
    host_ = nullptr;
  }

 private:
  void not_received(const HttpRequest& head, int status, const std::string& reason);
  void receive(HttpRequest request, const HttpResponder& answer);
  std::optional<std::string> doubt(const HttpRequest& request) const;
  Refusal refusal(const HttpRequest& request, Refusal::Cause cause, std::string reason) const;
  Result<Payload> parse(HttpRequest& request, Content content) const;

  const WebhookOptions options_;
  HttpServer& server_;
  const Clock& clock_;
  const bool github_;
  std::optional<RateLimiter> limiter_;
  SourceHost* host_ = nullptr;  // null: not started
};

Status Webhook::start(SourceHost& host) {
  if (host_ != nullptr) return {};
  const bool secret =
      std::any_of(options_.secrets.begin(), options_.secrets.end(), [](const auto& each) { return !each.empty(); });
  if (!secret && !options_.unsigned_ok) {
    return Error{"webhook " + options_.name + " has no secret, so that anybody could send events",
                 "set secret, or say unsigned = true"};
  }
  if (auto listening = server_.listen(options_.host, options_.port); !listening) return listening;
  HttpRoute route{"POST", options_.path, options_.max_body,
                  [this](HttpRequest request, HttpResponder answer) { receive(std::move(request), answer); },
                  [this](const HttpRequest& head, int status, const std::string& reason) { not_received(head, status, reason); }};
  if (!server_.add(std::move(route))) {
    return Error{"webhook " + options_.name + " cannot have the path " + options_.path + ": it is taken", "give it another path"};
  }
  host_ = &host;
  return {};
}

// Why it is not known who sent this; nullopt: it is. Nothing of the body is looked at before. A second signature header would leave it
// open which of them was meant.
std::optional<std::string> Webhook::doubt(const HttpRequest& request) const {
  if (options_.secrets.empty()) return options_.unsigned_ok ? std::nullopt : std::optional<std::string>("there is no secret");
  const std::string name = github_ ? "X-Hub-Signature-256" : options_.signature_header;
  const auto count = request.headers.count(name);
  if (count == 0) return "no " + name + " header";
  if (count > 1) return std::to_string(count) + " " + name + " headers, wanted one";
  const auto header = *request.headers.get(name);
  if (signature_matches(header, request.body, options_.secrets)) return std::nullopt;
  if (!is_signature(header)) return name + " is not sha256= and 64 hexadecimal digits";
  if (options_.secrets.size() == 1) return "the secret did not match";
  return "none of " + std::to_string(options_.secrets.size()) + " secrets matched";
}

Refusal Webhook::refusal(const HttpRequest& request, Refusal::Cause cause, std::string reason) const {
  Refusal refusal;
  refusal.cause = cause;
  refusal.reason = std::move(reason);
  refusal.peer = request.peer;
  refusal.delivery = github_ ? delivery_id(request.headers, {"X-GitHub-Delivery"})
                             : delivery_id(request.headers, {"Idempotency-Key", "webhook-id"});
  return refusal;
}

Result<Payload> Webhook::parse(HttpRequest& request, Content content) const {
  if (content == Content::json) return parse_event_data(std::move(request.body));
  if (!github_) return parse_form_body(request.body);
  auto payload = form_value(request.body, "payload");
  if (!payload) return Error{"the form has no field payload", "send JSON with Content-Type: application/json, or the JSON in a form field named payload"};
  return parse_event_data(std::move(*payload));
}

void Webhook::not_received(const HttpRequest& head, int status, const std::string& reason) {
  switch (status) {
    case 413: return host_->refused(refusal(head, Refusal::Cause::size, "body: " + reason + " (max_body)"));
    case 503: return host_->refused(refusal(head, Refusal::Cause::unavailable, "not taken: " + reason));
    default: return host_->refused(refusal(head, Refusal::Cause::request, "request: " + reason));
  }
}

void Webhook::receive(HttpRequest request, const HttpResponder& answer) {
  const auto refuse = [&](Refusal::Cause cause, std::string reason, HttpResponse response) {
    host_->refused(refusal(request, cause, std::move(reason)));
    answer(std::move(response));
  };
  if (const auto doubted = doubt(request)) return refuse(Refusal::Cause::signature, "signature: " + *doubted, problem(401, {}));
  if (const auto wait = limiter_ ? limiter_->take(clock_.now().steady) : Duration::zero(); wait > Duration::zero()) {
    const auto over = "more than " + to_string(*options_.rate_limit);
    return refuse(Refusal::Cause::rate, "rate_limit: " + over, come_again(429, over, wait));
  }
  const auto content = content_of(request.headers);
  if (content == Content::other) {
    const auto type = printable(request.headers.get("Content-Type").value_or(""), limits::kShownValue);
    return refuse(Refusal::Cause::type, "type: Content-Type is '" + type + "', wanted JSON or a form",
                  problem(415, {}, "application/json or application/x-www-form-urlencoded is taken here"));
  }
  Event event;
  if (github_) event.subject = request.headers.get("X-GitHub-Event").value_or("");
  if (event.subject == "ping") return answer(json_response(200, {{"pong", true}}));

  auto payload = parse(request, content);
  if (!payload) {
    const auto& wrong = payload.error().message;
    return refuse(Refusal::Cause::body, "body: " + wrong, problem(400, {}, wrong));
  }
  event.data = std::move(*payload);
  event.type = "webhook";
  event.source = options_.name;
  event.time = clock_.now().wall;
  event.traceparent = traceparent_of(request.headers);
  auto refused = refusal(request, Refusal::Cause::unavailable, "not taken: ");
  if (!refused.delivery.empty()) event.dedupe_key = "webhook/" + options_.name + "/" + refused.delivery;
  host_->offer(std::move(event), [answer, host = host_, refused = std::move(refused)](const Acceptance& acceptance) {
    if (!acceptance.taken()) {
      auto said = refused;
      said.reason += acceptance.reason;
      host->refused(std::move(said));
    }
    answer(answer_to(acceptance));
  });
}

}  // namespace

std::unique_ptr<Source> make_webhook(WebhookOptions options, HttpServer& server, const Clock& clock) {
  return std::make_unique<Webhook>(std::move(options), server, clock);
}

}  // namespace hark
