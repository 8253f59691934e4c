#include "core/event_name.h"

#include <algorithm>
#include <string>

#include "core/limits.h"
#include "core/payload.h"
#include "core/printable.h"

namespace hark {

namespace {

bool is_topic_sign(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == ':' || c == '/' || c == '-';
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

Status check_topic(std::string_view topic) {
  if (!topic.empty() && topic.size() <= limits::kTopicLength && std::all_of(topic.begin(), topic.end(), is_topic_sign)) return {};
  return Error{"a topic is letters, digits and . _ : / -, at most " + std::to_string(limits::kTopicLength) + " of them, found '" + printable(topic, limits::kShownValue) + "'", ""};
}

Status check_event_word(std::string_view word, std::string_view what) {
  const bool fits = !word.empty() && word.size() <= limits::kEventWord && is_utf8(word) && std::none_of(word.begin(), word.end(), [](char c) { return c == ',' || is_control(c); });
  if (fits) return {};
  return Error{std::string(what) + " is a text of at most " + std::to_string(limits::kEventWord) + " bytes without commas and control characters, found '" + printable(word, limits::kShownValue) + "'", ""};
}

}  // namespace hark
