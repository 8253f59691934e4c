#include "daemon/api_audit.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "daemon/api.h"
#include "daemon/api_answers.h"
#include "daemon/api_routes.h"
#include "daemon/engine.h"
#include "platform/clock.h"
#include "platform/http_routes.h"
#include "platform/secrets.h"
#include "state/journal.h"

namespace hark {

namespace {

// What the path names, or the query: "/api/runs/{id}/cancel", "/api/control/pause?handler=deploy".
std::string object_of(const ApiRoute& route, const HttpRequest& request) {
  const std::string_view path = route.path;
  const auto begin = path.find('{'), end = path.find('}');
  if (begin == path.npos || end == path.npos) return form_value(request.query, "handler").value_or("");
  return path_parameter(path, request.path, path.substr(begin + 1, end - begin - 1));
}

std::string outcome_of(const HttpResponse& response) {
  const auto body = nlohmann::json::parse(response.body, nullptr, false);
  if (!body.is_object()) return {};
  if (response.status < 400) return body.contains("event_id") ? "event " + body.value("event_id", "") : "";
  const auto title = body.value("title", ""), detail = body.value("detail", "");
  return detail.empty() ? title : title + ": " + detail;
}

void list_audit(const ApiParts& parts, const HttpRequest& request, const HttpResponder& respond) {
  const auto limit = query_number(request, "limit"), before = query_number(request, "before"), after = query_number(request, "after");
  for (const auto* each : {&limit, &before, &after}) {
    if (!*each) return respond(problem(400, "bad query", each->error().message));
  }
  AuditQuery query;
  query.limit = std::min<std::size_t>(limit->value_or(query.limit), limits::kAuditPage);
  query.before = *before;
  query.after = *after;
  query.action = form_value(request.query, "action").value_or("");
  query.who = form_value(request.query, "who").value_or("");
  const auto entries = parts.journal.audit(query);
  if (!entries) return respond(problem(503, "the journal cannot be read", entries.error().message));
  nlohmann::json body = {{"entries", nlohmann::json::array()}};
  for (const auto& entry : *entries) body["entries"].push_back(to_json(entry));
  if (!entries->empty()) body["cursor"] = entries->back().sequence;
  respond(json_response(body));
}

}  // namespace

HttpResponder audited(const ApiParts& parts, const HttpRequest& request, const Caller& caller, const ApiRoute& route, HttpResponder answer) {
  if (form_value(request.query, "plan") == "true") return answer;  // what a reload would do is only told
  AuditEntry entry;
  entry.time = parts.clock.now().wall;
  entry.who = caller.subject();
  entry.from = request.peer;
  entry.action = route.action;
  entry.object = object_of(route, request);
  return [&parts, entry = std::move(entry), answer = std::move(answer)](HttpResponse response) mutable {
    entry.done = response.status < 400;
    const auto mask = parts.secrets.mask();
    entry.object = mask.text(std::move(entry.object));
    entry.outcome = mask.text(outcome_of(response));
    parts.engine.record(std::move(entry), [answer, response = std::move(response)](const Status&) { answer(response); });
  };
}

void add_audit_route(const ApiParts& parts) { add_api_route(parts, {"GET", "/api/audit", Scope::control, "limit before after action who"}, list_audit); }

}  // namespace hark
