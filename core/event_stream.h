// Server-sent events as they come over a wire (WHATWG HTML, 9.2.5 and 9.2.6), read piece by piece, cut anywhere: within a line end, a
// character, a field's name. Pure; one stream, one thread.
//
// Only what providers of answers use: `event` and `data`. Ids and reconnection times are for who connects again, which nobody does here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace hark {

struct StreamEvent {
  std::string type;  // "message" where the stream gives it none
  std::string data;  // its lines, joined by line feeds
};

class EventStream {
 public:
  // The events that `piece` completes. One that the stream's end cuts off is none. An Error: an event larger than
  // limits::kStreamEvent; the stream is not to be read further.
  Result<std::vector<StreamEvent>> feed(std::string_view piece);

 private:
  void end_line(std::vector<StreamEvent>& events);

  std::string line_;
  StreamEvent event_;
  bool has_data_ = false;
  bool first_line_ = true;
  bool after_return_ = false;  // a line feed that follows belongs to the line end before it
};

}  // namespace hark
