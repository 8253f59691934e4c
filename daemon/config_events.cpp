// The bus: steps that publish and wait, sources that take from it, and how long its topics are kept.
#include <algorithm>
#include <string>
#include <utility>

#include "core/event_name.h"
#include "core/event_pattern.h"
#include "core/limits.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"

namespace hark {
namespace {

std::string word(TableReader& reader, std::string_view key, std::string_view what) {
  const ConfigNode* node = reader.text(key);
  if (node == nullptr) return {};
  reader.show_text(key, *node);
  const bool blank = node->text.find_first_not_of(" \t\r\n") == std::string::npos;
  if (blank) reader.fail(*node, key, "expected " + std::string(what) + ", found " + shown(*node));
  refuse_template(reader, *node, key);
  if (node->text.size() > limits::kEventWord) reader.fail(*node, key, "longer than " + std::to_string(limits::kEventWord) + " bytes");
  return node->text;
}

std::string glob(TableReader& reader, const ConfigNode& node, std::string_view key, std::string_view what) {
  refuse_template(reader, node, key);
  const auto parsed = Glob::parse(node.text);
  if (node.text.empty()) reader.fail(node, key, "expected " + std::string(what) + ", found " + shown(node));
  if (!parsed) reader.fail(node, key, parsed.error().text());
  return node.text;
}

}  // namespace

void read_publish(TableReader& reader, const MappingContext& context, const KnownNames& known, StepOptions& step) {
  PublishStepOptions publish;
  publish.type = word(reader, "publish", "the type of an event");
  publish.topic = read_template(reader, "topic", known);
  publish.subject = read_template(reader, "subject", known);
  if (const ConfigNode* data = reader.any("data")) {
    reader.show("data", masked_toml(*data, "data"), data);
    publish.data = read_json(reader, "data", *data, &known);
  }
  if (const ConfigNode* source = reader.text("source")) {
    reader.show_text("source", *source);
    publish.source = source->text;
    std::vector<std::string> names;
    for (const auto& each : context.settings.sources) names.push_back(each.name);
    if (std::find(names.begin(), names.end(), source->text) == names.end()) {
      reader.fail(*source, "source", "there is no source " + shown(*source) + suggestion(source->text, names));
    }
  }
  step.kind = std::move(publish);
}

void read_wait(TableReader& reader, const KnownNames& known, StepOptions& step) {
  WaitStepOptions wait;
  const ConfigNode* types = reader.any("wait");
  const auto each = reader.texts("wait");
  for (const ConfigNode* type : each) wait.types.push_back(glob(reader, *type, "wait", "the type of an event"));
  if (!each.empty()) reader.show_texts("wait", each, types);
  if (types->is(ConfigNode::Kind::array) && types->items.empty()) reader.fail(*types, "wait", "expected at least one type of event, found an empty array");
  if (const ConfigNode* topic = reader.text("topic")) {
    reader.show_text("topic", *topic);
    wait.topic = glob(reader, *topic, "topic", "a topic");
  }
  if (const ConfigNode* where = reader.text("where")) {
    reader.show_text("where", *where);
    wait.where = Template::parse(where->text);
    check_template(reader, *where, "where", wait.where, known);
    // As it will be with any value.
    const nlohmann::json value = quote_filter_value("x");
    const auto filter = Filter::parse(wait.where.render([&](std::string_view) { return &value; }));
    if (!filter) {
      reader.fail(*where, "where", "not a filter: " + filter.error().text() + (wait.where.constant() ? "" : "; a template stands as a whole value there, without quotes: payload.id:{payload.id}"));
    } else if (const auto fields = check_event_fields(*filter); !fields) {
      reader.fail(*where, "where", fields.error().text());
    }
  }
  step.kind = std::move(wait);
}

TopicOptions read_topic(TableReader& reader) {
  const auto globs = [&](std::string_view key, std::string_view what) {
    std::vector<std::string> read;
    const auto nodes = reader.texts(key);
    for (const ConfigNode* node : nodes) read.push_back(glob(reader, *node, key, what));
    if (reader.has(key)) reader.show_texts(key, nodes, reader.any(key));
    if (const ConfigNode* list = reader.any(key); list != nullptr && list->is(ConfigNode::Kind::array) && list->items.empty()) {
      reader.fail(*list, key, "expected at least one, found an empty array");
    }
    return read;
  };
  const auto topics = globs("topic", "a topic");
  auto types = globs("events", "the type of an event");
  if (types.empty()) types.emplace_back("**");
  auto pattern = EventPattern::parse(types, topics, "");
  return {"", pattern ? std::move(*pattern) : EventPattern()};
}

void read_topics(const ConfigNode& topics, MappingContext& context) {
  TableReader reader(topics, "topics", "", context.report);
  if (topics.entries.size() > limits::kTopics) reader.fail_table("more than " + std::to_string(limits::kTopics) + " topics with a retention of their own");
  for (const ConfigEntry& entry : topics.entries) {
    if (const auto wrong = check_topic(entry.key); !wrong) reader.fail_key(entry.key, wrong.error().message);
    const ConfigNode* table = reader.table(entry.key);
    if (table == nullptr) continue;
    TableReader of(*table, "topics." + toml_key(entry.key), "[topics." + toml_key(entry.key) + "]", context.report);
    TopicSettings topic;
    topic.name = entry.key;
    topic.retention = of.duration("retention", std::chrono::milliseconds(1));
    if (topic.retention) of.show("retention", toml_string(of.any("retention")->text), of.any("retention"));
    if (const auto events = of.integer("retention_events", 1, limits::kRetentionEvents)) {
      topic.retention_events = static_cast<std::uint64_t>(*events);
      of.show("retention_events", std::to_string(*events), of.any("retention_events"));
    }
    of.finish();
    context.settings.topics.push_back(std::move(topic));
  }
}

}  // namespace hark
