// What a webhook's body holds. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/payload.h"
#include "core/result.h"

namespace hark {

class HttpHeaders;

enum class WebhookBody { by_type, json, form, text };

// By its Content-Type, JSON without one; by_type: of none that is read.
WebhookBody body_type(const HttpHeaders& headers);

// JSON as it came; a form's fields; a text as a string. `json_in_form`: a form's field `payload`, where there is one, is the JSON.
Result<Payload> read_body(WebhookBody type, std::string body, bool json_in_form);

// The fields as an object of strings; of one that is there more than once a list.
Payload fields_of(std::string_view form);

}  // namespace hark
