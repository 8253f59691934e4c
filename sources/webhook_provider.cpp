#include "sources/webhook_provider.h"

#include <algorithm>

namespace hark {

namespace {

SignatureScheme of_body(std::vector<std::string> headers, std::string prefix) {
  SignatureScheme scheme;
  scheme.headers = std::move(headers);
  scheme.prefix = std::move(prefix);
  return scheme;
}

SignatureScheme of_kind(SignatureScheme::Kind kind, std::vector<std::string> headers = {}) {
  SignatureScheme scheme;
  scheme.kind = kind;
  scheme.headers = std::move(headers);
  return scheme;
}

}  // namespace

const std::vector<WebhookProvider>& webhook_providers() {
  using Kind = SignatureScheme::Kind;
  static const std::vector<WebhookProvider> providers = {
      {.name = "generic", .delivery_headers = {"Idempotency-Key", "webhook-id"}},
      // docs.github.com, "Validating webhook deliveries"
      {.name = "github",
       .scheme = of_body({"X-Hub-Signature-256"}, "sha256="),
       .event_headers = {"X-GitHub-Event"},
       .delivery_headers = {"X-GitHub-Delivery"},
       .json_in_form = true,
       .ping = "ping"},
      // docs.gitlab.com, "Webhooks": the token, or a signing token by Standard Webhooks. X-Gitlab-Event-UUID is no delivery's own.
      {.name = "gitlab",
       .scheme = of_kind(Kind::token, {"X-Gitlab-Token"}),
       .event_headers = {"X-Gitlab-Event"},
       .delivery_headers = {"Idempotency-Key", "webhook-id"}},
      // docs.gitea.com and forgejo.org, "Webhooks": Forgejo sends both
      {.name = "gitea",
       .scheme = of_body({"X-Forgejo-Signature", "X-Gitea-Signature"}, ""),
       .event_headers = {"X-Forgejo-Event", "X-Gitea-Event"},
       .delivery_headers = {"X-Forgejo-Delivery", "X-Gitea-Delivery"},
       .json_in_form = true},
      // support.atlassian.com, "Manage webhooks"; Data Center has X-Request-Id and asks with diagnostics:ping
      {.name = "bitbucket",
       .scheme = of_body({"X-Hub-Signature"}, "sha256="),
       .event_headers = {"X-Event-Key"},
       .delivery_headers = {"X-Request-UUID", "X-Request-Id"},
       .ping = "diagnostics:ping"},
      // docs.stripe.com, "Verify webhook signatures manually"
      {.name = "stripe", .scheme = of_kind(Kind::stripe), .event_fields = {"type"}, .delivery_fields = {"id"}},
      // docs.slack.dev, "Verifying requests from Slack"
      {.name = "slack",
       .scheme = of_kind(Kind::slack),
       .event_fields = {"event.type", "type", "command"},
       .delivery_fields = {"event_id"},
       .time_header = "X-Slack-Request-Timestamp",
       .json_in_form = true,
       .challenge = "url_verification"},
      // standardwebhooks.com, 1.0
      {.name = "standard", .scheme = of_kind(Kind::standard), .event_fields = {"type"}, .delivery_headers = {"webhook-id"}},
  };
  return providers;
}

const WebhookProvider* webhook_provider(std::string_view name) {
  const auto& providers = webhook_providers();
  const auto found = std::find_if(providers.begin(), providers.end(), [&](const WebhookProvider& each) { return each.name == name; });
  return found == providers.end() ? nullptr : &*found;
}

}  // namespace hark
