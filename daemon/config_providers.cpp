// [providers.NAME]: who answers prompts.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/limits.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"
#include "platform/http.h"
#include "platform/http_url.h"
#include "platform/listen_socket.h"

namespace hark {
namespace {

using Type = ProviderOptions::Type;

constexpr std::array kHttpKeys = {"base_url", "model", "api_key", "api_key_file", "credential", "temperature", "max_tokens", "headers", "price"};
constexpr Duration kLeastAnswerTime = std::chrono::milliseconds(1);

std::string default_url(Type type) { return type == Type::anthropic ? "https://api.anthropic.com" : "https://api.openai.com/v1"; }

std::string all_of_them(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " and ") + word;
  return out;
}

class ProviderReader {
 public:
  ProviderReader(const std::string& name, const ConfigNode& table, const MappingContext& context)
      : context_(context), reader_(table, "providers." + toml_key(name), "[providers." + toml_key(name) + "]", context.report) {
    provider_.options.name = name;
  }

  ProviderSettings read() {
    if (!reader_.has("type")) reader_.fail_table("needs `type`: openai (and all that speak its protocol), anthropic or command");
    const auto type = reader_.choice("type", {"openai", "anthropic", "command"}, "openai");
    options().type = type == "anthropic" ? Type::anthropic : type == "command" ? Type::command : Type::openai;
    if (options().type == Type::command)
      command();
    else
      over_http();
    options().system = read_template(reader_, "system", {});
    if (options().type == Type::command) {
      provider_.timeout = reader_.duration("timeout", kLeastAnswerTime);
      if (provider_.timeout) reader_.show_text("timeout", *reader_.any("timeout"));
    } else {
      provider_.timeout = reader_.duration("timeout", to_string(limits::kAnswerTimeout), kLeastAnswerTime);
      // An agent's command leaves traces, which a second start would meet; a question leaves none.
      provider_.retry.attempts = limits::kPromptAttempts;
      provider_.retry.backoff.first = limits::kPromptBackoff;
    }
    read_retry(reader_, provider_.retry);
    reader_.finish();
    return std::move(provider_);
  }

 private:
  ProviderOptions& options() { return provider_.options; }

  void command() {
    for (const char* key : kHttpKeys) reader_.belongs(key, "providers of type openai and anthropic");
    if (!reader_.has("command")) return reader_.fail_table("needs `command`, such as [\"claude\", \"-p\"]: the prompt goes to its standard input");
    read_command(reader_, "command", {}, options().command);
  }

  void over_http() {
    reader_.belongs("command", "providers of type command");
    base_url();
    if (!reader_.has("model")) reader_.fail_table("needs `model`");
    read_model(reader_, options());
    options().needs_key = options().base_url == default_url(options().type);
    options().key_cure = "give it `api_key`, `api_key_file` or `credential`";
    key();
    warn_of_plain();
    if (options().needs_key && options().api_key.empty()) {
      reader_.warn(reader_.place(), "api_key", "without one " + options().base_url + " answers nobody: " + options().key_cure);
    }
    headers();
    price();
  }

  void base_url() {
    std::string url = reader_.string("base_url", default_url(options().type));
    while (url.ends_with('/')) url.pop_back();
    if (reader_.has("base_url") && !url.empty()) {
      const ConfigNode* node = reader_.any("base_url");
      const auto parts = parse_http_url(url);
      if (!parts) {
        reader_.fail(*node, "base_url", parts.error().text());
      } else if (url.find_first_of("?#") != std::string::npos) {
        reader_.fail(*node, "base_url", "expected an address without `?` and `#`, such as " + toml_string(default_url(options().type)));
      }
    }
    options().base_url = std::move(url);
  }

  void key() {
    const ConfigNode* first = nullptr;
    for (const char* key : {"api_key", "api_key_file", "credential"}) {
      const ConfigNode* node = reader_.text(key);
      if (node == nullptr) continue;
      reader_.show_text(key, *node);
      if (first != nullptr) {
        reader_.fail(*node, key, "a second key; expected one of `api_key`, `api_key_file` and `credential`");
        continue;
      }
      first = node;
      options().api_key = key_of(key, *node);
      const bool printable = std::all_of(options().api_key.begin(), options().api_key.end(), [](char c) { return c > 0x20 && c < 0x7f; });
      if (!printable) reader_.fail(*node, key, "expected a key of letters, digits and signs, without blanks and line ends");
    }
  }

