// Steps of tool = "slack".
#include <array>
#include <string>

#include "daemon/config_mapping.h"
#include "daemon/config_show.h"
#include "platform/http_url.h"

namespace hark {
namespace {

constexpr std::string_view kSlackApi = "https://slack.com/api";
constexpr std::array kSlackKeys = {"webhook_url", "webhook_url_file", "channel", "text", "blocks"};

// Empty: none is given, or reported.
std::string read_webhook_url(TableReader& reader) {
  std::string url;
  const char* key = reader.has("webhook_url") ? "webhook_url" : "webhook_url_file";
  const ConfigNode* node = reader.text(key);
  if (node == nullptr) return url;
  reader.show_text(key, *node);
  if (reader.has("webhook_url")) {
    url = node->text;
    reader.keep_secret(*node, key, url);
    if (reader.has("webhook_url_file")) reader.fail_key("webhook_url_file", "says the same as `webhook_url`; expected one of them");
    reader.allow("webhook_url_file");
  } else if (const auto path = reader.resolve(*node, key)) {
    url = read_secret_file(reader, *node, key, *path).value_or("");
    if (url.empty()) return url;
  }
  // Neither error shows what was found: it is a secret.
  if (const auto parts = parse_http_url(url); !parts) {
    reader.fail(*node, key, "expected the address of a webhook, such as \"https://hooks.slack.com/services/...\"");
  } else {
    refuse_open_secret(reader, key, url);
  }
  return url;
}

}  // namespace

void read_slack_tool(TableReader& reader, const KnownNames& known, StepOptions& step) {
  SlackStepOptions slack;
  const bool by_webhook = reader.has("webhook_url") || reader.has("webhook_url_file");
  const bool by_token = reader.has("token") || reader.has("token_file");
  if (by_webhook == by_token) reader.fail_table("tool = \"slack\" needs `webhook_url` (or `webhook_url_file`), or `token` (or `token_file`) and `channel`; expected one of the two");
  if (by_webhook) {
    slack.url = read_webhook_url(reader);
    for (const char* key : {"token", "token_file", "channel", "api"}) reader.belongs(key, "a message without `webhook_url`");
  } else {
    for (const char* key : {"webhook_url", "webhook_url_file"}) reader.allow(key);
    slack.token = read_token(reader);
    auto api = reader.string("api", kSlackApi);
    while (api.ends_with('/')) api.pop_back();
    if (const auto parts = parse_http_url(api); !parts) reader.fail_key("api", parts.error().text());
    refuse_open_token(reader, slack.token, api);
    slack.url = api + "/chat.postMessage";
    if (by_token && !reader.has("channel")) reader.fail_table("needs `channel` beside the token");
    slack.channel = read_template(reader, "channel", known);
  }
  if (!reader.has("text") && !reader.has("blocks")) reader.fail_table("tool = \"slack\" needs `text` or `blocks`");
  if (reader.text("text") != nullptr) slack.text = read_template(reader, "text", known);
  if (const ConfigNode* blocks = reader.any("blocks")) {
    reader.show("blocks", masked_toml(*blocks, "blocks"), blocks);
    if (!blocks->is(ConfigNode::Kind::array)) reader.fail(*blocks, "blocks", "expected an array of blocks, found " + shown(*blocks));
    slack.blocks = read_json(reader, "blocks", *blocks, &known);
  }
  step.kind = std::move(slack);
}

void refuse_slack_keys(TableReader& reader) {
  for (const char* key : kSlackKeys) reader.belongs(key, "a step with tool = \"slack\"");
}

}  // namespace hark
