#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include <nlohmann/json.hpp>

#include "core/event_json.h"
#include "core/event_pattern.h"
#include "core/limits.h"
#include "core/percent.h"
#include "core/printable.h"
#include "daemon/api.h"
#include "daemon/api_answers.h"
#include "daemon/api_bus.h"
#include "daemon/api_routes.h"
#include "daemon/engine.h"
#include "daemon/publishing.h"
#include "daemon/session.h"
#include "platform/clock.h"
#include "platform/http_server.h"
#include "sources/cloud_events.h"
#include "state/journal.h"

namespace hark {

using nlohmann::json;

namespace {

constexpr std::size_t kEventsPage = 100;
constexpr std::size_t kMostEvents = 1000;

HttpResponse bad_event(const Error& error) { return problem(400, "not an event", error.text()); }

// Ids of hark's own need no escapes.
HttpResponse accepted_response(const Acceptance& acceptance) {
  auto response = json_text_response("{\"event_id\":\"" + acceptance.event_id + "\",\"sequence\":" + std::to_string(acceptance.sequence) +
                                         (acceptance.outcome == Acceptance::Outcome::duplicate ? ",\"duplicate\":true}" : "}"), 202);
  response.headers.add("Location", "/api/events/" + acceptance.event_id);
  return response;
}

HttpResponse unreadable(const Error& error) { return problem(503, "the journal cannot be read", error.message); }

// What a run causes goes on with its story, and counts against circles.
Status link_to_cause(const ApiParts& parts, Event& event) {
  if (event.causation_id.empty()) return {};
  const auto run = parts.journal.run(event.causation_id);
  if (!run || !*run || (*run)->id != event.causation_id) return {};  // of another journal, or gone: a name and no more
  if (event.correlation_id.empty()) event.correlation_id = (*run)->correlation_id;
  const auto cause = find_event(parts.journal, (*run)->event_id);
  if (!cause) return cause.error();
  if (*cause) event.hops = (*cause)->hops + 1;
  return {};
}

// A signal does something; who may only tell may not send it.
std::optional<HttpResponse> refuse_signal(const ApiParts& parts, const Caller& caller, const std::string& type) {
  for (const auto& signal : parts.settings.signals) {
    const auto needed = halts(signal.action) ? Scope::control : Scope::runs_write;
    if (signal.type == type && !caller.may(needed)) return insufficient_scope(std::string(to_string(needed)));
  }
  return std::nullopt;
}

}  // namespace

std::variant<Event, HttpResponse> event_of(const ApiParts& parts, const Caller& caller, Publication publication) {
  const auto& topic = publication.event.topic;
  if (!caller.may_publish(topic)) return insufficient_scope(std::string(to_string(Scope::publish)) + (topic.empty() ? "" : ":" + topic));
  if (auto refusal = refuse_signal(parts, caller, publication.event.type)) return std::move(*refusal);
  auto name = publication.publisher.empty() ? caller.subject() : publication.publisher;
  if (name.empty()) name = "local";
  if (!caller.subject().empty() && name != caller.subject()) return problem(403, "another's name", "the token is of '" + printable(caller.subject(), limits::kShownValue) + "', who publishes under that name");
  auto event = published_by(name, std::move(publication));
  if (auto linked = link_to_cause(parts, event); !linked) return unreadable(linked.error());
  return event;
}

namespace {

void publish(const ApiParts& parts, const HttpRequest& request, const Caller& caller, HttpResponder respond) {
  const auto type = path_parameter("/api/events/{type}", request.path, "type");
  auto read = read_publication(type, request.body);
  if (!read) return respond(bad_event(read.error()));
  if (const auto key = request.headers.get("Idempotency-Key"); key && !key->empty()) {
    if (key->size() > limits::kDeliveryId) return respond(problem(400, "bad Idempotency-Key", "it is longer than " + std::to_string(limits::kDeliveryId) + " bytes"));
    read->id = keyed(read->event.type, *key);
  }
  auto made = event_of(parts, caller, std::move(*read));
  if (auto* refusal = std::get_if<HttpResponse>(&made)) return respond(std::move(*refusal));
  auto& event = std::get<Event>(made);
  event.traceparent = traceparent_of(request.headers);
  parts.engine.offer_to({}, std::move(event), [respond = std::move(respond)](const Acceptance& acceptance) {
    respond(acceptance.taken() ? accepted_response(acceptance) : not_accepted(acceptance));
  });
}

// All of them, or (where there was no room for one) 503: who asks again sends the same ids, and those that were taken are known by them.
void publish_cloud_events(const ApiParts& parts, const HttpRequest& request, const Caller& caller, HttpResponder respond) {
  if (!is_cloud_event(request.headers)) {
    return respond(problem(415, "not a CloudEvent", "send application/cloudevents+json, application/cloudevents-batch+json, or ce- headers; hark's own form goes to /api/events/TYPE"));
  }
  auto read = read_cloud_events(request.headers, request.body);
  if (!read) return respond(bad_event(read.error()));
  const bool batch = is_cloud_event_batch(request.headers);
  std::vector<Event> events;
  for (auto& each : *read) {
    auto publication = read_publication(std::move(each));
    if (!publication) return respond(bad_event({(batch ? "CloudEvent " + std::to_string(events.size() + 1) + ": " : "") + publication.error().message, publication.error().cure}));
    auto made = event_of(parts, caller, std::move(*publication));
    if (auto* refusal = std::get_if<HttpResponse>(&made)) return respond(std::move(*refusal));
    events.push_back(std::move(std::get<Event>(made)));
    if (events.back().traceparent.empty()) events.back().traceparent = traceparent_of(request.headers);
  }
  struct Answers {
    std::vector<Acceptance> all;
    std::size_t open = 0;
  };
  auto answers = std::make_shared<Answers>();
  answers->all.resize(events.size());
  answers->open = events.size();
  if (events.empty()) return respond(json_response({{"event_ids", json::array()}}, 202));
  for (std::size_t i = 0; i < events.size(); ++i) {
    parts.engine.offer_to({}, std::move(events[i]), [answers, i, batch, respond](const Acceptance& acceptance) {
      answers->all[i] = acceptance;
      if (--answers->open > 0) return;
      json ids = json::array();
      for (const auto& each : answers->all) {
        if (!each.taken()) return respond(not_accepted(each));
        ids.push_back(each.event_id);
      }
      respond(batch ? json_response({{"event_ids", std::move(ids)}}, 202) : accepted_response(answers->all.front()));
    });
  }
}

void list_events(const ApiParts& parts, const HttpRequest& request, const Caller& caller, const HttpResponder& respond) {
  const auto limit = query_number(request, "limit"), before = query_number(request, "before"), after = query_number(request, "after");
  for (const auto* each : {&limit, &before, &after}) {
    if (!*each) return respond(problem(400, "bad query", each->error().message));
  }
  const auto wish = read_pattern(request, {});
  if (!wish) return respond(problem(400, "bad query", wish.error().text()));
  if (auto refusal = refuse_topics(caller, *wish)) return respond(std::move(*refusal));
  EventQuery query;
  query.limit = std::min<std::size_t>(limit->value_or(kEventsPage), kMostEvents);
  query.before = *before;
  query.after = *after;
  query.now = parts.clock.now().wall;
  query.wanted = [&](const Event& event) { return caller.may_read(event.topic) && wish->matches(event); };
  const auto events = parts.journal.events(query);
  if (!events) return respond(unreadable(events.error()));
  std::string body = "{\"events\":[";
  for (const auto& event : *events) body += (body.back() == '[' ? "" : ",") + to_json_text(event);
  body += "]";
  if (!events->empty()) body += ",\"cursor\":" + std::to_string(events->back().sequence);
  respond(json_text_response(body + "}"));
}

void show_event(const ApiParts& parts, const HttpRequest& request, const Caller& caller, const HttpResponder& respond) {
  const auto event = parts.journal.event(path_parameter("/api/events/{id}", request.path, "id"));
  if (!event) return respond(problem(400, "cannot show the event", event.error().message));
  if (!*event || has_expired(**event, parts.clock.now().wall) || !caller.may_read((*event)->topic)) return respond(problem(404, "no such event"));
  respond(json_text_response(to_json_text(**event)));
}

void show_session(const ApiParts& parts, const HttpRequest& request, const Caller& caller, const HttpResponder& respond) {
  auto id = path_parameter("/api/sessions/{id}", request.path, "id");
  auto found = find_session(parts.journal, id);
  if (!found) return respond(problem(400, "cannot show the session", found.error().text()));
  if (!*found) return respond(problem(404, "no such session", "no event that is kept has this correlation id, and no event or run has this id"));
  keep_events(**found, [&](const Event& event) { return caller.may_read(event.topic); });
  if ((*found)->events.empty()) return respond(problem(404, "no such session", "it has no event that this token may read"));
  respond(json_response(to_json(**found)));
}

}  // namespace

void add_event_routes(const ApiParts& parts) {
  const auto add = [&](const ApiRoute& route, CallerHandler handle) { add_api_route(parts, route, std::move(handle)); };
  add({"POST", "/api/events", Scope::publish, {}, limits::kCloudEventsBody}, publish_cloud_events);
  add({"GET", "/api/events", Scope::read, "type types topic topics filter limit before after"}, list_events);
  add({"POST", "/api/events/{type}", Scope::publish}, publish);
  add({"GET", "/api/events/{id}", Scope::read}, show_event);
  add({"GET", "/api/sessions/{id}", Scope::runs_read}, show_session);
}

}  // namespace hark
