#include "daemon/api.h"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "core/event_json.h"
#include "core/json_keys.h"
#include "core/limits.h"
#include "core/nearest.h"
#include "core/printable.h"
#include "core/version.h"
#include "daemon/api_answers.h"
#include "daemon/api_audit.h"
#include "daemon/api_bus.h"
#include "daemon/api_metrics.h"
#include "daemon/api_pushes.h"
#include "daemon/api_routes.h"
#include "daemon/bus.h"
#include "daemon/containment.h"
#include "daemon/engine.h"
#include "daemon/places.h"
#include "daemon/reload.h"
#include "daemon/replay.h"
#include "daemon/overdue.h"
#include "daemon/source_supervisor.h"
#include "platform/clock.h"
#include "platform/http_server.h"
#include "platform/listen_socket.h"
#include "platform/process.h"
#include "platform/secrets.h"

namespace hark {

using nlohmann::json;

namespace {

constexpr std::size_t kPage = 20;  // where a list's limit is not asked for
constexpr std::size_t kMostRuns = 1000;

// Which runs a list is asked for: limit, before, after, handler, event.
Result<RunQuery> read_run_query(const HttpRequest& request) {
  const auto limit = query_number(request, "limit"), before = query_number(request, "before"), after = query_number(request, "after");
  for (const auto* each : {&limit, &before, &after}) {
    if (!*each) return each->error();
  }
  RunQuery query;
  query.limit = std::min<std::size_t>(limit->value_or(kPage), kMostRuns);
  query.before = *before;
  query.after = *after;
  query.handler = form_value(request.query, "handler").value_or("");
  query.event_id = form_value(request.query, "event").value_or("");
  return query;
}

json handlers_json(const ApiParts& parts) {
  auto list = json::array();
  const auto now = parts.clock.now();
  for (const auto& [name, handler] : parts.engine.handlers()) {
    json one = {{"name", name},
                {"running", parts.engine.queue().slots().running(name)},
                {"waiting", parts.engine.queue().size(name)},
                {"paused", parts.engine.queue().paused(name)}};
    if (const auto breaker = parts.engine.breakers().find(name); breaker != parts.engine.breakers().end() && breaker->second.state() != Breaker::State::closed) {
      const bool open = breaker->second.state() == Breaker::State::open;
      one["breaker"] = {{"state", open ? "open" : "half open"}, {"failures", breaker->second.failures()}};
      if (open) one["breaker"]["until"] = to_rfc3339(now.wall + std::chrono::duration_cast<std::chrono::microseconds>(breaker->second.until() - now.steady));
    }
    if (const auto since = overdue_since(*handler, parts.engine, now.wall)) one["overdue_since"] = to_rfc3339(*since);
    const auto& known = parts.engine.last_run().handlers;
    if (const auto last = known.find(name); last != known.end()) {
      if (last->second.last_run) one["last_run"] = to_rfc3339(*last->second.last_run);
      if (!last->second.last_state.empty()) one["last_state"] = last->second.last_state;
    }
    list.push_back(std::move(one));
  }
  return list;
}

json sources_json(const ApiParts& parts) {
  auto list = json::array();
  for (const auto& source : parts.sources.status()) {
    json one = {{"name", source.name}, {"type", source.type}, {"state", to_string(source.state)}, {"accepted", source.accepted}};
    if (!source.note.empty()) one["note"] = source.note;
    if (!source.reason.empty()) one["reason"] = source.reason;
    if (!source.cure.empty()) one["cure"] = source.cure;
    list.push_back(std::move(one));
  }
  for (const auto& source : parts.settings.sources) {
    if (source.rule.published) list.push_back({{"name", source.name}, {"type", source.type}, {"state", "running"}, {"accepted", parts.engine.taken_from_bus(source.name)}});
  }
  return list;
}

// A webhook source tries again by itself, so a fault of the start may be over.
json listener_json(const ApiParts& parts) {
  const bool listening = parts.server.port() != 0;
  json listener = {{"host", parts.settings.webhook_host},
                   {"port", listening ? parts.server.port() : parts.settings.webhook_port},
                   {"tls", !parts.settings.webhook_tls.certificate.empty()},
                   {"state", listening ? "listening" : "failed"}};
  if (!listening && parts.listener_fault) {
    listener["reason"] = parts.listener_fault->message;
    if (!parts.listener_fault->cure.empty()) listener["cure"] = parts.listener_fault->cure;
  }
  return listener;
}

Result<Event> triggered_event(const std::string& body) {
  Event event;
  event.type = "manual";
  event.source = "manual";
  if (body.empty()) return event;
  auto data = parse_event_data(body);
  if (!data) return data.error();
  event.data = std::move(*data);
  return event;
}

HttpResponse no_such_handler(const ApiParts& parts, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [handler, unused] : parts.engine.handlers()) known.push_back(handler);
  return no_such("handler", name, known);
}

void trigger(const ApiParts& parts, const HttpRequest& request, HttpResponder respond) {
  const auto name = path_parameter("/api/handlers/{name}/trigger", request.path, "name");
  if (!parts.engine.handlers().contains(name)) return respond(no_such_handler(parts, name));
  auto event = triggered_event(request.body);
  if (!event) return respond(problem(400, "bad payload", event.error().message));
  event->traceparent = traceparent_of(request.headers);
  if (const auto key = request.headers.get("Idempotency-Key"); key && !key->empty()) {
    if (key->size() > limits::kDeliveryId) return respond(problem(400, "bad Idempotency-Key", "it is longer than " + std::to_string(limits::kDeliveryId) + " bytes"));
    event->dedupe_key = "manual/" + name + "/" + std::string(*key);
  }
  const bool wait = form_value(request.query, "wait") == "true";
  auto& engine = parts.engine;
  engine.offer_to({name, true}, std::move(*event), [&engine, respond = std::move(respond), wait](const Acceptance& acceptance) {
    if (!acceptance.taken()) return respond(not_accepted(acceptance));
    json accepted = {{"event_id", acceptance.event_id}};
    if (acceptance.outcome == Acceptance::Outcome::duplicate) accepted["duplicate"] = true;
    if (!wait) return respond(json_response(accepted, 202));
    engine.when_ended(acceptance.event_id, [respond, id = acceptance.event_id](const std::vector<Run>& runs) {
      auto list = json::array();
      for (const auto& run : runs) list.push_back(to_json(run));
      respond(json_response({{"event_id", id}, {"runs", std::move(list)}}));
    });
  });
}

void list_runs(const ApiParts& parts, const HttpRequest& request, const HttpResponder& respond) {
  const auto query = read_run_query(request);
  if (!query) return respond(problem(400, "bad query", query.error().message));
  auto runs = parts.journal.runs(*query);
  if (!runs) return respond(problem(503, "the journal cannot be read", runs.error().message));
  json body = {{"runs", json::array()}};
  for (const auto& run : *runs) body["runs"].push_back(to_json(run));
  if (!runs->empty()) body["cursor"] = runs->back().sequence;
  respond(json_response(body));
}

// Those that ended after ?after=CURSOR, in the order of their ends; without it the cursor of now.
void list_ended_runs(const ApiParts& parts, const HttpRequest& request, const HttpResponder& respond) {
  const auto page = parts.ended.after(form_value(request.query, "after"), kPage);
  json body = {{"runs", json::array()}, {"cursor", page.cursor}, {"missed", page.missed}};
  for (const auto& id : page.ids) {
    auto run = parts.journal.run(id);
    if (!run) return respond(problem(503, "the journal cannot be read", run.error().message));
    if (!*run) continue;  // beyond the retention by now
    (*run)->steps.clear();
    (*run)->attempts.clear();
    body["runs"].push_back(to_json(**run));
  }
  respond(json_response(body));
}

void show_run(const ApiParts& parts, const HttpRequest& request, const HttpResponder& respond) {
  auto run = parts.journal.run(path_parameter("/api/runs/{id}", request.path, "id"));
  if (!run) return respond(problem(400, "cannot show the run", run.error().message));
  if (!*run) return respond(problem(404, "no such run"));
  respond(json_response(to_json(**run)));
}

void explain(const ApiParts& parts, const HttpRequest& request, const Caller& caller, const HttpResponder& respond) {
  auto event = parts.journal.event(path_parameter("/api/events/{id}/explain", request.path, "id"));
  if (!event) return respond(problem(400, "cannot show the event", event.error().message));
  if (!*event || !caller.may_read((*event)->topic)) return respond(problem(404, "no such event"));
  auto decisions = parts.journal.decisions((*event)->sequence);
  if (!decisions) return respond(problem(503, "the journal cannot be read", decisions.error().message));
  RunQuery query;
  query.event_id = (*event)->id;
  query.limit = kMostRuns;
  auto runs = parts.journal.runs(query);
  if (!runs) return respond(problem(503, "the journal cannot be read", runs.error().message));
  json body = {{"event", to_json(**event)}, {"decisions", json::array()}, {"runs", json::array()}};
  for (const auto& decision : *decisions) body["decisions"].push_back(to_json(decision));
  for (const auto& run : *runs) {
    body["runs"].push_back(to_json(run));
    if (run.state == RunState::queued) body["runs"].back()["waiting"] = parts.engine.why_waiting(run);
  }
  respond(json_response(body));
}

void replay(const ApiParts& parts, const HttpRequest& request, HttpResponder respond) {
  const auto handler = form_value(request.query, "handler").value_or("");
  if (!handler.empty() && !parts.engine.handlers().contains(handler)) return respond(no_such_handler(parts, handler));
  const auto original = find_event(parts.journal, path_parameter("/api/events/{id}/replay", request.path, "id"));
  if (!original) return respond(problem(400, "cannot replay the event", original.error().text()));
  if (!*original) return respond(problem(404, "no such event"));
  const auto decisions = parts.journal.decisions((*original)->sequence);
  if (!decisions) return respond(problem(503, "the journal cannot be read", decisions.error().message));
  const auto target = replay_target(*decisions, handler);
  if (target.direct && !parts.engine.handlers().contains(target.handler)) {
    return respond(problem(409, "cannot replay the event", "it was sent by name to the handler '" + target.handler + "', which is no longer there"));
  }
  const auto rules = parts.engine.router().rules_for(**original);
  const bool named = target.direct || std::any_of(rules.begin(), rules.end(), [&](const Rule* rule) { return std::find(rule->handlers.begin(), rule->handlers.end(), handler) != rule->handlers.end(); });
  if (!handler.empty() && !named) {
    return respond(problem(409, "cannot replay the event", "its source '" + printable((*original)->source, limits::kShownValue) + "' does not name the handler '" + handler + "'"));
  }
  auto event = replay_of(**original);
  if (!event) return respond(problem(409, "cannot replay the event", event.error().text()));
  parts.engine.offer_to(target, std::move(*event), [&parts, respond = std::move(respond)](const Acceptance& acceptance) {
    if (!acceptance.taken()) return respond(not_accepted(acceptance));
    json body = {{"event_id", acceptance.event_id}, {"decisions", json::array()}};
    if (const auto made = parts.journal.decisions(acceptance.sequence)) {
      for (const auto& decision : *made) body["decisions"].push_back(to_json(decision));
    }
    respond(json_response(body, 202));
  });
}

void list_refusals(const ApiParts& parts, const HttpRequest& request, const HttpResponder& respond) {
  const auto source = form_value(request.query, "source").value_or("");
  std::vector<std::string> known;
  for (const auto& each : parts.sources.status()) known.push_back(each.name);
  if (!source.empty() && std::find(known.begin(), known.end(), source) == known.end()) return respond(no_such("source", source, known));
  const auto limit = query_number(request, "limit");
  if (!limit) return respond(problem(400, "bad query", limit.error().message));
  json body = {{"refusals", json::array()}};
  for (const auto& entry : parts.sources.refusals().newest(source, limit->value_or(kPage))) {
    auto one = to_json(entry.refusal);
    one["first"] = to_rfc3339(entry.first);
    one["count"] = entry.count;
    body["refusals"].push_back(std::move(one));
  }
  respond(json_response(body));
}

// What a person asked of a run: done, or why not.
Engine::Done answer_when_done(const HttpResponder& respond, json done) {
  return [respond, done = std::move(done)](const Status& status) {
    if (status) return respond(json_response(done, 202));
    respond(problem(status.error().message.starts_with("no such") ? 404 : 409, "not done", status.error().text()));
  };
}

void list_dead_letters(const ApiParts& parts, const HttpRequest& request, const HttpResponder& respond) {
  auto query = read_run_query(request);
  if (!query) return respond(problem(400, "bad query", query.error().message));
  query->dead = true;
  auto runs = parts.journal.runs(*query);
  if (!runs) return respond(problem(503, "the journal cannot be read", runs.error().message));
  json body = {{"dead_letters", json::array()}};
  for (const auto& run : *runs) body["dead_letters"].push_back(to_json(run));
  if (!runs->empty()) body["cursor"] = runs->back().sequence;
  respond(json_response(body));
}

// What is asked of a run may be asked with its event's id, where the event has no other run.
std::string run_named(const ApiParts& parts, std::string id) {
  if (const auto run = parts.journal.run(id); !run || *run) return id;
  const auto event = find_event(parts.journal, id);
  if (!event || !*event) return id;
  RunQuery query;
  query.event_id = (*event)->id;
  query.limit = 2;
  const auto runs = parts.journal.runs(query);
  return runs && runs->size() == 1 ? runs->front().id : id;
}

// Any run that has ended may be retried; under this name only one that stands in the dead letters.
void retry_dead_letter(const ApiParts& parts, const HttpRequest& request, const HttpResponder& respond) {
  const auto id = run_named(parts, path_parameter("/api/dead-letters/{id}/retry", request.path, "id"));
  const auto run = parts.journal.run(id);
  if (!run) return respond(problem(400, "not done", run.error().text()));
  if (!*run || !(*run)->dead_since) return respond(problem(404, "no such dead letter", "it takes the id of a run that stands in them"));
  parts.engine.retry((*run)->id, answer_when_done(respond, {{"retried", true}}));
}

void pause_or_resume(const ApiParts& parts, const HttpRequest& request, bool pause, const HttpResponder& respond) {
  const auto handler = form_value(request.query, "handler").value_or("");
  if (!handler.empty() && !parts.engine.handlers().contains(handler)) {
    return respond(no_such_handler(parts, handler));
  }
  if (!pause && !handler.empty() && parts.engine.queue().paused_by_name().contains("")) {
    return respond(problem(409, "all handlers are paused", "`hark daemon resume` without --handler lets them go on"));
  }
  const auto done = [respond, answer = json{{"paused", pause}, {"handler", handler.empty() ? json(nullptr) : json(handler)}}](const Status& status) {
    respond(status ? json_response(answer) : problem(503, "not done", status.error().text()));
  };
  if (pause) {
    parts.engine.pause(handler, done);
  } else {
    parts.engine.resume(handler, done);
  }
}

// What a reload did, or would do.
void reload(const ApiParts& parts, const HttpRequest& request, const HttpResponder& respond) {
  const bool plan = form_value(request.query, "plan") == "true";
  const auto outcome = plan ? parts.reload.plan() : parts.reload.run("hark daemon reload");
  auto response = json_response(to_json(outcome), outcome.good() ? 200 : 422);
  if (!outcome.good()) response.content_type = "application/problem+json";
  respond(std::move(response));
}

bool ready(const ApiParts& parts) { return !parts.engine.draining() && !parts.engine.halted() && !parts.engine.journal_fault(); }

}  // namespace

