// The routes of the bus: publish, read what is kept, wait, read along under a name, see a whole story.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/event.h"
#include "core/event_pattern.h"
#include "core/result.h"
#include "daemon/api_access.h"
#include "daemon/bus.h"
#include "daemon/publishing.h"
#include "platform/http.h"

namespace hark {

struct ApiParts;

// Which events are asked for: `types` and those of the query (type, topic, filter), lists and globs. None: all.
Result<EventPattern> read_pattern(const HttpRequest& request, std::vector<std::string> types);

// One more cannot be let in.
std::optional<HttpResponse> too_many_readers(const ApiParts& parts);

// Where one begins who reads along under `name` (empty: none): after where it has acknowledged to, and what it asks for after is that.
// `begin` is called at once, or when the name is there to stay; with the answer to give where it may not begin.
using BeginReading = std::function<void(std::optional<HttpResponse> refusal, std::optional<std::uint64_t> after)>;
void begin_reading(const ApiParts& parts, const Caller& caller, const std::string& name, std::optional<std::uint64_t> after, const BeginReading& begin);
void acknowledge(const ApiParts& parts, const Caller& caller, const std::string& name, std::uint64_t cursor, const std::function<void(HttpResponse)>& respond);

// The event of a publication, as the caller's own and in the story of the run that caused it; or the answer where it may not be.
std::variant<Event, HttpResponse> event_of(const ApiParts& parts, const Caller& caller, Publication publication);

// 403 where only topics are asked for that the caller may not read.
std::optional<HttpResponse> refuse_topics(const Caller& caller, const EventPattern& pattern);
// Of what is asked for, what the caller may read, and as long as its token is good: topics by its scopes, lifecycle events as it may see
// runs.
void restrict_to(const ApiParts& parts, const Caller& caller, Bus::Wish& wish);

// As add_api_routes(), which calls it.
void add_event_routes(const ApiParts& parts);  // publish, list, show, sessions
void add_wait_routes(const ApiParts& parts);   // long polls and subscribers
void add_stream_routes(const ApiParts& parts); // server-sent events and WebSocket

}  // namespace hark
