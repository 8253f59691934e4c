#include "handlers/steps/redirect.h"

#include <string>
#include <utility>

#include "platform/http.h"
#include "platform/http_url.h"

namespace hark {
namespace {

bool same_origin(const std::string& a, const std::string& b) {
  const auto from = parse_http_url(a), to = parse_http_url(b);
  return from && to && from->tls == to->tls && equal_ignoring_case(from->host, to->host) && from->port == to->port;
}

}  // namespace

bool is_redirect(int status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

Result<HttpCall> redirected(HttpCall call, const HttpResponse& answer) {
  const auto location = answer.headers.get("Location");
  if (!location) return Error{"status " + std::to_string(answer.status) + " without a Location", {}};
  const auto url = resolve_url(call.url, *location);
  if (!url) return Error{"it leads to a place that cannot be called: " + url.error().message, {}};
  if (equal_ignoring_case(call.url.substr(0, 6), "https:") && !equal_ignoring_case(url->substr(0, 6), "https:")) return Error{"it leads from https to http", "name the address that is meant"};
  const bool becomes_get = answer.status == 303 || ((answer.status == 301 || answer.status == 302) && call.method == "POST");
  if (becomes_get && call.method != "HEAD") {
    call.method = "GET";
    call.body.clear();
    call.content_type.clear();
  }
  if (!same_origin(call.url, *url)) {
    HttpHeaders kept;
    for (const auto& [name, value] : call.headers.entries()) {
      if (equal_ignoring_case(name, "Accept") || equal_ignoring_case(name, "User-Agent")) kept.add(name, value);
    }
    call.headers = std::move(kept);
  }
  call.url = *url;
  return call;
}

}  // namespace hark
