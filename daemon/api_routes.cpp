#include "daemon/api_routes.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "core/mask.h"
#include "core/payload.h"
#include "daemon/api.h"
#include "platform/http_server.h"
#include "platform/listen_socket.h"
#include "platform/secrets.h"

namespace hark {

std::string masked_json(std::string text, const Mask& mask) {
  if (mask.empty() || mask.text(text) == text) return text;
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  return parsed.is_discarded() ? mask.text(std::move(text)) : write_json(mask.strings(parsed)) + (text.ends_with('\n') ? "\n" : "");
}

void add_api_route(const ApiParts& parts, const char* method, const char* path, ApiHandler handle, std::uint64_t max_body) {
  HttpRoute route;
  route.method = method;
  route.path = path;
  route.max_body = max_body;
  route.handle = [&parts, handle = std::move(handle)](const HttpRequest& request, HttpResponder answer) {
    HttpResponder respond = [&secrets = parts.secrets, answer = std::move(answer)](HttpResponse response) { 
      response.body = masked_json(std::move(response.body), secrets.mask());
      answer(std::move(response));
    };
    // The peer as well: a connection may be older than the listener, which a reload can move to loopback.
    // What a proxy on this machine hands on comes from who knows where.
    const bool handed_on = request.headers.count("X-Forwarded-For") + request.headers.count("Forwarded") + request.headers.count("X-Real-IP") > 0;
    const bool on_loopback = is_loopback(parts.settings.webhook_host) && is_loopback(request.peer) && !handed_on;
    if (!request.control && !on_loopback) {
      respond(problem(403, "not served here", "the API is served on the control socket, and over TCP only where hark listens on loopback"));
    } else if (!request.control && !same_site(request)) {
      respond(problem(403, "another site's request", "Origin and Host must name this listener"));
    } else {
      handle(parts, request, std::move(respond));
    }
  };
  parts.server.add(std::move(route));
}

}  // namespace hark
