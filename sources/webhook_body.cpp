#include "sources/webhook_body.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "core/json_keys.h"
#include "core/printable.h"
#include "platform/http.h"

namespace hark {

WebhookBody body_type(const HttpHeaders& headers) {
  const auto type = media_type(headers);
  const auto ends_with = [&](std::string_view end) { return type.size() > end.size() && equal_ignoring_case(type.substr(type.size() - end.size()), end); };
  if (type.empty() || equal_ignoring_case(type, "application/json") || ends_with("+json")) return WebhookBody::json;
  if (equal_ignoring_case(type, "application/x-www-form-urlencoded")) return WebhookBody::form;
  return equal_ignoring_case(type.substr(0, 5), "text/") ? WebhookBody::text : WebhookBody::by_type;
}

Result<Payload> read_body(WebhookBody type, std::string body, bool json_in_form) {
  if (type == WebhookBody::text) {
    if (is_utf8(body)) return Payload(nlohmann::json(std::move(body)));
    return Error{"the text is no UTF-8", {}};
  }
  if (type != WebhookBody::form) return parse_event_data(std::move(body));
  if (json_in_form) {
    if (auto payload = form_value(body, "payload")) return parse_event_data(std::move(*payload));
  }
  // As curl -d sends it without a Content-Type: one field, named like the whole.
  if (body.starts_with('{') && Payload::parse(body)) return Error{"it is JSON, and was to be read as a form", {}};
  return fields_of(body);
}

Payload fields_of(std::string_view form) {
  auto object = nlohmann::json::object();
  for (auto& [name, value] : form_values(form)) {
    auto& field = object[name];
    if (field.is_string()) field = nlohmann::json::array({std::move(field)});
    if (field.is_array()) {
      field.push_back(std::move(value));
    } else {
      field = std::move(value);
    }
  }
  return Payload(object);
}

}  // namespace hark
