// What the API's routes answer with, and read of their questions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/event_sink.h"
#include "core/result.h"
#include "platform/http.h"

namespace hark {

HttpResponse json_response(const nlohmann::json& body, int status = 200);
HttpResponse json_text_response(std::string body, int status = 200);

// 404, with those that there are.
HttpResponse no_such(const std::string& what, const std::string& name, const std::vector<std::string>& known);
// 503: an event was not taken.
HttpResponse not_accepted(const Acceptance& acceptance);

// A whole number of the query; nullopt: it is not given.
Result<std::optional<std::uint64_t>> query_number(const HttpRequest& request, std::string_view name);
// The words of a list, as it stands in a path or (every time it is given) in the query: "a,b".
Result<std::vector<std::string>> words_of(std::string_view list);
Result<std::vector<std::string>> query_words(const HttpRequest& request, std::string_view name);

}  // namespace hark
