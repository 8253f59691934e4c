#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "core/limits.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"
#include "platform/http_url.h"

namespace hark {
namespace {

void read_breaker(TableReader& outer, BreakerOptions& breaker) {
  const ConfigNode* table = outer.table("breaker");
  if (table == nullptr) return;
  TableReader reader = outer.within(*table, "breaker");
  breaker.failures = static_cast<int>(reader.integer("failures", 5, 1, limits::kAttempts));
  breaker.cooldown = reader.duration("cooldown", "1m", std::chrono::milliseconds(1));
  reader.finish();
}

void read_on_busy(TableReader& reader, Handler& handler) {
  const auto word = reader.choice("on_busy", {"queue", "drop", "latest", "restart"}, "queue");
  if (word == "drop") handler.on_busy = OnBusy::drop;
  if (word == "latest") handler.on_busy = OnBusy::latest;
  if (word == "restart") handler.on_busy = OnBusy::restart;
  if (handler.on_busy == OnBusy::queue || handler.max_concurrent > 0) return;
  handler.max_concurrent = 1;  // busy with what, otherwise?
  reader.show("max_concurrent", "1", nullptr);
}

// The name of another handler; empty: none.
std::string read_other_handler(TableReader& reader, const MappingContext& context, const Handler& handler, std::string_view key) {
  const ConfigNode* node = reader.text(key);
  if (node == nullptr) return {};
  reader.show_text(key, *node);
  const auto& names = context.handler_names;
  if (node->text == handler.name) {
    reader.fail(*node, key, "is the handler itself; expected another one");
  } else if (std::find(names.begin(), names.end(), node->text) == names.end()) {
    reader.fail(*node, key, "there is no handler " + shown(*node) + suggestion(node->text, names));
  }
  return node->text;
}

void read_ping(TableReader& outer, PingUrls& ping) {
  const ConfigNode* table = outer.table("ping");
  if (table == nullptr) return;
  TableReader reader = outer.within(*table, "ping");
  for (const auto& [key, url] : {std::pair("start", &ping.start), std::pair("success", &ping.success), std::pair("failure", &ping.failure)}) {
    const ConfigNode* node = reader.text(key);
    if (node == nullptr) continue;
    reader.show_text(key, *node);
    refuse_template(reader, *node, key);
    if (!parse_http_url(node->text)) reader.fail(*node, key, "expected a URL that begins with http:// or https://, found " + shown(*node));
    *url = node->text;
  }
  reader.finish();
}

}  // namespace

void read_retry(TableReader& outer, Retry& retry) {
  const ConfigNode* table = outer.table("retry");
  if (table == nullptr) return;
  TableReader reader = outer.within(*table, "retry");
  if (!reader.has("attempts") && retry.attempts == 1) reader.warn(table->place, "retry", "without `attempts`, how often it is tried in all, nothing is tried again");
  retry.attempts = static_cast<int>(reader.integer("attempts", retry.attempts, 1, limits::kAttempts));
  reader.allow("max_backoff");
  retry.backoff.first = reader.duration("backoff", to_string(retry.backoff.first), Duration::zero());
  if (reader.has("max_backoff")) {
    retry.backoff.max = reader.duration("max_backoff", "1m", Duration::zero());
    if (retry.backoff.max < retry.backoff.first && parse_duration(reader.any("max_backoff")->text)) {
      reader.fail(*reader.any("max_backoff"), "max_backoff",
                  "is shorter than the first pause of " + to_string(retry.backoff.first));
    }
  } else {
    retry.backoff.max = std::max(retry.backoff.max, retry.backoff.first);
    reader.show("max_backoff", toml_string(to_string(retry.backoff.max)), nullptr);
  }
  if (const auto jitter = reader.number("jitter", 0, 1)) {
    retry.backoff.jitter = *jitter;
    const ConfigNode* node = reader.any("jitter");
    reader.show("jitter", masked_toml(*node, "jitter"), node);
  } else if (!reader.has("jitter")) {
    reader.show("jitter", "0.5", nullptr);
  }
  retry.exit_codes = reader.integers("exit_codes", 1, 255, "an exit status");
  retry.statuses = reader.integers("statuses", 100, 599, "a status");
  retry.timeouts = reader.boolean("timeouts", true);
  reader.finish();
}

void read_policy(TableReader& reader, const MappingContext& context, Handler& handler) {
  read_on_busy(reader, handler);
  const auto word = reader.choice("on_interrupt", {"resume", "restart", "fail"}, "resume");
  if (word == "restart") handler.on_interrupt = OnInterrupt::restart;
  if (word == "fail") handler.on_interrupt = OnInterrupt::fail;
  handler.on_failure = read_other_handler(reader, context, handler, "on_failure");
  handler.expect_every = reader.duration("expect_every", std::chrono::seconds(1));
  reader.warn_if_idle("on_overdue", !handler.expect_every, "it is told when `expect_every` has passed");
  handler.on_overdue = read_other_handler(reader, context, handler, "on_overdue");
  read_ping(reader, handler.ping);
  handler.allow_self_trigger = reader.boolean("allow_self_trigger", false);
  read_retry(reader, handler.retry);
  read_breaker(reader, handler.breaker);
}

}  // namespace hark
