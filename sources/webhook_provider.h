// What the senders of webhooks call things: how each signs, and where it writes the event's name and the delivery's id. A table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sources/webhook_signature.h"

namespace hark {

struct WebhookProvider {
  std::string name;
  SignatureScheme scheme{};
  // The event's name, which becomes its subject: the first of these headers, else of these fields of the body, that is there.
  std::vector<std::string> event_headers{};
  std::vector<std::string> event_fields{};
  // What is the same for each attempt to deliver one event.
  std::vector<std::string> delivery_headers{};
  std::vector<std::string> delivery_fields{};
  std::string time_header{};  // the signed time, of one whose deliveries have an id only at times
  bool json_in_form = false;  // a form's field `payload` may hold the JSON
  std::string ping{};         // an event of this name only asks whether somebody is there: it is answered, and is none
  std::string challenge{};    // so does a body of this `type`: the answer is its `challenge`
};

// "generic", whose scheme is the configuration's, is the first.
const std::vector<WebhookProvider>& webhook_providers();
const WebhookProvider* webhook_provider(std::string_view name);  // nullptr: there is none

}  // namespace hark
