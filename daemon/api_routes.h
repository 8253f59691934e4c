// How a route is added under /api: who may come, and that no answer shows a secret.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/limits.h"
#include "daemon/api_access.h"
#include "platform/http.h"
#include "platform/http_routes.h"

namespace hark {

class Mask;
struct ApiParts;

using ApiHandler = std::function<void(const ApiParts&, const HttpRequest&, HttpResponder)>;
// Of one that looks closer at who calls: what it may is a matter of topics.
using CallerHandler = std::function<void(const ApiParts&, const HttpRequest&, const Caller&, HttpResponder)>;

// JSON without secrets: still the JSON that it was, whatever a secret looks like.
std::string masked_json(std::string text, const Mask& mask);

struct ApiRoute {
  const char* method;
  const char* path;
  Scope scope;  // what a caller needs at least
  std::string_view query{};  // the words that its query may have, blanks between them; another one is a mistake that is told
  std::uint64_t max_body = limits::kHttpBodyDefault;
  bool reads = false;  // a poll, a stream, a socket: as ApiAccess::admit has it
  const char* action = nullptr;  // under this name it is written into the audit; null: it changes nothing that anybody would ask about
};

// `parts` outlives the route.
void add_api_route(const ApiParts& parts, const ApiRoute& route, CallerHandler handle);
void add_api_route(const ApiParts& parts, const ApiRoute& route, ApiHandler handle);

}  // namespace hark
