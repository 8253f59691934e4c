#include "sources/webhook_receiver.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/event_field.h"
#include "core/hex.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/digest.h"
#include "platform/http_server.h"
#include "sources/webhook_answer.h"

namespace hark {

std::string delivery_id(std::string_view id) {
  const bool printable = std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (id.size() <= limits::kDeliveryId && printable) return std::string(id);
  return "sha256:" + to_hex(hmac(Hash::sha256, "delivery", {id}));
}

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

WebhookReceiver::WebhookReceiver(ReceiverOptions options, HttpServer& server, const Clock& clock)
    : options_(std::move(options)), server_(server), clock_(clock), provider_(*webhook_provider(options_.provider)), check_(options_.scheme, options_.secrets) {
  if (options_.rate_limit) limiter_.emplace(*options_.rate_limit);
}

Status WebhookReceiver::start(SourceHost& host, Take take) {
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
  take_ = std::move(take);
  return {};
}

void WebhookReceiver::stop() {
  if (host_ == nullptr) return;
  server_.remove("POST", options_.path);
  host_ = nullptr;
}

std::string WebhookReceiver::sender(const HttpRequest& request) const {
  return client_address(request.peer, request.headers.joined("X-Forwarded-For"), options_.trusted_proxies);
}

// Why it is not known who sent this; nullopt: it is. Nothing of the body is looked at before.
std::optional<std::string> WebhookReceiver::doubt(const HttpRequest& request) const {
  if (options_.secrets.empty() && options_.unsigned_ok) return std::nullopt;
  return check_.doubt(request.headers, request.body, clock_.now().wall);
}

Refusal WebhookReceiver::refusal(const HttpRequest& request, Refusal::Cause cause, std::string reason) const {
  Refusal refusal;
  refusal.cause = cause;
  refusal.reason = std::move(reason);
  refusal.peer = sender(request);
  if (refusal.peer.empty()) refusal.peer = request.peer;
  const auto delivery = first_of(request.headers, provider_.delivery_headers);
  if (!delivery.empty()) refusal.delivery = delivery_id(delivery);
  return refusal;
}

void WebhookReceiver::refuse(const HttpRequest& request, const HttpResponder& answer, Refusal::Cause cause, std::string reason, HttpResponse response) {
  host_->refused(refusal(request, cause, std::move(reason)));
  answer(std::move(response));
}

void WebhookReceiver::not_received(const HttpRequest& head, int status, const std::string& reason) {
  switch (status) {
    case 413: return host_->refused(refusal(head, Refusal::Cause::size, "body: " + reason + " (max_body)"));
    case 503: return host_->refused(refusal(head, Refusal::Cause::unavailable, "not taken: " + reason));
    default: return host_->refused(refusal(head, Refusal::Cause::request, "request: " + reason));
  }
}

void WebhookReceiver::receive(HttpRequest request, const HttpResponder& answer) {
  if (!options_.allow.empty() && !request.control && !any_contains(options_.allow, sender(request))) {
    const auto from = sender(request);
    return refuse(request, answer, Refusal::Cause::address, from.empty() ? "address: X-Forwarded-For of " + request.peer + " names no address" : "address: " + from + " is none of allow", problem(403, {}));
  }
  if (const auto doubted = doubt(request)) return refuse(request, answer, Refusal::Cause::signature, "signature: " + *doubted, problem(401, {}));
  if (const auto wait = limiter_ ? limiter_->take(clock_.now().steady) : Duration::zero(); wait > Duration::zero()) {
    const auto over = "more than " + to_string(*options_.rate_limit);
    return refuse(request, answer, Refusal::Cause::rate, "rate_limit: " + over, come_again(429, over, wait));
  }
  take_(std::move(request), answer);
}

std::optional<Payload> WebhookReceiver::read(HttpRequest& request, WebhookBody wanted, const HttpResponder& answer) {
  const auto type = wanted == WebhookBody::by_type ? body_type(request.headers) : wanted;
  if (type == WebhookBody::by_type) {
    refuse(request, answer, Refusal::Cause::type, "type: Content-Type is '" + printable(request.headers.get("Content-Type").value_or(""), limits::kShownValue) + "', wanted JSON, a form or a text",
           problem(415, {}, "application/json, application/x-www-form-urlencoded or text/plain is taken here"));
    return std::nullopt;
  }
  if (!provider_.ping.empty() && first_of(request.headers, provider_.event_headers) == provider_.ping) {
    answer(json_answer(200, {{"pong", true}}));
    return std::nullopt;
  }
  auto payload = read_body(type, std::move(request.body), provider_.json_in_form);
  if (!payload) {
    const auto& wrong = payload.error().message;
    refuse(request, answer, Refusal::Cause::body, "body: " + wrong, problem(400, {}, wrong));
    return std::nullopt;
  }
  if (!provider_.challenge.empty() && first_of(*payload, {"type"}) == provider_.challenge) {
    answer(json_answer(200, {{"challenge", first_of(*payload, {"challenge"})}}));
    return std::nullopt;
  }
  return std::move(*payload);
}

void WebhookReceiver::offer(Event event, Refusal refused, EventSink::Answer answer) {
  event.source = options_.name;
  event.time = clock_.now().wall;
  host_->offer(std::move(event), [host = host_, refused = std::move(refused), answer = std::move(answer)](const Acceptance& acceptance) {
    if (!acceptance.taken()) {
      auto said = refused;
      said.reason += acceptance.reason;
      host->refused(std::move(said));
    }
    answer(acceptance);
  });
}

}  // namespace hark
