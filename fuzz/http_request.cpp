// A request is read alike in one piece and byte by byte: whoever sits in front of hark must not read another one (request smuggling).
#include "platform/http_parser.h"

#include <string>

#include "fuzz/fuzz.h"

using namespace hark;

namespace {

struct Read {
  int failure = 0;
  bool complete = false;
  std::size_t used = 0;
  std::string method, path, query, body;
  friend bool operator==(const Read&, const Read&) = default;
};

Read read(std::string_view input, std::size_t piece) {
  HttpParser parser(4096);
  Read result;
  bool limited = false;
  std::size_t offered = 0;
  while (!parser.complete() && parser.failure() == 0) {
    if (offered < input.size()) offered = std::min(offered + piece, input.size());
    const auto taken = parser.put(input.substr(result.used, offered - result.used));
    HOLDS(taken <= offered - result.used);
    result.used += taken;
    if (parser.failure() == 0 && parser.head_done() && !limited) {
      limited = true;
      parser.set_max_body(1000);
      continue;
    }
    if (taken == 0 && offered == input.size()) break;
  }
  result.failure = parser.failure();
  result.complete = parser.complete();
  if (result.complete) {
    HOLDS(parser.body_size() <= 1000);
    auto& request = parser.request();
    result.method = request.method;
    result.path = request.path;
    result.query = request.query;
    result.body = request.body;
    HOLDS(result.path.starts_with('/') || result.path == "*");
    HOLDS((result.path + "/").find("/../") == std::string::npos);
  }
  return result;
}

}  // namespace

void fuzz(std::string_view input) {
  const auto whole = read(input, input.size() + 1);
  const auto pieces = read(input, 1);
  if (!whole.complete) return HOLDS(!pieces.complete);  // when it is seen to be wrong, and how much of it was read, differs
  HOLDS(whole == pieces);
}
