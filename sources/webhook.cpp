#include "sources/webhook.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/event_field.h"
#include "core/event_template.h"
#include "core/hex.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/digest.h"
#include "platform/http_server.h"
#include "platform/loop.h"
#include "sources/cloud_events.h"
#include "sources/webhook_answer.h"
#include "sources/webhook_provider.h"

namespace hark {

namespace {

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

// The types of hark's own events: who sends one of these could pass for what did not happen.
bool is_own_type(std::string_view type) {
  constexpr std::array<std::string_view, 7> kOwn = {"file_change", "git_push", "git_pr", "webhook", "schedule", "manual", "run_failed"};
  return std::find(kOwn.begin(), kOwn.end(), type) != kOwn.end() || type.starts_with("handler:");
}

class Webhook final : public Source {
 public:
  Webhook(WebhookOptions options, HttpServer& server, Loop& loop, const Clock& clock)
      : options_(std::move(options)), server_(server), loop_(loop), clock_(clock), provider_(*webhook_provider(options_.provider)), check_(options_.scheme, options_.secrets) {
    if (options_.rate_limit) limiter_.emplace(*options_.rate_limit);
  }
  ~Webhook() override { stop(); }

  Status start(SourceHost& host) override;
  void hand_over() override { handed_over_ = true; }
  void stop() override {
    if (host_ == nullptr) return;
    server_.remove("POST", options_.path);
    host_ = nullptr;
    // The daemon ends. (A source that another one replaces leaves them to their runs.)
    for (const auto& waiting : std::exchange(waiting_, {})) {
      if (const auto known = waiting.lock(); known && !handed_over_) end_waiting(known, known->otherwise);
    }
  }

 private:
  void not_received(const HttpRequest& head, int status, const std::string& reason);
  void receive(HttpRequest request, const HttpResponder& answer);
  std::optional<std::string> doubt(const HttpRequest& request) const;
  std::string sender(const HttpRequest& request) const { return client_address(request.peer, request.headers.joined("X-Forwarded-For"), options_.trusted_proxies); }
  Refusal refusal(const HttpRequest& request, Refusal::Cause cause, std::string reason) const;
  void refuse(const HttpRequest& request, const HttpResponder& answer, Refusal::Cause cause, std::string reason, HttpResponse response);
  std::optional<Payload> context_of(const HttpRequest& request) const;
  void receive_body(HttpRequest request, const HttpResponder& answer);
  void receive_cloud_events(HttpRequest request, const HttpResponder& answer);
  void offer(Event event, Refusal refused, EventSink::Answer answer);
  EventSink::Answer telling(const Event& event, const HttpResponder& answer);
  void answer_with_result(const Event& event, const Acceptance& acceptance, const HttpResponder& answer);
  HttpResponse accepted(const Event& event, const Acceptance& acceptance) const;

  // A sender that waits for its run.
  struct Waiting {
    std::unique_ptr<Timer> timer;
    HttpResponder answer;
    HttpResponse otherwise;
  };
  static void end_waiting(const std::shared_ptr<Waiting>& waiting, const HttpResponse& response);

