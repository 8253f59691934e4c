#include "daemon/api_routes.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "core/mask.h"
#include "core/payload.h"
#include "daemon/api.h"
#include "platform/http_server.h"
#include "platform/secrets.h"

namespace hark {

std::string masked_json(std::string text, const Mask& mask) {
  if (mask.empty() || mask.text(text) == text) return text;
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  return parsed.is_discarded() ? mask.text(std::move(text)) : write_json(mask.strings(parsed)) + (text.ends_with('\n') ? "\n" : "");
}

void add_api_route(const ApiParts& parts, const ApiRoute& api, CallerHandler handle) {
  HttpRoute route;
  route.method = api.method;
  route.path = api.path;
  route.max_body = api.max_body;
  route.handle = [&parts, scope = api.scope, reads = api.reads, handle = std::move(handle)](const HttpRequest& request, HttpResponder answer) {
    HttpResponder respond = [&secrets = parts.secrets, answer = std::move(answer)](HttpResponse response) {
      response.body = masked_json(std::move(response.body), secrets.mask());
      answer(std::move(response));
    };
    auto admitted = parts.access.admit(request, reads);
    if (auto* refusal = std::get_if<HttpResponse>(&admitted)) return respond(std::move(*refusal));
    const auto& caller = std::get<Caller>(admitted);
    if (!caller.may(scope)) return respond(insufficient_scope(std::string(to_string(scope))));
    handle(parts, request, caller, std::move(respond));
  };
  parts.server.add(std::move(route));
}

void add_api_route(const ApiParts& parts, const ApiRoute& route, ApiHandler handle) {
  add_api_route(parts, route, CallerHandler([handle = std::move(handle)](const ApiParts& p, const HttpRequest& request, const Caller&, HttpResponder respond) { handle(p, request, std::move(respond)); }));
}

}  // namespace hark
