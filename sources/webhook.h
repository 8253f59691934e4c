// Source `webhook`: one path on the listener, whose bodies become events (sources/webhook_receiver.h says which are believed).
//
// CloudEvents, in any of their three modes, become events of their own type; a batch, several of them, answered as one.
// Otherwise data = the JSON body as it came; a form's fields as an object of strings, or the JSON in its field `payload` where the provider
// sends such; a text as a string. Subject and dedupe_key: what the provider calls the event and the delivery
// (sources/webhook_provider.h). context = {"path", "query", "headers"}: what the path's {name} segments were, and of the other two what the
// configuration names. Answers 202 {"event_id"} once durable; 200 {"event_id","duplicate":true} for one seen before; 403 or 401
// without a hint; 400 no JSON; 413; 415; 429 with Retry-After over the rate limit; 503 with Retry-After where the engine refused.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/template.h"
#include "sources/source.h"
#include "sources/webhook_body.h"
#include "sources/webhook_receiver.h"

namespace hark {

class Clock;
class HttpServer;
class Loop;

// What a sender is told whose event is taken.
struct WebhookResponse {
  int status = 202;
  std::optional<Template> body;  // none: {"event_id"}
  std::string content_type = "text/plain; charset=utf-8";  // of that, or of a result
  bool result = false;           // the output of the run it starts instead, once that has ended ...
  Duration deadline = std::chrono::seconds(10);  // ... within this, else as if it were not asked for
  friend bool operator==(const WebhookResponse&, const WebhookResponse&) = default;
};

struct WebhookOptions : ReceiverOptions {
  std::vector<std::string> headers;              // of these the values are kept in the event's context
  std::vector<std::string> query;                // of these fields of the query, too
  WebhookBody body = WebhookBody::by_type;       // how the body is read, whatever Content-Type it has
  WebhookResponse response{};
  friend bool operator==(const WebhookOptions&, const WebhookOptions&) = default;
};

std::unique_ptr<Source> make_webhook(WebhookOptions options, HttpServer& server, Loop& loop, const Clock& clock);

}  // namespace hark
