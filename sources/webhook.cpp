#include "sources/webhook.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/event_field.h"
#include "core/event_template.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "sources/cloud_events.h"
#include "sources/webhook_answer.h"

namespace hark {

namespace {

// The types of hark's own events: who sends one of these could pass for what did not happen.
bool is_own_type(std::string_view type) {
  constexpr std::array<std::string_view, 7> kOwn = {"file_change", "git_push", "git_pr", "webhook", "schedule", "manual", "run_failed"};
  return std::find(kOwn.begin(), kOwn.end(), type) != kOwn.end() || type.starts_with("handler:");
}

class Webhook final : public Source {
 public:
  Webhook(WebhookOptions options, HttpServer& server, Loop& loop, const Clock& clock)
      : options_(std::move(options)), loop_(loop), clock_(clock), receiver_(options_, server, clock) {}
  ~Webhook() override { stop(); }

  Status start(SourceHost& host) override;
  void hand_over() override { handed_over_ = true; }
  void stop() override {
    if (host_ == nullptr) return;
    receiver_.stop();
    host_ = nullptr;
    // The daemon ends. (A source that another one replaces leaves them to their runs.)
    for (const auto& waiting : std::exchange(waiting_, {})) {
      if (const auto known = waiting.lock(); known && !handed_over_) end_waiting(known, known->otherwise);
    }
  }

 private:
  void receive(HttpRequest request, const HttpResponder& answer);
  std::optional<Payload> context_of(const HttpRequest& request) const;
  void receive_body(HttpRequest request, const HttpResponder& answer);
  void receive_cloud_events(HttpRequest request, const HttpResponder& answer);
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
  Loop& loop_;
  const Clock& clock_;
  WebhookReceiver receiver_;
  SourceHost* host_ = nullptr;  // null: not started
  std::vector<std::weak_ptr<Waiting>> waiting_;
  bool handed_over_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for answers that come when it is gone
};

Status Webhook::start(SourceHost& host) {
  if (host_ != nullptr) return {};
  if (auto started = receiver_.start(host, [this](HttpRequest request, const HttpResponder& answer) { receive(std::move(request), answer); }); !started) return started;
  host_ = &host;
  return {};
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

void Webhook::receive(HttpRequest request, const HttpResponder& answer) {
  if (options_.body == WebhookBody::by_type && is_cloud_event(request.headers)) return receive_cloud_events(std::move(request), answer);
  receive_body(std::move(request), answer);
}

void Webhook::receive_body(HttpRequest request, const HttpResponder& answer) {
  auto payload = receiver_.read(request, options_.body, answer);
  if (!payload) return;
  const auto& provider = receiver_.provider();
  Event event;
  event.subject = first_of(request.headers, provider.event_headers);
  auto refused = receiver_.refusal(request, Refusal::Cause::unavailable, "not taken: ");
  if (event.subject.empty()) event.subject = first_of(*payload, provider.event_fields);
  if (const auto delivery = first_of(*payload, provider.delivery_fields); !delivery.empty()) refused.delivery = delivery_id(delivery);
  // What names no delivery and signs its time is the same one when both are the same: who has seen it cannot send it again.
  if (refused.delivery.empty() && !provider.time_header.empty()) {
    if (const auto time = first_of(request.headers, {provider.time_header}); !time.empty()) refused.delivery = delivery_id(std::string(time) + '\n' + payload->text());
  }
  if (!refused.delivery.empty()) event.dedupe_key = "webhook/" + options_.name + "/" + refused.delivery;
  event.data = std::move(*payload);
  event.context = context_of(request);
  event.type = "webhook";
  event.traceparent = traceparent_of(request.headers);
  auto told = telling(event, answer);
  receiver_.offer(std::move(event), std::move(refused), std::move(told));
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
  const auto no_event = [&](const std::string& wrong) { receiver_.refuse(request, answer, Refusal::Cause::body, "body: " + wrong, problem(400, {}, wrong)); };
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
    return receiver_.offer(std::move(events.front()), receiver_.refusal(request, Refusal::Cause::unavailable, "not taken: "), std::move(told));
  }
  struct Gathered {
    std::vector<Acceptance> all;
    std::size_t open;
  };
  const auto gathered = std::make_shared<Gathered>(Gathered{std::vector<Acceptance>(events.size()), events.size()});
  for (std::size_t i = 0; i < events.size(); ++i) {
    receiver_.offer(std::move(events[i]), receiver_.refusal(request, Refusal::Cause::unavailable, "not taken: "), [answer, gathered, i](const Acceptance& acceptance) {
      gathered->all[i] = acceptance;
      if (--gathered->open == 0) answer(answer_to(gathered->all));
    });
  }
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
