#include "core/event_stream.h"

#include <utility>

#include "core/limits.h"

namespace hark {

Result<std::vector<StreamEvent>> EventStream::feed(std::string_view piece) {
  std::vector<StreamEvent> events;
  while (!piece.empty()) {
    if (std::exchange(after_return_, false) && piece.front() == '\n') {
      piece.remove_prefix(1);
      continue;
    }
    const auto end = piece.find_first_of("\r\n");
    line_ += piece.substr(0, end);
    if (line_.size() + event_.data.size() > limits::kStreamEvent) {
      return Error{"an event of the stream is larger than " + std::to_string(limits::kStreamEvent) + " bytes", ""};
    }
    if (end == std::string_view::npos) break;
    after_return_ = piece[end] == '\r';
    piece.remove_prefix(end + 1);
    end_line(events);
  }
  return events;
}

void EventStream::end_line(std::vector<StreamEvent>& events) {
  std::string_view line = line_;
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (std::exchange(first_line_, false) && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  if (line.empty()) {
    if (has_data_) {
      if (event_.type.empty()) event_.type = "message";
      events.push_back(std::move(event_));
    }
    event_ = {};
    has_data_ = false;
  } else {
    const auto colon = line.find(':');
    const auto name = line.substr(0, colon);
    auto value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (name == "event") event_.type = value;
    if (name == "data") {
      if (std::exchange(has_data_, true)) event_.data += '\n';
      event_.data += value;
    }
  }
  line_.clear();
}

}  // namespace hark
