// The bus over a WebSocket: several subscriptions, publishing and acknowledging on one connection. docs/bus.md has the messages.
#pragma once

#include <string>

#include "core/event_pattern.h"
#include "core/result.h"
#include "daemon/bus.h"
#include "platform/http.h"

namespace hark {

struct ApiParts;

void add_socket_route(const ApiParts& parts);

// What a stream or a socket is to bring: events, and lifecycle events by their names. A topic is something that those have not.
Result<Bus::Wish> wish_for(EventPattern pattern, const std::string& filter);
Result<Bus::Wish> read_wish(const HttpRequest& request);  // as the query says

}  // namespace hark