json status_json(const ApiParts& parts) {
  const auto now = parts.clock.now();
  const auto& queue = parts.engine.queue();
  json status = {{"version", version()},
                 {"pid", getpid()},
                 {"state", daemon_state(parts.engine)},
                 {"started", to_rfc3339(parts.started.wall)},
                 {"uptime_s", std::chrono::duration_cast<std::chrono::seconds>(now.steady - parts.started.steady).count()},
                 {"config", parts.settings.file.string()},
                 {"configuration", parts.reload.status_json()},
                 {"journal", parts.settings.journal_file.string()},
                 {"sources", sources_json(parts)},
                 {"handlers", handlers_json(parts)},
                 {"dead_letters", dead_letters(parts)},
                 {"queue", {{"waiting", queue.size() + parts.engine.set_aside()}, {"for_events", parts.engine.waiting()}, {"held", parts.engine.router().held() + parts.engine.held_by_hooks()}, {"running", parts.engine.executor().active()}}}};
  status["bus"] = {{"position", parts.bus.position()}, {"readers", parts.bus.readers()}};
  if (parts.settings.listen) status["listener"] = listener_json(parts);
  if (const auto fault = parts.engine.journal_fault()) status["journal_fault"] = *fault;
  if (auto starved = parts.processes.starved(); !starved.empty()) status["starved"] = std::move(starved);
  if (auto lines = containment_shortfalls(parts.settings, parts.processes.cgroup_controllers()); !lines.empty()) status["containment"] = std::move(lines);
  auto running = json::array();
  for (const auto& run : parts.engine.executor().running()) {
    running.push_back(to_json(run));
    if (auto doing = parts.live.doing(run.id); !doing.is_null()) running.back()["doing"] = std::move(doing);
  }
  status["running"] = std::move(running);
  return status;
}

