// How a route is added under /api: who may come, and that no answer shows a secret.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/limits.h"
#include "platform/http.h"
#include "platform/http_routes.h"

namespace hark {

class Mask;
struct ApiParts;

using ApiHandler = std::function<void(const ApiParts&, const HttpRequest&, HttpResponder)>;

// JSON without secrets: still the JSON that it was, whatever a secret looks like.
std::string masked_json(std::string text, const Mask& mask);

// Over TCP only from this machine, and not on behalf of a page of another site. `parts` outlives the route.
void add_api_route(const ApiParts& parts, const char* method, const char* path, ApiHandler handle, std::uint64_t max_body = limits::kHttpBodyDefault);

}  // namespace hark
