#include "platform/http_url.h"

#include <algorithm>
#include <charconv>

#include "platform/http.h"

namespace hark {

namespace {

bool plain_host(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
           c == ':' || c == '%';
  });
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

void append_escaped(std::string& text, char c) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  text += {'%', kHex[byte >> 4], kHex[byte & 15]};
}

}  // namespace

std::string HttpUrl::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) text += ":" + std::to_string(port);
  return text;
}

bool escape_target(std::string_view raw, std::string& target) {
  target = raw.empty() || raw.front() != '/' ? "/" : "";
  for (const char c : raw.substr(0, raw.find('#'))) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return false;
    if (byte == ' ' || byte > 0x7f) {
      append_escaped(target, c);
    } else {
      target += c;
    }
  }
  return true;
}

Result<HttpUrl> parse_http_url(std::string_view url) {
  HttpUrl parts;
  const auto scheme_end = url.find("://");
  const auto scheme = url.substr(0, std::min(scheme_end, url.size()));
  if (scheme_end == std::string_view::npos || !(equal_ignoring_case(scheme, "http") || equal_ignoring_case(scheme, "https"))) {
    return Error{"the URL begins with neither http:// nor https://", "write it as http://host:port/path"};
  }
  parts.tls = scheme.size() == 5;
  parts.port = parts.tls ? 443 : 80;
  url.remove_prefix(scheme_end + 3);

  auto authority = url.substr(0, std::min(url.find_first_of("/?#"), url.size()));
  const auto target = url.substr(authority.size());
  if (authority.find('@') != std::string_view::npos) {
    return Error{"the URL holds a user name or password", "send them in an Authorization header"};
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end != std::string_view::npos) {  // else the host stays empty
      parts.host = authority.substr(1, end - 1);
      authority.remove_prefix(end + 1);
    }
  } else {
    const auto colon = std::min(authority.find(':'), authority.size());
    parts.host = authority.substr(0, colon);
    authority.remove_prefix(colon);
    if (parts.host.find('%') != std::string::npos) parts.host.clear();
  }
  if (!plain_host(parts.host)) return Error{"the URL has no well-formed host", "write it as http://host:port/path"};
  if (!authority.empty()) {
    port = authority.substr(1);
    const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), parts.port);
    if (authority.front() != ':' || code != std::errc() || end != port.data() + port.size() || parts.port == 0) {
      return Error{"the URL's port is no number from 1 to 65535", "write it as http://host:port/path"};
    }
  }
  if (!escape_target(target, parts.target)) return Error{"the URL holds a control character", "percent-escape it"};
  return parts;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      append_escaped(out, c);
    }
  }
  return out;
}

}  // namespace hark
