// What the sender of a webhook is told. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/event_sink.h"
#include "core/run.h"
#include "core/time.h"
#include "platform/http.h"

namespace hark {

HttpResponse json_answer(int status, const nlohmann::json& body);
HttpResponse come_again(int status, const std::string& detail, Duration after);

// 202 {"event_id"}; 200 with "duplicate" for one seen before; 503 for one that was not taken.
HttpResponse answer_to(const Acceptance& acceptance);
// One answer for several events: all of them are taken, or the sender is to come again with all, of which none counts twice.
HttpResponse answer_to(const std::vector<Acceptance>& all);
// The output of the run that came of an event: of the first, where there are several. nullopt: none did.
std::optional<HttpResponse> answer_to(const std::vector<Run>& runs, const std::string& content_type);

}  // namespace hark
