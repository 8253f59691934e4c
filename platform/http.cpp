#include "platform/http.h"

#include <arpa/inet.h>
#include <time.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/hex.h"
#include "core/payload.h"
#include "core/percent.h"
#include "platform/http_response.h"

namespace hark {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// A percent sign that opens no escape stands for itself, as browsers read it.
std::string form_decode(std::string_view text) {
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '+', ' ');
  return percent_decoded(plain);
}

// Calls `visit` with each raw name and value until it answers false.
template <class Visit>
void each_field(std::string_view form, Visit visit) {
  while (!form.empty()) {
    const auto end = form.find('&');
    const auto field = form.substr(0, end);
    form = end == std::string_view::npos ? std::string_view{} : form.substr(end + 1);
    if (field.empty()) continue;
    const auto equals = field.find('=');
    const auto value = equals == std::string_view::npos ? std::string_view{} : field.substr(equals + 1);
    if (!visit(field.substr(0, equals), value)) return;
  }
}

struct HostPort {
  std::string_view host;  // without brackets
  std::string_view port;
  bool literal_v6 = false;
};

std::optional<HostPort> split_host(std::string_view text) {
  HostPort parts;
  if (!text.empty() && text.front() == '[') {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    parts.host = text.substr(1, end - 1);
    parts.literal_v6 = true;
    text.remove_prefix(end + 1);
  } else {
    const auto colon = text.find(':');
    parts.host = text.substr(0, colon);
    text.remove_prefix(std::min(colon, text.size()));
  }
  if (!text.empty()) {
    if (text.front() != ':') return std::nullopt;
    parts.port = text.substr(1);
  }
  if (parts.host.empty() || parts.port.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return parts;
}

// A name that no name server is asked for, or no name at all: what a page cannot have pointed at us.
bool cannot_be_rebound(const HostPort& host) {
  const std::string name(host.host);
  unsigned char address[sizeof(in6_addr)];
  if (host.literal_v6) return inet_pton(AF_INET6, name.c_str(), address) == 1;
  if (inet_pton(AF_INET, name.c_str(), address) == 1) return true;
  constexpr std::string_view kLocal = ".localhost";
  return equal_ignoring_case(name, "localhost") ||
         (name.size() > kLocal.size() && equal_ignoring_case(std::string_view(name).substr(name.size() - kLocal.size()), kLocal));
}

}  // namespace

std::optional<Duration> retry_after(const HttpHeaders& headers, WallTime now) {
  const auto text = headers.get("Retry-After");
  if (!text || text->empty()) return std::nullopt;
  if (text->find_first_not_of("0123456789") == text->npos) {
    constexpr std::size_t kDigits = 9;  // 31 years: beyond any bound of those who ask
    return std::chrono::seconds(text->size() > kDigits ? 999'999'999 : std::stoll(std::string(*text)));
  }
  const std::string written(*text);
  std::tm date{};
  const char* end = ::strptime(written.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return std::max<Duration>(WallTime(std::chrono::seconds(::timegm(&date))) - now, Duration::zero());
}

std::string_view media_type(const HttpHeaders& headers) {
  auto type = headers.get("Content-Type").value_or("");
  type = type.substr(0, type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return type;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string HttpHeaders::joined(std::string_view name) const {
  std::string list;
  for (const auto& [key, value] : entries_) {
    if (equal_ignoring_case(key, name)) list += (list.empty() ? "" : ", ") + value;
  }
  return list;
}

std::optional<std::string_view> HttpHeaders::get(std::string_view name) const {
  for (const auto& [key, value] : entries_) {
    if (equal_ignoring_case(key, name)) return value;
  }
  return std::nullopt;
}

std::size_t HttpHeaders::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return equal_ignoring_case(entry.first, name); }));
}

HttpResponse problem(int status, std::string_view title, std::string_view detail) {
  nlohmann::json body = {{"type", "about:blank"}, {"status", status}};
  body["title"] = title.empty() ? reason_phrase(status) : title;
  if (!detail.empty()) body["detail"] = detail;
  HttpResponse response;
  response.status = status;
  response.body = write_json(body);
  response.content_type = "application/problem+json";
  return response;
}

bool same_site(const HttpRequest& request) {
  if (request.control) return true;
  const auto host = request.headers.get("Host");
  const auto own = host ? split_host(*host) : std::nullopt;
  if (host && (!own || !cannot_be_rebound(*own))) return false;
  // Fetch Metadata: a browser leaves Origin out of some requests that a page of another site made, but says this of them.
  const auto fetch_sites = request.headers.count("Sec-Fetch-Site");
  const auto fetch_site = request.headers.get("Sec-Fetch-Site");
  if (fetch_sites > 1 || (fetch_site && *fetch_site != "same-origin" && *fetch_site != "none")) return false;
  const auto origins = request.headers.count("Origin");
  if (origins == 0) return true;
  if (origins > 1 || !own) return false;

  std::string_view origin = *request.headers.get("Origin");
  std::string_view default_port = "80";
  if (origin.starts_with("https://")) {
    default_port = "443";  // behind a proxy that ends TLS
    origin.remove_prefix(8);
  } else if (origin.starts_with("http://")) {
    origin.remove_prefix(7);
  } else {
    return false;  // "null", an extension's scheme
  }
  const auto theirs = split_host(origin);
  if (!theirs) return false;
  return equal_ignoring_case(theirs->host, own->host) && theirs->literal_v6 == own->literal_v6 &&
         (theirs->port.empty() ? default_port : theirs->port) == (own->port.empty() ? default_port : own->port);
}

std::string traceparent_of(const HttpHeaders& headers) {
  return headers.count("traceparent") == 1 ? checked_traceparent(*headers.get("traceparent")) : std::string();
}

std::string checked_traceparent(std::string_view text) {
  constexpr std::string_view kZeros = "00000000000000000000000000000000";  // "00-<32 hex digits>-<16>-<2>", lower case
  if (text.size() < 55 || text.size() > 512) return {};
  for (std::size_t at = 0; at < 55; ++at) {
    const bool dash = at == 2 || at == 35 || at == 52;
    const bool hex = hex_value(text[at]) >= 0 && (text[at] < 'A' || text[at] > 'F');
    if (dash ? text[at] != '-' : !hex) return {};
  }
  const auto version = text.substr(0, 2);
  if (version == "ff" || text.substr(3, 32) == kZeros || text.substr(36, 16) == kZeros.substr(0, 16)) return {};
  if (text.size() == 55) return std::string(text);
  // A later version may have more behind, of which the first four fields are understood.
  if (version == "00" || text[55] != '-') return {};
  return std::string(text.substr(0, 55));
}

std::optional<std::string> form_value(std::string_view form, std::string_view name) {
  std::optional<std::string> found;
  each_field(form, [&](std::string_view key, std::string_view value) {
    if (form_decode(key) != name) return true;
    found = form_decode(value);
    return false;
  });
  return found;
}

std::vector<std::pair<std::string, std::string>> form_values(std::string_view form) {
  std::vector<std::pair<std::string, std::string>> values;
  each_field(form, [&](std::string_view key, std::string_view value) {
    values.emplace_back(form_decode(key), form_decode(value));
    return true;
  });
  return values;
}

}  // namespace hark
