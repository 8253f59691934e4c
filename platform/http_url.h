// The parts of a URL that a call needs (RFC 3986, http and https only). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace hark {

struct HttpUrl {
  bool tls = false;
  std::string host;  // without brackets
  std::uint16_t port = 0;
  std::string target;  // path and query, as they go on the wire; spaces and bytes beyond ASCII escaped

  std::string authority() const;  // for the Host header: the port only where it is not the scheme's
};

Result<HttpUrl> parse_http_url(std::string_view url);

// Where a reference leads that a server at `base` gave (RFC 3986, 5.2; a Location header): an absolute URL. An Error: one of another scheme, or
// none at all.
Result<std::string> resolve_url(std::string_view base, std::string_view reference);

// Just "/path?query". False: control characters, which could end the request line.
bool escape_target(std::string_view raw, std::string& target);

}  // namespace hark
