#include "sources/webhook.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/event_field.h"
#include "core/hex.h"
#include "core/json_keys.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/digest.h"
#include "platform/http_server.h"
#include "sources/webhook_provider.h"

namespace hark {

namespace {

using Body = WebhookOptions::Body;

// By its Content-Type; Body::by_type: of none that is read.
Body body_of(const HttpHeaders& headers) {
  auto type = headers.get("Content-Type").value_or("");
  type = type.substr(0, type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  const auto ends_with = [&](std::string_view end) { return type.size() > end.size() && equal_ignoring_case(type.substr(type.size() - end.size()), end); };
  if (type.empty() || equal_ignoring_case(type, "application/json") || ends_with("+json")) return Body::json;
  if (equal_ignoring_case(type, "application/x-www-form-urlencoded")) return Body::form;
  return equal_ignoring_case(type.substr(0, 5), "text/") ? Body::text : Body::by_type;
}

// What a sender calls one delivery. One that is long, or not for eyes, by its fingerprint: it is the same one each time.
std::string delivery_id(std::string_view id) {
  const bool printable = std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (id.size() <= limits::kDeliveryId && printable) return std::string(id);
  return "sha256:" + to_hex(hmac(Hash::sha256, "delivery", {id}));
}

// The first of these that is there, once and with a value; empty: none.
std::string_view first_of(const HttpHeaders& headers, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    if (headers.count(name) == 1 && !headers.get(name)->empty()) return *headers.get(name);
  }
  return {};
}

std::string_view first_of(const Payload& payload, const std::vector<std::string>& fields) {
  for (const auto& field : fields) {
    const auto* value = json_at(payload.json(), field);
    if (value != nullptr && value->is_string() && !value->get_ref<const std::string&>().empty()) return value->get_ref<const std::string&>();
  }
  return {};
}

// The fields as an object of strings; of one that is there more than once a list.
Payload fields_of(std::string_view form) {
  auto object = nlohmann::json::object();
  for (auto& [name, value] : form_values(form)) {
    auto& field = object[name];
    if (field.is_string()) field = nlohmann::json::array({std::move(field)});
    if (field.is_array()) {
      field.push_back(std::move(value));
    } else {
      field = std::move(value);
    }
  }
  return Payload(object);
}

// The values of a header that was sent in pieces are one list (RFC 9110, 5.3).
std::string joined(const HttpHeaders& headers, std::string_view name) {
  std::string all;
  for (const auto& [key, value] : headers.entries()) {
    if (equal_ignoring_case(key, name)) all += (all.empty() ? "" : ", ") + value;
  }
  return all;
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
      : options_(std::move(options)), server_(server), clock_(clock), provider_(*webhook_provider(options_.provider)), check_(options_.scheme, options_.secrets) {
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
  Result<Payload> parse(HttpRequest& request, Body body) const;
  std::optional<Payload> context_of(const HttpRequest& request) const;

  const WebhookOptions options_;
  HttpServer& server_;
  const Clock& clock_;
  const WebhookProvider& provider_;
  const SignatureCheck check_;
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

// Why it is not known who sent this; nullopt: it is. Nothing of the body is looked at before.
std::optional<std::string> Webhook::doubt(const HttpRequest& request) const {
  if (options_.secrets.empty() && options_.unsigned_ok) return std::nullopt;
  return check_.doubt(request.headers, request.body, clock_.now().wall);
}

Refusal Webhook::refusal(const HttpRequest& request, Refusal::Cause cause, std::string reason) const {
  Refusal refusal;
  refusal.cause = cause;
  refusal.reason = std::move(reason);
  refusal.peer = request.peer;
  const auto delivery = first_of(request.headers, provider_.delivery_headers);
  if (!delivery.empty()) refusal.delivery = delivery_id(delivery);
  return refusal;
}

Result<Payload> Webhook::parse(HttpRequest& request, Body body) const {
  if (body == Body::text) {
    if (is_utf8(request.body)) return Payload(nlohmann::json(std::move(request.body)));
    return Error{"the text is no UTF-8", {}};
  }
  if (body == Body::json) return parse_event_data(std::move(request.body));
  // Forges and Slack can send their JSON so.
  if (provider_.json_in_form) {
    if (auto payload = form_value(request.body, "payload")) return parse_event_data(std::move(*payload));
  }
  return fields_of(request.body);
}

// Beside the data, what the configuration asks for: a query or a header may hold a secret, which is not to be kept unasked.
std::optional<Payload> Webhook::context_of(const HttpRequest& request) const {
  auto context = nlohmann::json::object();
  for (const auto& name : path_parameters(options_.path)) context["path"][name] = path_parameter(options_.path, request.path, name);
  const auto fields = options_.query.empty() ? Payload() : fields_of(request.query);
  for (const auto& name : options_.query) {
    if (fields.json().contains(name)) context["query"][name] = fields.json()[name];
  }
  for (const auto& name : options_.headers) {
    if (request.headers.count(name) > 0) context["headers"][name] = joined(request.headers, name);
  }
  return context.empty() ? std::nullopt : std::optional(Payload(context));
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
  const auto body = options_.body == Body::by_type ? body_of(request.headers) : options_.body;
  if (body == Body::by_type) {
    const auto type = printable(request.headers.get("Content-Type").value_or(""), limits::kShownValue);
    return refuse(Refusal::Cause::type, "type: Content-Type is '" + type + "', wanted JSON, a form or a text",
                  problem(415, {}, "application/json, application/x-www-form-urlencoded or text/plain is taken here"));
  }
  Event event;
  event.subject = first_of(request.headers, provider_.event_headers);
  if (!provider_.ping.empty() && event.subject == provider_.ping) return answer(json_response(200, {{"pong", true}}));

  auto payload = parse(request, body);
  if (!payload) {
    const auto& wrong = payload.error().message;
    return refuse(Refusal::Cause::body, "body: " + wrong, problem(400, {}, wrong));
  }
  if (!provider_.challenge.empty() && first_of(*payload, {"type"}) == provider_.challenge) {
    return answer(json_response(200, {{"challenge", first_of(*payload, {"challenge"})}}));
  }
  auto refused = refusal(request, Refusal::Cause::unavailable, "not taken: ");
  if (event.subject.empty()) event.subject = first_of(*payload, provider_.event_fields);
  if (const auto delivery = first_of(*payload, provider_.delivery_fields); !delivery.empty()) refused.delivery = delivery_id(delivery);
  if (!refused.delivery.empty()) event.dedupe_key = "webhook/" + options_.name + "/" + refused.delivery;
  event.data = std::move(*payload);
  event.context = context_of(request);
  event.type = "webhook";
  event.source = options_.name;
  event.time = clock_.now().wall;
  event.traceparent = traceparent_of(request.headers);
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
