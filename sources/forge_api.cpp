#include "sources/forge_api.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/payload.h"
#include "core/printable.h"
#include "sources/json_look.h"

namespace hark {
namespace {

// Bitbucket gives 50 of pull requests at most, Gitea 50 unless its owner says otherwise.
std::size_t page_size(Forge forge) {
  return forge == Forge::github || forge == Forge::gitlab ? limits::kForgePage : limits::kForgePage / 2;
}

// What an answer that is no list says of itself.
Error no_list(const JsonLook& answer) {
  const auto message = answer["message"].string() ? answer["message"].string() : answer["error"]["message"].string();
  const auto said = message ? ": " + printable(*message, limits::kShownValue) : std::string();
  return Error{"the forge's answer is no list of pull requests" + said, {}};
}

}  // namespace

std::string list_url(const ForgeApi& api, bool only_open, int page) {
  const auto paged = std::to_string(page_size(api.forge)) + "&page=" + std::to_string(std::max(page, 1));
  switch (api.forge) {
    case Forge::github:
      return repository_url(api) + "/pulls?state=" + (only_open ? "open" : "all") +
             "&sort=updated&direction=desc&per_page=" + paged;
    case Forge::gitlab:
      return repository_url(api) +
             "/merge_requests?state=" + (only_open ? "opened" : "all") + "&order_by=updated_at&sort=desc&per_page=" + paged;
    case Forge::gitea:
      return repository_url(api) + "/pulls?state=" + (only_open ? "open" : "all") +
             "&sort=recentupdate&limit=" + paged;
    case Forge::bitbucket:
      return repository_url(api) + "/pullrequests?state=OPEN" +
             (only_open ? "" : "&state=MERGED&state=DECLINED&state=SUPERSEDED") + "&sort=-updated_on&pagelen=" + paged;
  }
  return {};
}

Result<ForgePage> read_page(const ForgeApi& api, std::string_view body, const HttpHeaders& headers) {
  if (body.size() > limits::kForgePageBytes)
    return Error{"the forge's answer is larger than " + std::to_string(limits::kForgePageBytes) + " bytes", {}};
  const auto parsed = parse_json(body, "the forge's answer");
  if (!parsed) return parsed.error();
  const JsonLook answer(*parsed);
  const bool bitbucket = api.forge == Forge::bitbucket;
  const auto items = bitbucket ? answer["values"] : answer;
  if (!items.value().is_array()) return no_list(answer);

  ForgePage page;
  for (const auto& item : items.list()) {
    if (page.requests.size() + page.unreadable.size() == limits::kForgePage) break;
    auto request = read_pull_request(api.forge, item, api.repository);
    if (request) {
      page.requests.push_back(std::move(*request));
    } else {
      page.unreadable.push_back(request.error().message);
    }
  }
  const auto link = headers.joined("Link");
  page.more = link.empty() ? items.list().size() >= page_size(api.forge) : link.find("rel=\"next\"") != link.npos;
  if (bitbucket) page.more = !answer["next"].string().value_or("").empty();
  return page;
}

}  // namespace hark
