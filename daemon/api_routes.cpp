#include "daemon/api_routes.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/mask.h"
#include "core/nearest.h"
#include "core/payload.h"
#include "core/printable.h"
#include "daemon/api.h"
#include "daemon/api_audit.h"
#include "platform/http_server.h"
#include "platform/secrets.h"

namespace hark {

std::string masked_json(std::string text, const Mask& mask) {
  if (mask.empty() || mask.text(text) == text) return text;
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  return parsed.is_discarded() ? mask.text(std::move(text)) : write_json(mask.strings(parsed)) + (text.ends_with('\n') ? "\n" : "");
}

namespace {

// One that is misspelt would be as if it were not there: a list without its filter, a trigger that does not wait.
Status check_query(const HttpRequest& request, std::string_view words, bool reads) {
  std::vector<std::string> known;
  for (std::size_t at = 0; at < words.size();) {
    const auto end = std::min(words.find(' ', at), words.size());
    known.emplace_back(words.substr(at, end - at));
    at = end + 1;
  }
  for (const auto& [name, value] : form_values(request.query)) {
    if (std::find(known.begin(), known.end(), name) != known.end() || (reads && name == "access_token")) continue;
    return Error{"there is no `" + printable(name, limits::kShownValue) + "` here" + did_you_mean(name, known), ""};
  }
  return {};
}

}  // namespace

void add_api_route(const ApiParts& parts, const ApiRoute& api, CallerHandler handle) {
  HttpRoute route;
  route.method = api.method;
  route.path = api.path;
  route.max_body = api.max_body;
  route.handle = [&parts, api, handle = std::move(handle)](const HttpRequest& request, HttpResponder answer) {
    HttpResponder respond = [&secrets = parts.secrets, answer = std::move(answer)](HttpResponse response) {
      response.body = masked_json(std::move(response.body), secrets.mask());
      answer(std::move(response));
    };
    auto admitted = parts.access.admit(request, api.reads);
    if (auto* refusal = std::get_if<HttpResponse>(&admitted)) return respond(std::move(*refusal));
    const auto& caller = std::get<Caller>(admitted);
    if (api.action != nullptr) respond = audited(parts, request, caller, api, std::move(respond));
    if (!caller.may(api.scope)) return respond(insufficient_scope(std::string(to_string(api.scope))));
    if (const auto known = check_query(request, api.query, api.reads); !known) return respond(problem(400, "bad query", known.error().text()));
    handle(parts, request, caller, std::move(respond));
  };
  parts.server.add(std::move(route));
}

void add_api_route(const ApiParts& parts, const ApiRoute& route, ApiHandler handle) {
  add_api_route(parts, route, CallerHandler([handle = std::move(handle)](const ApiParts& p, const HttpRequest& request, const Caller&, HttpResponder respond) { handle(p, request, std::move(respond)); }));
}

}  // namespace hark
