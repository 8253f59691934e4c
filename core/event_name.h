// What may name an event's type, its topic, and who published it. Pure.
#pragma once

#include <string_view>

#include "core/result.h"

namespace hark {

// A topic stands in lists, scopes and URLs: letters, digits and `. _ : / -`, at most limits::kTopicLength.
Status check_topic(std::string_view topic);

// A type of an event, or the name of who published one: text that can be shown on a line and stand in a list, at most limits::kEventWord
// bytes. `what`: how the Error calls it.
Status check_event_word(std::string_view word, std::string_view what);

}  // namespace hark
