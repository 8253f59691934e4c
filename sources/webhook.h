// Source `webhook`: one path on the listener; a body is believed only after its signature was checked on the raw bytes.
//
// data = the JSON body as it came; a form's fields as an object of strings (GitHub's form deliveries: the JSON in `payload`).
// Subject: the provider's event name (X-GitHub-Event). dedupe_key: the provider's delivery id (X-GitHub-Delivery), or an
// Idempotency-Key header. Answers 202 {"event_id"} once durable; 200 {"event_id","duplicate":true} for one seen before; 401
// without a hint; 400 no JSON; 413; 415; 429 with Retry-After over the rate limit; 503 with Retry-After where the engine refused.
// Each refusal is said to the host with its reason, of which a sender who is not believed learns nothing.
//
// The rate limit counts requests whose signature matched (of an unsigned source: all), so that a stranger's flood cannot use up what
// an honest sender is allowed. What a stranger costs is bounded without it: hashing a body, once a secret, is less work than
// receiving it was, and no body is larger than max_body.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "core/rate.h"
#include "sources/source.h"

namespace hark {

class Clock;
class HttpServer;

struct WebhookOptions {
  std::string name;
  std::string path;                              // "/hooks/deploy"
  std::string provider = "generic";              // "generic" | "github"
  std::vector<std::string> secrets;              // any may match: rotation
  bool unsigned_ok = false;                      // `unsigned = true`: no secret, said aloud
  std::string signature_header = "X-Signature";  // generic only: "sha256=<hex>" of the raw body
  std::uint64_t max_body = limits::kHttpBodyDefault;
  std::optional<Rate> rate_limit;                // none: no limit
  std::string host;  // of the listener
  std::uint16_t port = 0;
  friend bool operator==(const WebhookOptions&, const WebhookOptions&) = default;
};

std::unique_ptr<Source> make_webhook(WebhookOptions options, HttpServer& server, const Clock& clock);

}  // namespace hark
