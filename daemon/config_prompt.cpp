// A prompt step: what is asked, and whom.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/json_schema.h"
#include "core/limits.h"
#include "core/payload.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"
#include "platform/file_system.h"

namespace hark {
namespace {

// nullptr: reported.
const ProviderSettings* find_provider(TableReader& reader, const std::vector<ProviderSettings>& providers) {
  std::vector<std::string> names;
  for (const auto& provider : providers) names.push_back(provider.options.name);
  const ConfigNode* node = reader.text("provider");
  if (node == nullptr) {
    if (reader.has("provider")) return nullptr;
    if (providers.size() == 1) {
      reader.show("provider", toml_string(names.front()), nullptr);
      return &providers.front();
    }
    reader.fail_table(providers.empty() ? "there is no provider to ask; expected one, such as [providers.local]" : "needs `provider`, as there are several");
    return nullptr;
  }
  reader.show_text("provider", *node);
  const auto found = std::find(names.begin(), names.end(), node->text);
  if (found != names.end()) return &providers[std::size_t(found - names.begin())];
  reader.fail(*node, "provider", "there is no provider " + shown(*node) + suggestion(node->text, names));
  return nullptr;
}

Result<nlohmann::json> read_file(const std::filesystem::path& path) {
  RealFileSystem files;
  const auto text = files.read(path, limits::kSchema);
  if (!text) return text.error();
  if (!text->has_value()) return Error{"no such file: " + path.string(), ""};
  return parse_json(**text, path.string());
}

nlohmann::json read_schema(TableReader& reader) {
  constexpr std::string_view kKey = "json_schema";
  const ConfigNode* node = reader.any(kKey);
  if (node == nullptr) return nullptr;
  reader.show(kKey, masked_toml(*node, kKey), node);
  nlohmann::json schema;
  if (node->is(ConfigNode::Kind::table)) {
    schema = read_json(reader, kKey, *node);
  } else if (node->is(ConfigNode::Kind::string)) {
    const auto path = reader.resolve(*node, kKey);
    if (!path) return nullptr;
    auto read = read_file(*path);
    if (!read) {
      reader.fail(*node, kKey, read.error().text());
      return nullptr;
    }
    schema = std::move(*read);
  } else {
    reader.fail(*node, kKey, "expected a JSON Schema as a table, or the name of a file that holds one, found " + std::string(with_article(node->kind)));
    return nullptr;
  }
  if (const auto fine = check_schema(schema); !fine) reader.fail(*node, kKey, fine.error().text());
  return schema;
}

}  // namespace

void read_prompt(TableReader& reader, const MappingContext& context, const KnownNames& known, StepOptions& step) {
  PromptStepOptions prompt;
  prompt.prompt = read_template(reader, "prompt", known);
  const ConfigNode* text = reader.any("prompt");
  if (text->is(ConfigNode::Kind::string) && text->text.find_first_not_of(" \t\r\n") == std::string::npos) {
    reader.fail(*text, "prompt", "expected a question or a task, found " + shown(*text));
  }
  if (const ProviderSettings* provider = find_provider(reader, context.settings.providers)) {
    prompt.provider = provider->options;
    prompt.system = provider->options.system;
    step.retry = provider->retry;
    step.timeout = provider->timeout;
    if (provider->options.type == ProviderOptions::Type::command) {
      for (const char* key : {"model", "temperature", "max_tokens"}) reader.belongs(key, "a step whose provider is not a command");
    }
  }
  if (reader.has("system")) prompt.system = read_template(reader, "system", known);
  if (prompt.provider.type != ProviderOptions::Type::command) read_model(reader, prompt.provider);
  reader.allow("system");
  prompt.schema = read_schema(reader);
  step.kind = std::move(prompt);
}

}  // namespace hark
