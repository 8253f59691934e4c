#include "core/json_schema.h"

#include <algorithm>
#include <array>
#include <exception>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "core/nearest.h"

namespace hark {
namespace {

using Json = nlohmann::json;

enum class Holds { anything, schema, schemas, named_schemas };
struct Keyword {
  std::string_view name;
  Holds holds = Holds::anything;
};
constexpr std::array<Keyword, 36> kKeywords = {{
    // For people.
    {"$schema"}, {"$id"}, {"$comment"}, {"title"}, {"description"}, {"default"}, {"examples"},
    // Looked at by valijson.
    {"type"}, {"enum"}, {"const"}, {"required"},
    {"properties", Holds::named_schemas}, {"additionalProperties", Holds::schema}, {"propertyNames", Holds::schema}, {"minProperties"}, {"maxProperties"},
    {"dependencies", Holds::named_schemas},
    {"items", Holds::schemas}, {"additionalItems", Holds::schema}, {"contains", Holds::schema}, {"minItems"}, {"maxItems"}, {"uniqueItems"},
    {"minimum"}, {"maximum"}, {"exclusiveMinimum"}, {"exclusiveMaximum"}, {"multipleOf"},
    {"minLength"}, {"maxLength"},
    {"allOf", Holds::schemas}, {"anyOf", Holds::schemas}, {"oneOf", Holds::schemas}, {"not", Holds::schema},
    {"$ref"}, {"definitions", Holds::named_schemas},
}};

// They are std::regex in valijson, which a hostile answer brings down (docs/decisions/0014).
bool takes_regex(std::string_view keyword) { return keyword == "pattern" || keyword == "patternProperties" || keyword == "format"; }

std::string escaped(std::string_view part) {  // RFC 6901
  std::string out;
  for (const char c : part) out += c == '~' ? std::string("~0") : c == '/' ? std::string("~1") : std::string(1, c);
  return out;
}

Error unknown_keyword(const std::string& path, const std::string& keyword) {
  const std::string where = path + "/" + escaped(keyword) + ": ";
  if (takes_regex(keyword)) return {where + "`" + keyword + "` is not checked by hark", "leave it out, and say it in `description`"};
  std::vector<std::string> known;
  for (const auto& each : kKeywords) known.emplace_back(each.name);
  const std::string near = nearest(keyword, known);
  return {where + "no keyword that hark knows", near.empty() ? "JSON Schema, draft 7" : "did you mean `" + near + "`?"};
}

Status check_keywords(const Json& schema, const std::string& path);

Status check_each(const Json& list, const std::string& path) {
  if (list.is_object()) {
    for (const auto& [name, item] : list.items()) {
      if (item.is_array()) continue;  // `dependencies` on names
      if (auto fine = check_keywords(item, path + "/" + escaped(name)); !fine) return fine;
    }
    return {};
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (auto fine = check_keywords(list[i], path + "/" + std::to_string(i)); !fine) return fine;
  }
  return {};
}

Status check_keyword(const Keyword& keyword, const Json& value, const std::string& path) {
  if (keyword.name == "$ref" && (!value.is_string() || !value.get_ref<const std::string&>().starts_with('#'))) {
    return Error{path + ": expected a place in the schema itself, such as \"#/definitions/name\"", ""};
  }
  const bool list = keyword.holds == Holds::named_schemas ? value.is_object() : keyword.holds == Holds::schemas && value.is_array();
  if (list) return check_each(value, path);
  return keyword.holds == Holds::anything ? Status() : check_keywords(value, path);
}

Status check_keywords(const Json& schema, const std::string& path) {
  if (schema.is_boolean()) return {};
  if (!schema.is_object()) return Error{(path.empty() ? "/" : path) + ": expected a schema, which is an object", ""};
  for (const auto& [name, value] : schema.items()) {
    const Keyword* known = nullptr;
    for (const auto& each : kKeywords) {
      if (each.name == name) known = &each;
    }
    if (known == nullptr) return unknown_keyword(path, name);
    if (auto fine = check_keyword(*known, value, path + "/" + escaped(name)); !fine) return fine;
  }
  return {};
}

// Whether what a schema asks of a value leads, without a step down into the value, to the same question: it would be asked for ever.
class Circles {
 public:
  explicit Circles(const Json& root) : root_(root) {}

  bool below(const Json& node) {
    if (node.is_object() && leads_back(node)) return true;
    if (!node.is_structured()) return false;
    return std::any_of(node.begin(), node.end(), [this](const Json& item) { return below(item); });
  }

