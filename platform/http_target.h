// The request-target (RFC 9112, 3.2): what a request line asks for. Pure.
#pragma once

#include <string>
#include <string_view>

namespace hark {

struct HttpTarget {
  std::string path;       // percent-decoded
  std::string query;      // behind '?', as it came
  std::string authority;  // of an absolute form, else empty
};

// Takes "/path?query" and "http://host/path?query". Refuses what can be read in two ways, since a check and the one who acts on
// it would read it differently: broken escapes, escaped NUL, control characters and slashes, dot segments, fragments.
bool parse_http_target(std::string_view target, HttpTarget& into);

}  // namespace hark
