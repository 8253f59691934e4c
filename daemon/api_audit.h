// What is asked of the daemon over its API is written down: by whom, and what came of it. And GET /api/audit, which shows it.
#pragma once

#include "core/audit.h"
#include "daemon/api_access.h"
#include "platform/http.h"

namespace hark {

struct ApiParts;
struct ApiRoute;

// The answer goes out once the entry is durable, or cannot be written, which the log says.
HttpResponder audited(const ApiParts& parts, const HttpRequest& request, const Caller& caller, const ApiRoute& route, HttpResponder answer);

void add_audit_route(const ApiParts& parts);

}  // namespace hark
