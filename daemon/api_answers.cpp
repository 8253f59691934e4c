#include "daemon/api_answers.h"

#include <charconv>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/nearest.h"
#include "core/payload.h"
#include "core/printable.h"

namespace hark {

HttpResponse json_text_response(std::string body, int status) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body) + "\n";
  return response;
}

HttpResponse json_response(const nlohmann::json& body, int status) { return json_text_response(write_json(body), status); }

HttpResponse no_such(const std::string& what, const std::string& name, const std::vector<std::string>& known) {
  std::string list;
  for (const auto& each : known) list += (list.empty() ? "" : ", ") + each;
  return problem(404, "no such " + what, "'" + name + "'" + did_you_mean(name, known) + (list.empty() ? "" : " (there are: " + printable(list, limits::kShownValue * 4) + ")"));
}

HttpResponse not_accepted(const Acceptance& acceptance) {
  auto response = problem(503, "not accepted", acceptance.reason);
  response.headers.add("Retry-After", "1");
  return response;
}

Result<std::optional<std::uint64_t>> query_number(const HttpRequest& request, std::string_view name) {
  const auto text = form_value(request.query, name);
  if (!text) return std::optional<std::uint64_t>();
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (failure == std::errc{} && end == text->data() + text->size()) return std::optional(value);
  return Error{"'" + std::string(name) + "' is to be a whole number, found '" + printable(*text, limits::kShownValue) + "'", {}};
}

Result<std::vector<std::string>> words_of(std::string_view list) {
  std::vector<std::string> words;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto word = list.substr(0, comma);
    if (!word.empty()) words.emplace_back(word);
    list = comma == list.npos ? std::string_view{} : list.substr(comma + 1);
  }
  if (words.size() > limits::kPatternWords) return Error{"more than " + std::to_string(limits::kPatternWords) + " in one list", ""};
  return words;
}

Result<std::vector<std::string>> query_words(const HttpRequest& request, std::string_view name) {
  std::string list;
  for (const auto& [key, value] : form_values(request.query)) {
    if (key == name) list += (list.empty() ? "" : ",") + value;
  }
  return words_of(list);
}

}  // namespace hark
