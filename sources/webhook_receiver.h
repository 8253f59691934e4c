// What every source that takes webhooks has: one path on the listener, whose senders are believed only after the signature was checked on
// the raw bytes, and whose refusals are kept.
//
// Answers 403 or 401 without a hint, 413, 415, 429 with Retry-After over the rate limit, 400 for a body that is none, and by itself what only
// asks whether somebody is there (sources/webhook_provider.h). Each refusal is said to the host with its reason, of which a sender who is
// not believed learns nothing.
//
// The rate limit counts requests whose signature matched (of an unsigned source: all), so that a stranger's flood cannot use up what
// an honest sender is allowed. What a stranger costs is bounded without it: hashing a body, once a secret, is less work than
// receiving it was, and no body is larger than max_body.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "core/limits.h"
#include "core/payload.h"
#include "core/rate.h"
#include "platform/http_routes.h"
#include "platform/ip_network.h"
#include "sources/source.h"
#include "sources/webhook_body.h"
#include "sources/webhook_provider.h"
#include "sources/webhook_signature.h"

namespace hark {

class Clock;
class HttpServer;

struct ReceiverOptions {
  std::string name;                              // of the source
  std::string path;                              // "/hooks/deploy", or with {name} segments: "/hooks/{team}"
  std::string provider = "generic";              // a name of webhook_providers()
  SignatureScheme scheme{};                      // the provider's, or the configuration's own
  std::vector<std::string> secrets;              // any may match: rotation
  bool unsigned_ok = false;                      // `unsigned = true`: no secret, said aloud
  std::vector<IpNetwork> allow;                  // who may send, besides being believed; empty: everybody
  std::vector<IpNetwork> trusted_proxies;        // whose X-Forwarded-For tells who sent
  std::uint64_t max_body = limits::kHttpBodyDefault;
  std::optional<Rate> rate_limit;                // none: no limit
  std::string host;  // of the listener
  std::uint16_t port = 0;
  friend bool operator==(const ReceiverOptions&, const ReceiverOptions&) = default;
};

// The first of these that is there, once and with a value; empty: none.
std::string_view first_of(const HttpHeaders& headers, const std::vector<std::string>& names);
std::string_view first_of(const Payload& payload, const std::vector<std::string>& fields);

// What a sender calls one delivery. One that is long, or not for eyes, by its fingerprint: it is the same one each time.
std::string delivery_id(std::string_view id);

// Loop thread only.
class WebhookReceiver {
 public:
  using Take = std::function<void(HttpRequest request, const HttpResponder& answer)>;

  WebhookReceiver(ReceiverOptions options, HttpServer& server, const Clock& clock);
  ~WebhookReceiver() { stop(); }

  // `take` gets what is believed, and answers it.
  Status start(SourceHost& host, Take take);
  void stop();

  const WebhookProvider& provider() const { return provider_; }

  // The body as data; nullopt: it was refused, or only asked whether somebody is there, and is answered.
  std::optional<Payload> read(HttpRequest& request, WebhookBody wanted, const HttpResponder& answer);
  // What would be said of this request, were it refused.
  Refusal refusal(const HttpRequest& request, Refusal::Cause cause, std::string reason) const;
  void refuse(const HttpRequest& request, const HttpResponder& answer, Refusal::Cause cause, std::string reason, HttpResponse response);
  // Hands it on, with its source and time; `refused` is kept where the host does not take it.
  void offer(Event event, Refusal refused, EventSink::Answer answer);

 private:
  std::string sender(const HttpRequest& request) const;
  std::optional<std::string> doubt(const HttpRequest& request) const;
  void not_received(const HttpRequest& head, int status, const std::string& reason);
  void receive(HttpRequest request, const HttpResponder& answer);

  const ReceiverOptions options_;
  HttpServer& server_;
  const Clock& clock_;
  const WebhookProvider& provider_;
  const SignatureCheck check_;
  std::optional<RateLimiter> limiter_;
  SourceHost* host_ = nullptr;  // null: not started
  Take take_;
};

}  // namespace hark
