#include "daemon/event_texts.h"

#include <algorithm>
#include <utility>

#include "core/event_json.h"
#include "daemon/api_routes.h"
#include "platform/secrets.h"

namespace hark {

// Line ends in JSON are blanks between its tokens: in its strings they are escaped.
std::string EventTexts::line(std::string text) const {
  text = masked_json(std::move(text), secrets_.mask());
  std::replace_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

const std::string& EventTexts::of(const Event& event) {
  if (sequence_ != event.sequence) {
    text_ = line(to_json_text(event));
    sequence_ = event.sequence;
  }
  return text_;
}

}  // namespace hark