  std::string key_of(std::string_view key, const ConfigNode& node) {
    if (key == "api_key") {
      // Empty where a variable with an empty default is: the provider may be one that nobody asks here.
      if (!node.variables.empty()) options().key_cure = "set " + all_of_them(node.variables);
      if (node.text.empty() && node.variables.empty()) reader_.fail(node, key, "expected a key, found it empty");
      reader_.keep_secret(node, key, node.text);
      return node.text;
    }
    const auto path = key == "credential" ? credential_path(reader_, node, context_.request) : reader_.resolve(node, key);
    return path ? read_secret_file(reader_, node, key, *path).value_or("") : std::string();
  }

  bool has_key() const { return reader_.has("api_key") || reader_.has("api_key_file") || reader_.has("credential"); }

  // Who is on the way hears it, and the texts.
  void warn_of_plain() {
    const auto url = parse_http_url(options().base_url);
    if (!url || url->tls || is_loopback(url->host) || options().api_key.empty()) return;
    reader_.warn(reader_.any("base_url")->place, "base_url", "the key goes to " + url->host + " as plain text, for all on the way to read; https:// keeps it secret");
  }

  void headers() {
    const ConfigNode* table = reader_.table("headers");
    if (table == nullptr) return;
    if (table->entries.size() > limits::kConfigTable) return reader_.fail(*table, "headers", "more than " + std::to_string(limits::kConfigTable) + " headers");
    TableReader headers = reader_.within(*table, "headers");
    for (const ConfigEntry& entry : table->entries) {
      const ConfigNode* value = read_header(headers, entry);
      if (value == nullptr) continue;
      const bool is_key = equal_ignoring_case(entry.key, "Authorization") || equal_ignoring_case(entry.key, "x-api-key");
      if (is_key && has_key()) headers.fail(*value, entry.key, "is the key's own header, and there is `api_key`, `api_key_file` or `credential`; expected one of both");
      options().headers.emplace_back(entry.key, value->text);
    }
  }

  void price() {
    constexpr double kMost = 1e6;
    const ConfigNode* table = reader_.table("price");
    if (table == nullptr) return;
    TableReader price = reader_.within(*table, "price");
    ProviderOptions::Price read;
    for (const auto& [key, into] : {std::pair("input", &read.input), std::pair("output", &read.output)}) {
      if (!price.has(key)) reader_.fail_table("`price` needs `input` and `output`, in USD per million tokens");
      const auto value = price.number(key, 0, kMost);
      if (!value) continue;
      *into = *value;
      price.show(key, masked_toml(*price.any(key), key), price.any(key));
    }
    for (const auto& [key, into] : {std::pair("cached_input", &read.cached_input), std::pair("cache_write", &read.cache_write)}) {
      *into = price.number(key, 0, kMost);
      if (*into) price.show(key, masked_toml(*price.any(key), key), price.any(key));
    }
    price.finish();
    options().price = read;
  }

  const MappingContext& context_;
  TableReader reader_;
  ProviderSettings provider_;
};

}  // namespace

void read_model(TableReader& reader, ProviderOptions& provider) {
  constexpr double kHottest = 2;
  if (const ConfigNode* model = reader.text("model")) {
    reader.show_text("model", *model);
    refuse_template(reader, *model, "model");
    if (model->text.empty()) reader.fail(*model, "model", "expected the name of a model, found it empty");
    provider.model = model->text;
  }
  if (const auto temperature = reader.number("temperature", 0, kHottest)) {
    provider.temperature = temperature;
    reader.show("temperature", masked_toml(*reader.any("temperature"), "temperature"), reader.any("temperature"));
  }
  if (const auto tokens = reader.integer("max_tokens", 1, limits::kAnswerTokensMax)) {
    provider.max_tokens = static_cast<int>(*tokens);
    reader.show("max_tokens", std::to_string(*tokens), reader.any("max_tokens"));
  }
}

void read_providers(const ConfigNode& providers, MappingContext& context) {
  TableReader reader(providers, "providers", "", context.report);
  for (const ConfigEntry& entry : providers.entries) {
    if (const std::string wrong = check_config_name(entry.key); !wrong.empty()) reader.fail_key(entry.key, wrong);
    const ConfigNode* table = reader.table(entry.key);
    if (table != nullptr) context.settings.providers.push_back(ProviderReader(entry.key, *table, context).read());
  }
}

}  // namespace hark
