#include "platform/http_url.h"

#include <algorithm>
#include <charconv>

#include "core/percent.h"
#include "platform/http.h"

namespace hark {

namespace {

bool plain_host(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
           c == ':' || c == '%';
  });
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

namespace {

// RFC 3986, 5.2.4.
std::string without_dot_segments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const auto end = std::min(path.find('/', 1), path.size());
    const auto segment = path.substr(0, end);  // "/x"
    path.remove_prefix(end);
    if (segment == "/..") out.resize(out.find_last_of('/') == std::string::npos ? 0 : out.find_last_of('/'));
    const bool dots = segment == "/." || segment == "/..";
    if (!dots) {
      out += segment;
    } else if (path.empty()) {
      out += '/';
    }
  }
  return out;
}

}  // namespace

Result<std::string> resolve_url(std::string_view base, std::string_view reference) {
  const auto scheme_end = base.find("://");
  if (scheme_end == base.npos) return Error{"the base is no URL", {}};
  const auto first = reference.find_first_of(":/?#");
  std::string url;
  if (first != reference.npos && reference[first] == ':') {
    url = reference;
  } else if (reference.starts_with("//")) {
    url = std::string(base.substr(0, scheme_end + 1)) + std::string(reference);
  } else {
    base = base.substr(0, base.find('#'));
    const auto path_begin = std::min(base.find_first_of("/?", scheme_end + 3), base.size());
    const auto query_begin = std::min(base.find('?', path_begin), base.size());
    const auto path = base.substr(path_begin, query_begin - path_begin);
    url = base.substr(0, path_begin);
    if (reference.empty() || reference.front() == '#') {
      url = base;
    } else if (reference.front() == '?') {
      url += std::string(path.empty() ? "/" : path) + std::string(reference);
    } else {
      const auto query = std::min(reference.find_first_of("?#"), reference.size());
      auto merged = std::string(reference.substr(0, query));
      if (reference.front() != '/') merged = (path.empty() ? "/" : std::string(path.substr(0, path.rfind('/') + 1))) + merged;
      url += without_dot_segments(merged) + std::string(reference.substr(query));
    }
  }
  if (const auto parts = parse_http_url(url); !parts) return parts.error();
  return url;
}

}  // namespace hark