 private:
  bool leads_back(const Json& schema) {
    if (done_.contains(&schema)) return false;
    if (!on_way_.insert(&schema).second) return true;
    bool back = false;
    if (const Json* target = referred(schema)) back = leads_back(*target);
    for (const char* keyword : {"allOf", "anyOf", "oneOf", "not", "dependencies"}) {
      if (back || !schema.is_object() || !schema.contains(keyword)) continue;
      const Json& asked = schema[keyword];
      const bool one = keyword == std::string_view("not");
      back = one ? leads_back(asked) : asked.is_structured() && std::any_of(asked.begin(), asked.end(), [this](const Json& each) { return leads_back(each); });
    }
    on_way_.erase(&schema);
    done_.insert(&schema);
    return back;
  }

  // Where `$ref` leads; nullptr: nowhere, which valijson will say.
  const Json* referred(const Json& schema) const {
    if (!schema.is_object() || !schema.contains("$ref") || !schema["$ref"].is_string()) return nullptr;
    try {
      return &root_.at(Json::json_pointer(schema["$ref"].get_ref<const std::string&>().substr(1)));
    } catch (const Json::exception&) {
      return nullptr;
    }
  }

  const Json& root_;
  std::set<const Json*> on_way_, done_;
};

void parse(const Json& schema, valijson::Schema& into) {
  const valijson::adapters::NlohmannJsonAdapter adapter(schema);
  valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(adapter, into);
}

// valijson's place is a list: "<root>", then "[\"name\"]" or "[0]" for each step down.
std::vector<std::string> steps_down(const std::vector<std::string>& context) {
  std::vector<std::string> steps;
  for (std::size_t i = 1; i < context.size(); ++i) {
    std::string_view step = context[i];
    if (step.starts_with('[') && step.ends_with(']')) step = step.substr(1, step.size() - 2);
    if (step.size() >= 2 && step.starts_with('"') && step.ends_with('"')) step = step.substr(1, step.size() - 2);
    steps.emplace_back(step);
  }
  return steps;
}

std::string pointer(const std::vector<std::string>& steps) {
  std::string out;
  for (const auto& step : steps) out += "/" + escaped(step);
  return out.empty() ? "/" : out;
}

// Which type the schema wants at a place, as far as it says so on the straight way there; valijson says only that it is another one.
std::string wanted_type(const Json* schema, const std::vector<std::string>& steps) {
  for (const auto& step : steps) {
    const char* way = schema->contains("properties") && (*schema)["properties"].contains(step) ? "properties" : "items";
    if (!schema->is_object() || !schema->contains(way)) return {};
    schema = &(*schema)[way];
    if (way == std::string_view("properties")) schema = &(*schema)[step];
  }
  if (!schema->is_object() || !schema->contains("type")) return {};
  const Json& type = (*schema)["type"];
  if (!type.is_string()) return type.dump();
  const auto& name = type.get_ref<const std::string&>();
  const bool vowel = name == "array" || name == "object" || name == "integer";
  return name == "null" ? name : (vowel ? "an " : "a ") + name;
}

}  // namespace

Status check_schema(const Json& schema) {
  if (auto fine = check_keywords(schema, ""); !fine) return fine;
  if (Circles(schema).below(schema)) return Error{"a `$ref` leads back to itself without a step into the document", ""};
  try {
    valijson::Schema parsed;
    parse(schema, parsed);
  } catch (const std::exception& failure) {
    return Error{failure.what(), ""};
  }
  return {};
}

Status check_json(const Json& document, const Json& schema) {
  try {
    valijson::Schema parsed;
    parse(schema, parsed);
    const valijson::adapters::NlohmannJsonAdapter target(document);
    valijson::ValidationResults results;
    if (valijson::Validator(valijson::Validator::kStrongTypes).validate(parsed, target, &results)) return {};
    if (results.numErrors() == 0) return Error{"/: does not fit the schema", ""};
    // The innermost is the first: those behind it say only that what holds it does not fit, either.
    const auto& first = *results.begin();
    const auto steps = steps_down(first.context);
    const auto type = first.description.find("'type' constraint") == std::string::npos ? std::string() : wanted_type(&schema, steps);
    return Error{pointer(steps) + ": " + (type.empty() ? first.description : "expected " + type), ""};
  } catch (const std::exception& failure) {
    return Error{std::string("cannot be checked: ") + failure.what(), ""};
  }
}

}  // namespace hark
