// The routes of the bus: publish, read what is kept, wait, read along under a name, see a whole story.
#pragma once

#include <string>
#include <vector>

#include "core/event_pattern.h"
#include "core/result.h"
#include "platform/http.h"

namespace hark {

struct ApiParts;

// Which events are asked for: `types` and those of the query (type, topic, filter), lists and globs. None: all.
Result<EventPattern> read_pattern(const HttpRequest& request, std::vector<std::string> types);
// Who publishes, where nobody has to say.
std::string publisher_of(const std::string& name);

// As add_api_routes(), which calls it.
void add_event_routes(const ApiParts& parts);  // publish, list, show, sessions
void add_wait_routes(const ApiParts& parts);   // long polls and subscribers
void add_stream_routes(const ApiParts& parts); // server-sent events and WebSocket

}  // namespace hark
