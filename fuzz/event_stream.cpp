// A stream gives the same events wherever it is cut, and no more data than it has.
#include <string>

#include "core/event_stream.h"
#include "fuzz/fuzz.h"

using namespace hark;

namespace {

struct Read {
  std::string text;
  std::size_t bytes = 0;
};

Read read(std::string_view input, std::size_t piece) {
  EventStream stream;
  Read read;
  while (!input.empty()) {
    const auto events = stream.feed(input.substr(0, piece));
    HOLDS(events.ok());  // no input of libFuzzer is as large as the bound
    for (const auto& event : *events) {
      HOLDS(!event.type.empty());
      HOLDS(event.data.find('\r') == std::string::npos);
      read.text += event.type + '\0' + event.data + '\0';
      read.bytes += event.data.size();
    }
    input.remove_prefix(std::min(piece, input.size()));
  }
  return read;
}

}  // namespace

void fuzz(std::string_view input) {
  const auto whole = read(input, input.size() + 1);
  HOLDS(whole.bytes <= input.size());
  for (const std::size_t piece : {1, 2, 3, 7}) HOLDS(read(input, piece).text == whole.text);
}
