#include "handlers/steps/forge_requests.h"

#include "core/hex.h"
#include "core/limits.h"
#include "core/payload.h"
#include "core/percent.h"
#include "core/printable.h"
#include "platform/digest.h"

namespace hark {
namespace {

using Json = nlohmann::json;

const Json& at(const Json& value, std::initializer_list<const char*> path) {
  static const Json none;
  const Json* here = &value;
  for (const char* name : path) {
    const auto found = here->is_object() ? here->find(name) : here->end();
    if (!here->is_object() || found == here->end()) return none;
    here = &*found;
  }
  return *here;
}

std::string text_at(const Json& value, std::initializer_list<const char*> path) {
  const Json& found = at(value, path);
  return found.is_string() ? found.get<std::string>() : std::string();
}

std::string comments_url(const ForgeWish& wish) {
  const auto root = repository_url(wish.api);
  switch (wish.api.forge) {
    case Forge::github:
    case Forge::gitea: return root + "/issues/" + wish.number + "/comments";
    case Forge::gitlab: return root + "/merge_requests/" + wish.number + "/notes";
    case Forge::bitbucket: return root + "/pullrequests/" + wish.number + "/comments";
  }
  return {};
}

std::string pull_requests_url(const ForgeApi& api) {
  switch (api.forge) {
    case Forge::github:
    case Forge::gitea: return repository_url(api) + "/pulls";
    case Forge::gitlab: return repository_url(api) + "/merge_requests";
    case Forge::bitbucket: return repository_url(api) + "/pullrequests";
  }
  return {};
}

// "page=2&per_page=100", in the forge's words. Bitbucket gives 50 of pull requests at most, Gitea 50 unless its owner says otherwise.
std::string paged(Forge forge, int page) {
  const bool whole = forge == Forge::github || forge == Forge::gitlab;
  const auto size = std::to_string(whole ? limits::kForgePage : limits::kForgePage / 2);
  return (whole ? "per_page=" : forge == Forge::gitea ? "limit=" : "pagelen=") + size + "&page=" + std::to_string(page);
}

Json comment_body(const ForgeWish& wish) {
  const auto text = wish.body + "\n\n" + wish.marker;
  return wish.api.forge == Forge::bitbucket ? Json{{"content", {{"raw", text}}}} : Json{{"body", text}};
}

std::string state_word(Forge forge, const std::string& state) {
  const bool failed = state == "failure" || state == "error";
  if (forge == Forge::gitlab) return failed ? "failed" : state;
  if (forge == Forge::bitbucket) return state == "pending" ? "INPROGRESS" : state == "success" ? "SUCCESSFUL" : "FAILED";
  return state;
}

}  // namespace

std::string comment_marker(Forge forge, std::string_view token, std::string_view key) {
  const auto digest = to_hex(hmac(Hash::sha256, token, {"hark comment ", key})).substr(0, 32);
  return forge == Forge::bitbucket ? "[//]: # (hark " + digest + ")" : "<!-- hark " + digest + " -->";
}

ForgeRequest list_comments(const ForgeWish& wish, int page) {
  // Gitea gives all at once.
  return {"GET", comments_url(wish) + (wish.api.forge == Forge::gitea ? "" : "?" + paged(wish.api.forge, page) + (wish.api.forge == Forge::gitlab ? "&sort=asc" : "")), {}};
}

ForgeRequest create_comment(const ForgeWish& wish) { return {"POST", comments_url(wish), comment_body(wish)}; }

ForgeRequest edit_comment(const ForgeWish& wish, const std::string& id) {
  const bool of_repository = wish.api.forge == Forge::github || wish.api.forge == Forge::gitea;
  const auto url = of_repository ? repository_url(wish.api) + "/issues/comments/" + id : comments_url(wish) + "/" + id;
  return {of_repository ? "PATCH" : "PUT", url, comment_body(wish)};
}

ForgeRequest list_pull_requests(const ForgeWish& wish, int page) {
  const auto& api = wish.api;
  auto url = pull_requests_url(api) + "?state=" + (api.forge == Forge::gitlab ? "opened" : api.forge == Forge::bitbucket ? "OPEN" : "open");
  if (api.forge == Forge::github) {
    const auto head = wish.head.find(':') == wish.head.npos ? api.repository.substr(0, api.repository.find('/')) + ":" + wish.head : wish.head;
    url += "&head=" + percent_encoded(head) + "&base=" + percent_encoded(wish.base);
  }
  if (api.forge == Forge::gitlab) url += "&source_branch=" + percent_encoded(wish.head) + "&target_branch=" + percent_encoded(wish.base);
  return {"GET", url + "&" + paged(api.forge, page), {}};
}

ForgeRequest create_pull_request(const ForgeWish& wish) {
  const auto url = pull_requests_url(wish.api);
  switch (wish.api.forge) {
    case Forge::github: return {"POST", url, {{"title", wish.title}, {"body", wish.body}, {"head", wish.head}, {"base", wish.base}, {"draft", wish.draft}}};
    case Forge::gitea: return {"POST", url, {{"title", (wish.draft ? "WIP: " : "") + wish.title}, {"body", wish.body}, {"head", wish.head}, {"base", wish.base}}};
    case Forge::gitlab:
      return {"POST", url, {{"title", (wish.draft ? "Draft: " : "") + wish.title}, {"description", wish.body}, {"source_branch", wish.head}, {"target_branch", wish.base}}};
    case Forge::bitbucket:
      return {"POST", url,
              {{"title", wish.title},
               {"description", wish.body},
               {"source", {{"branch", {{"name", wish.head}}}}},
               {"destination", {{"branch", {{"name", wish.base}}}}},
               {"draft", wish.draft}}};
  }
  return {};
}

ForgeRequest create_status(const ForgeWish& wish) {
  const auto& api = wish.api;
  const auto root = repository_url(api);
  const auto state = state_word(api.forge, wish.state);
  Json body;
  if (api.forge == Forge::bitbucket) {
    body = {{"key", wish.context}, {"state", state}, {"name", wish.context}};
    if (!wish.url.empty()) body["url"] = wish.url;
  } else {
    body = {{"state", state}, {"context", wish.context}};
    if (!wish.url.empty()) body["target_url"] = wish.url;
  }
  if (!wish.description.empty()) body["description"] = wish.description;
  return {"POST", api.forge == Forge::bitbucket ? root + "/commit/" + wish.commit + "/statuses/build" : root + "/statuses/" + wish.commit, body};
}

Result<ForgeList> read_list(const ForgeApi& api, std::string_view body, const HttpHeaders& headers) {
  auto answer = parse_json(body, "the forge's answer");
  if (!answer) return answer.error();
  ForgeList list;
  list.items = api.forge == Forge::bitbucket ? at(*answer, {"values"}) : *answer;
  if (!list.items.is_array()) return Error{"the forge's answer is no list", "see that `provider` and `api` belong together"};
  const auto link = headers.joined("Link");
  list.more = link.find("rel=\"next\"") != link.npos || !text_at(*answer, {"next"}).empty();
  return list;
}

std::string comment_text(Forge forge, const Json& comment) { return forge == Forge::bitbucket ? text_at(comment, {"content", "raw"}) : text_at(comment, {"body"}); }

bool is_wanted(const ForgeWish& wish, const Json& request) {
  switch (wish.api.forge) {
    case Forge::github:
    case Forge::gitea: {
      const auto owner = wish.head.find(':');
      const bool same_branch = text_at(request, {"head", "ref"}) == wish.head.substr(owner == wish.head.npos ? 0 : owner + 1);
      const auto whose = text_at(request, {"head", "repo", "owner", "login"});
      const auto wanted = owner == wish.head.npos ? wish.api.repository.substr(0, wish.api.repository.find('/')) : wish.head.substr(0, owner);
      return same_branch && equal_ignoring_case(whose, wanted) && text_at(request, {"base", "ref"}) == wish.base;
    }
    case Forge::gitlab:
      return text_at(request, {"source_branch"}) == wish.head && text_at(request, {"target_branch"}) == wish.base && at(request, {"source_project_id"}) == at(request, {"target_project_id"});
    case Forge::bitbucket:
      return text_at(request, {"source", "branch", "name"}) == wish.head && text_at(request, {"destination", "branch", "name"}) == wish.base &&
             equal_ignoring_case(text_at(request, {"source", "repository", "full_name"}), wish.api.repository);
  }
  return false;
}

Json told_of(Forge forge, const Json& answer) {
  const Json& page = forge == Forge::bitbucket ? at(answer, {"links", "html", "href"}) : at(answer, {forge == Forge::gitlab ? "web_url" : "html_url"});
  return {{"id", forge == Forge::bitbucket && answer.contains("uuid") ? at(answer, {"uuid"}) : at(answer, {"id"})}, {"url", page.is_null() ? at(answer, {"url"}) : page}};
}

Json told_of_pull_request(Forge forge, const Json& answer) {
  auto told = told_of(forge, answer);
  told["number"] = at(answer, {forge == Forge::gitlab ? "iid" : forge == Forge::bitbucket ? "id" : "number"});
  return told;
}

std::string forge_message(std::string_view body) {
  const auto answer = parse_json(body, "the forge's answer");
  if (!answer || !answer->is_object()) return {};
  std::string said;
  const auto add = [&](const Json& value) {
    if (value.is_null()) return;
    const auto text = value.is_string() ? value.get<std::string>() : write_json(value);
    if (!text.empty()) said += (said.empty() ? "" : "; ") + text;
  };
  add(at(*answer, {"message"}));
  add(at(*answer, {"error", "message"}));                         // Bitbucket
  if (at(*answer, {"error"}).is_string()) add(at(*answer, {"error"}));  // GitLab
  if (at(*answer, {"errors"}).is_array()) {
    for (const Json& error : at(*answer, {"errors"})) add(at(error, {"message"}).is_null() ? error : at(error, {"message"}));
  }
  return printable(said, limits::kForgeMessage);
}

bool is_there_already(const ForgeWish& wish, int status, std::string_view body) {
  if (wish.api.forge != Forge::gitlab || status != 400) return false;
  const auto message = forge_message(body);
  return message.starts_with("Cannot transition status via ") && message.find(" from :" + state_word(Forge::gitlab, wish.state) + " ") != message.npos;
}

}  // namespace hark