void add_api_routes(const ApiParts& parts) {
  const auto get = [&](const char* path, Scope scope, ApiHandler handle, std::string_view query = {}) { add_api_route(parts, {"GET", path, scope, query}, std::move(handle)); };
  const auto post = [&](const char* action, const char* path, Scope scope, ApiHandler handle, std::string_view query = {}) {
    add_api_route(parts, {"POST", path, scope, query, limits::kHttpBodyDefault, false, action}, std::move(handle));
  };
  get("/api/status", Scope::runs_read, [](const ApiParts& p, const HttpRequest&, const HttpResponder& respond) { respond(json_response(status_json(p))); });
  post("trigger", "/api/handlers/{name}/trigger", Scope::runs_write, trigger, "wait");
  get("/api/runs", Scope::runs_read, list_runs, "limit before after handler event");
  get("/api/runs/ended", Scope::runs_read, list_ended_runs, "after");
  get("/api/runs/{id}", Scope::runs_read, show_run);
  post("cancel", "/api/runs/{id}/cancel", Scope::runs_write, [](const ApiParts& p, const HttpRequest& request, const HttpResponder& respond) {
    p.engine.cancel(run_named(p, path_parameter("/api/runs/{id}/cancel", request.path, "id")), answer_when_done(respond, {{"cancelled", true}}));
  });
  post("retry", "/api/runs/{id}/retry", Scope::runs_write, [](const ApiParts& p, const HttpRequest& request, const HttpResponder& respond) {
    p.engine.retry(run_named(p, path_parameter("/api/runs/{id}/retry", request.path, "id")), answer_when_done(respond, {{"retried", true}}));
  });
  get("/api/dead-letters", Scope::runs_read, list_dead_letters, "limit before after handler");
  post("retry", "/api/dead-letters/{id}/retry", Scope::runs_write, retry_dead_letter);
  post("discard", "/api/dead-letters/{id}/discard", Scope::runs_write, [](const ApiParts& p, const HttpRequest& request, const HttpResponder& respond) {
    p.engine.discard(run_named(p, path_parameter("/api/dead-letters/{id}/discard", request.path, "id")), answer_when_done(respond, {{"discarded", true}}));
  });
  add_api_route(parts, {"GET", "/api/events/{id}/explain", Scope::runs_read}, CallerHandler(explain));
  post("replay", "/api/events/{id}/replay", Scope::runs_write, replay, "handler");
  get("/api/refusals", Scope::runs_read, list_refusals, "source limit");
  post(nullptr, "/api/git/pushes", Scope::control, [](const ApiParts& p, const HttpRequest& request, const HttpResponder& respond) { respond(take_pushes(p.pushes, request.body)); });
  post("pause", "/api/control/pause", Scope::control, [](const ApiParts& p, const HttpRequest& r, const HttpResponder& respond) { pause_or_resume(p, r, true, respond); }, "handler");
  post("resume", "/api/control/resume", Scope::control, [](const ApiParts& p, const HttpRequest& r, const HttpResponder& respond) { pause_or_resume(p, r, false, respond); }, "handler");
  post("emergency-stop", "/api/control/emergency-stop", Scope::control, [](const ApiParts& p, const HttpRequest&, const HttpResponder& respond) {
    p.engine.emergency_stop([respond](const Status& status) { respond(status ? json_response({{"halted", true}}) : problem(503, "not done", status.error().text())); });
  });
  post("reload", "/api/control/reload", Scope::control, reload, "plan");
  post("stop", "/api/control/drain", Scope::control, [](const ApiParts& p, const HttpRequest&, const HttpResponder& respond) {
    respond(json_response({{"draining", true}}, 202));
    p.stop();
  });

  add_audit_route(parts);
  add_metrics_route(parts);
  add_event_routes(parts);
  add_wait_routes(parts);
  add_stream_routes(parts);

  // Asked by who watches over processes: they say nothing that is anybody's.
  const auto plain = [&](const char* path, auto handle) {
    HttpRoute route;
    route.method = "GET";
    route.path = path;
    route.handle = [&parts, handle](const HttpRequest&, const HttpResponder& respond) { respond(handle(parts)); };
    parts.server.add(std::move(route));
  };
  plain("/healthz", [](const ApiParts&) { return json_response({{"alive", true}}); });
  plain("/readyz", [](const ApiParts& p) { return json_response({{"ready", ready(p)}}, ready(p) ? 200 : 503); });
}

}  // namespace hark
