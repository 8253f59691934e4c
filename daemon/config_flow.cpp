#include <algorithm>
#include <chrono>

#include "core/event_field.h"
#include "core/limits.h"
#include "daemon/config_mapping.h"

namespace hark {
namespace {

// Quiet that never comes must not mean that nothing ever runs.
constexpr int kDebounceMaxFactor = 10;

// Shown by the key it was written with.
void show_debounce(TableReader& reader, const std::string& key, std::optional<Duration> value, bool given) {
  const std::string in_ms = key + "_ms";
  if (given && reader.has(in_ms)) {
    reader.show(in_ms, std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(*value).count()), reader.any(in_ms));
  } else if (value) {
    const ConfigNode* node = given ? reader.any(key) : nullptr;
    reader.show(key, toml_string(node != nullptr ? node->text : to_string(*value)), node);
  }
}

void read_debounce(TableReader& reader, Duration fallback, Rule& rule) {
  if (rule.batch) {
    for (const char* key : {"debounce", "debounce_ms", "debounce_max", "debounce_max_ms"}) {
      reader.allow(key);
      if (reader.has(key)) reader.fail_key(key, "stands beside `batch`; expected one of them");
    }
    return;
  }
  const auto debounce = reader.duration_or_ms("debounce");
  const auto longest = reader.duration_or_ms("debounce_max");
  rule.debounce = debounce.value_or(fallback);
  if (longest) {
    rule.debounce_max = longest;
  } else if (rule.debounce > Duration::zero()) {
    rule.debounce_max = rule.debounce * kDebounceMaxFactor;
  }
  show_debounce(reader, "debounce", rule.debounce, debounce.has_value());
  show_debounce(reader, "debounce_max", rule.debounce_max, longest.has_value());
  if (!longest) return;
  const std::string key = reader.has("debounce_max") ? "debounce_max" : "debounce_max_ms";
  const bool debounce_wrong = !debounce && (reader.has("debounce") || reader.has("debounce_ms"));
  if (debounce_wrong) return;
  if (rule.debounce == Duration::zero()) {
    reader.fail(*reader.any(key), key, "has no meaning without `debounce`");
  } else if (*longest < rule.debounce) {
    reader.fail(*reader.any(key), key,
                "is shorter than the debounce of " + to_string(rule.debounce) + "; expected at least as much");
  }
}

std::optional<Template> read_key_template(TableReader& reader, std::string_view key) {
  auto text = read_event_template(reader, key);
  if (text && text->constant()) reader.fail(*reader.any(key), key, "is the same for every event; expected a template such as \"{payload.repository}\"");
  return text;
}

void read_batch(TableReader& outer, Rule& rule) {
  const ConfigNode* table = outer.table("batch");
  if (table == nullptr) return;
  TableReader reader = outer.within(*table, "batch");
  Rule::Batch batch;
  batch.max = static_cast<std::size_t>(reader.integer("max", 100, 1, limits::kDebounceEvents));
  batch.within = reader.duration("within", "5s", std::chrono::milliseconds(1));
  reader.finish();
  rule.batch = batch;
}

}  // namespace

std::optional<Template> read_event_template(TableReader& reader, std::string_view key) {
  const ConfigNode* node = reader.text(key);
  if (node == nullptr) return std::nullopt;
  reader.show(std::string(key), toml_string(node->text), node);  // `key` is no secret here, whatever its name says elsewhere
  auto text = Template::parse(node->text);
  warn_of_unclosed(reader, *node, key, text);
  for (const auto& name : text.names()) {
    const bool known = name == "payload" || name.starts_with("payload.") || name.starts_with("event.");
    if (!known) {
      reader.fail(*node, key, "'{" + name + "}' is not known when an event arrives; expected {event.*} or {payload.*}");
    } else if (const Status field = check_event_field(name); !field) {
      reader.fail(*node, key, field.error().text());
    }
  }
  return text;
}

void read_flow(TableReader& reader, Duration debounce, Rule& rule) {
  read_batch(reader, rule);
  read_debounce(reader, debounce, rule);
  rule.key = read_key_template(reader, "key");
  if (const ConfigNode* throttle = reader.text("throttle")) {
    reader.show_text("throttle", *throttle);
    const auto rate = Rate::parse(throttle->text, limits::kThrottleCount);
    if (rate) {
      rule.throttle = *rate;
    } else {
      reader.fail(*throttle, "throttle", rate.error().text());
    }
  }
  rule.dedupe_key = read_key_template(reader, "dedupe_key");
  rule.dedupe_window = reader.duration("dedupe_window", "24h", Duration::zero());
  rule.priority = static_cast<int>(reader.integer("priority", 0, -limits::kPriority, limits::kPriority));
}

}  // namespace hark