  const WebhookOptions options_;
  HttpServer& server_;
  Loop& loop_;
  const Clock& clock_;
  const WebhookProvider& provider_;
  const SignatureCheck check_;
  std::optional<RateLimiter> limiter_;
  SourceHost* host_ = nullptr;  // null: not started
  std::vector<std::weak_ptr<Waiting>> waiting_;
  bool handed_over_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for answers that come when it is gone
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
  refusal.peer = sender(request);
  if (refusal.peer.empty()) refusal.peer = request.peer;
  const auto delivery = first_of(request.headers, provider_.delivery_headers);
  if (!delivery.empty()) refusal.delivery = delivery_id(delivery);
  return refusal;
}

void Webhook::refuse(const HttpRequest& request, const HttpResponder& answer, Refusal::Cause cause, std::string reason, HttpResponse response) {
  host_->refused(refusal(request, cause, std::move(reason)));
  answer(std::move(response));
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
    if (request.headers.count(name) > 0) context["headers"][name] = request.headers.joined(name);
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
  if (!options_.allow.empty() && !request.control && !any_contains(options_.allow, sender(request))) {
    const auto from = sender(request);
    return refuse(request, answer, Refusal::Cause::address, from.empty() ? "address: X-Forwarded-For of " + request.peer + " names no address" : "address: " + from + " is none of allow", problem(403, {}));
  }
  if (const auto doubted = doubt(request)) return refuse(request, answer, Refusal::Cause::signature, "signature: " + *doubted, problem(401, {}));
  if (const auto wait = limiter_ ? limiter_->take(clock_.now().steady) : Duration::zero(); wait > Duration::zero()) {
    const auto over = "more than " + to_string(*options_.rate_limit);
    return refuse(request, answer, Refusal::Cause::rate, "rate_limit: " + over, come_again(429, over, wait));
  }
  if (options_.body == WebhookBody::by_type && is_cloud_event(request.headers)) return receive_cloud_events(std::move(request), answer);
  receive_body(std::move(request), answer);
}

void Webhook::receive_body(HttpRequest request, const HttpResponder& answer) {
  const auto type = options_.body == WebhookBody::by_type ? body_type(request.headers) : options_.body;
  if (type == WebhookBody::by_type) {
    return refuse(request, answer, Refusal::Cause::type, "type: Content-Type is '" + printable(request.headers.get("Content-Type").value_or(""), limits::kShownValue) + "', wanted JSON, a form or a text",
                  problem(415, {}, "application/json, application/x-www-form-urlencoded or text/plain is taken here"));
  }
  Event event;
  event.subject = first_of(request.headers, provider_.event_headers);
  if (!provider_.ping.empty() && event.subject == provider_.ping) return answer(json_answer(200, {{"pong", true}}));

  auto payload = read_body(type, std::move(request.body), provider_.json_in_form);
  if (!payload) {
    const auto& wrong = payload.error().message;
    return refuse(request, answer, Refusal::Cause::body, "body: " + wrong, problem(400, {}, wrong));
  }
  if (!provider_.challenge.empty() && first_of(*payload, {"type"}) == provider_.challenge) {
    return answer(json_answer(200, {{"challenge", first_of(*payload, {"challenge"})}}));
  }
  auto refused = refusal(request, Refusal::Cause::unavailable, "not taken: ");
  if (event.subject.empty()) event.subject = first_of(*payload, provider_.event_fields);
  if (const auto delivery = first_of(*payload, provider_.delivery_fields); !delivery.empty()) refused.delivery = delivery_id(delivery);
  // What names no delivery and signs its time is the same one when both are the same: who has seen it cannot send it again.
  if (refused.delivery.empty() && !provider_.time_header.empty()) {
    if (const auto time = first_of(request.headers, {provider_.time_header}); !time.empty()) refused.delivery = delivery_id(std::string(time) + '\n' + payload->text());
  }
  if (!refused.delivery.empty()) event.dedupe_key = "webhook/" + options_.name + "/" + refused.delivery;
  event.data = std::move(*payload);
  event.context = context_of(request);
  event.type = "webhook";
  event.traceparent = traceparent_of(request.headers);
  auto told = telling(event, answer);
  offer(std::move(event), std::move(refused), std::move(told));
}

// What the sender is told once this event is taken, or not.
EventSink::Answer Webhook::telling(const Event& event, const HttpResponder& answer) {
  Event told = options_.response.body || options_.response.result ? event : Event{};
  return [this, answer, told = std::move(told), alive = std::weak_ptr<bool>(alive_)](const Acceptance& acceptance) {
    if (alive.expired() || !acceptance.taken()) return answer(answer_to(acceptance));
    if (options_.response.result) return answer_with_result(told, acceptance, answer);
    answer(accepted(told, acceptance));
  };
}

// Each becomes an event of its own type, with its data; what else it says of itself is in the context.
void Webhook::receive_cloud_events(HttpRequest request, const HttpResponder& answer) {
  const auto no_event = [&](const std::string& wrong) { refuse(request, answer, Refusal::Cause::body, "body: " + wrong, problem(400, {}, wrong)); };
  auto read = read_cloud_events(request.headers, std::move(request.body));
  if (!read) return no_event(read.error().message);
  const auto context = context_of(request);
  std::vector<Event> events;
  for (auto& each : *read) {
    if (is_own_type(each.type)) return no_event("CloudEvent: the type '" + each.type + "' is hark's own");
    Event event;
    event.type = std::move(each.type);
    event.subject = std::move(each.subject);
    event.dedupe_key = "webhook/" + options_.name + "/" + delivery_id(write_json({each.source, each.id}));
    event.traceparent = traceparent_of(request.headers);
    auto beside = context ? context->json() : nlohmann::json::object();
    beside["cloudevent"] = std::move(each.others);
    beside["cloudevent"]["id"] = std::move(each.id);
    beside["cloudevent"]["source"] = std::move(each.source);
    event.context = Payload(beside);
    event.data = std::move(each.data);
    events.push_back(std::move(event));
  }
  if (events.empty()) return answer(answer_to(std::vector<Acceptance>{}));
  if (!is_cloud_event_batch(request.headers)) {
    auto told = telling(events.front(), answer);
    return offer(std::move(events.front()), refusal(request, Refusal::Cause::unavailable, "not taken: "), std::move(told));
  }
  struct Gathered {
    std::vector<Acceptance> all;
    std::size_t open;
  };
  const auto gathered = std::make_shared<Gathered>(Gathered{std::vector<Acceptance>(events.size()), events.size()});
  for (std::size_t i = 0; i < events.size(); ++i) {
    offer(std::move(events[i]), refusal(request, Refusal::Cause::unavailable, "not taken: "), [answer, gathered, i](const Acceptance& acceptance) {
      gathered->all[i] = acceptance;
      if (--gathered->open == 0) answer(answer_to(gathered->all));
    });
  }
}

void Webhook::offer(Event event, Refusal refused, EventSink::Answer answer) {
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

HttpResponse Webhook::accepted(const Event& event, const Acceptance& acceptance) const {
  const auto& wanted = options_.response;
  if (!wanted.body) {
    auto response = answer_to(acceptance);
    if (acceptance.outcome == Acceptance::Outcome::accepted) response.status = wanted.status;
    return response;
  }
  auto told = event;
  told.id = acceptance.event_id;
  HttpResponse response;
  response.status = wanted.status;
  response.content_type = wanted.content_type;
  response.body = rendered_for(*wanted.body, told).value_or("");
  response.headers.add("X-Content-Type-Options", "nosniff");
  return response;
}

// Whoever comes first answers: the run's end, or the deadline. (The other finds the request answered.)
void Webhook::answer_with_result(const Event& event, const Acceptance& acceptance, const HttpResponder& answer) {
  const auto waiting = std::make_shared<Waiting>(Waiting{loop_.timer(), answer, accepted(event, acceptance)});
  waiting->timer->at(clock_.now().steady + options_.response.deadline, [which = std::weak_ptr<Waiting>(waiting)] {
    if (const auto known = which.lock()) end_waiting(known, known->otherwise);
  });
  std::erase_if(waiting_, [](const auto& each) { return each.expired(); });
  waiting_.push_back(waiting);
  host_->when_ended(acceptance.event_id, [waiting, type = options_.response.content_type](const std::vector<Run>& runs) {
    end_waiting(waiting, answer_to(runs, type).value_or(waiting->otherwise));
  });
}

void Webhook::end_waiting(const std::shared_ptr<Waiting>& waiting, const HttpResponse& response) {
  const auto respond = std::exchange(waiting->answer, nullptr);
  waiting->timer->cancel();
  if (respond) respond(response);
}

}  // namespace

std::unique_ptr<Source> make_webhook(WebhookOptions options, HttpServer& server, Loop& loop, const Clock& clock) {
  return std::make_unique<Webhook>(std::move(options), server, loop, clock);
}

}  // namespace hark
