#include "handlers/steps/forge.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "core/payload.h"
#include "core/printable.h"
#include "handlers/steps/forge_requests.h"
#include "platform/clock.h"
#include "platform/http_client.h"

namespace hark {
namespace {

using ForgeAction = ForgeStepOptions::Action;

bool is_made_of(std::string_view text, std::string_view characters) { return !text.empty() && text.find_first_not_of(characters) == text.npos; }

Status check_wish(const ForgeStepOptions& options, const ForgeWish& wish) {
  const auto no = [](std::string_view key, const std::string& value, std::string_view what) {
    return Status(Error{"`" + std::string(key) + "` is '" + printable(value, limits::kShownValue) + "' with its values put in, which is no " + std::string(what), ""});
  };
  const auto is_blank = [](const std::string& text) { return text.find_first_not_of(" \t\r\n") == text.npos; };
  if (!is_repository(options.forge, wish.api.repository)) return no("repository", wish.api.repository, "repository: expected owner/name");
  switch (options.action) {
    case ForgeAction::comment:
      if (!is_made_of(wish.number, "0123456789")) return no("number", wish.number, "number");
      if (is_blank(wish.body)) return no("body", wish.body, "text");
      break;
    case ForgeAction::open_pull_request:
      if (is_blank(wish.title)) return no("title", wish.title, "text");
      if (is_blank(wish.head)) return no("head", wish.head, "branch");
      if (is_blank(wish.base)) return no("base", wish.base, "branch");
      break;
    case ForgeAction::status:
      if (!is_made_of(wish.commit, "0123456789abcdefABCDEF")) return no("commit", wish.commit, "commit's id");
      if (!is_commit_state(wish.state)) return no("state", wish.state, "state: expected pending, success, failure or error");
      if (is_blank(wish.context)) return no("context", wish.context, "text");
      break;
  }
  return {};
}

Result<ForgeWish> render_forge_wish(const ForgeStepOptions& options, Scope& scope) {
  const auto render = [&](const Template& text) { return text.render([&](std::string_view name) { return scope.value(name); }); };
  ForgeWish wish;
  wish.api = {options.forge, options.api, render(options.repository)};
  wish.number = render(options.number);
  wish.body = render(options.body);
  wish.title = render(options.title);
  wish.head = render(options.head);
  wish.base = render(options.base);
  wish.draft = options.draft;
  wish.commit = render(options.commit);
  wish.state = render(options.state);
  wish.context = render(options.context);
  wish.description = printable(render(options.description), limits::kForgeDescription);
  wish.url = render(options.url);
  if (auto trouble = scope.take_trouble()) return *trouble;
  return wish;
}

ForgeRequest main_request(const ForgeStepOptions& options, const ForgeWish& wish) {
  switch (options.action) {
    case ForgeAction::comment: return create_comment(wish);
    case ForgeAction::open_pull_request: return create_pull_request(wish);
    case ForgeAction::status: return create_status(wish);
  }
  return {};
}

std::string cure_of(int status) {
  switch (status) {
    case 401: return "see that `token` is right and has not run out";
    case 403: return "the token may not do this: give it the right to write to the repository";
    case 404: return "see `repository` and what it names; a token that may not see it is told the same";
    default: return status >= 300 && status < 400 ? "it has moved: mend `repository` or `api`" : "";
  }
}

class ForgeAttempt {
 public:
  ForgeAttempt(const ForgeStepOptions& options, ForgeWish wish, const StepCall& call) : options_(options), wish_(std::move(wish)), call_(call) {}

  StepResult act() {
    switch (options_.action) {
      case ForgeAction::comment: return comment();
      case ForgeAction::open_pull_request: return pull_request();
      case ForgeAction::status: return status();
    }
    return {};
  }

 private:
  using Json = nlohmann::json;

  // False: result_ says why.
  bool send(const ForgeRequest& request) {
    HttpCall http;
    http.method = request.method;
    http.url = request.url;
    http.max_response = limits::kForgePageBytes;
    for (auto& [name, value] : forge_headers(wish_.api, options_.token)) http.headers.add(std::move(name), std::move(value));
    if (!request.body.is_null()) {
      http.body = write_json(request.body);
      http.content_type = "application/json";
    }
    if (call_.deadline) http.timeout = std::max<Duration>(std::chrono::milliseconds(1), *call_.deadline - call_.tools.clock.now().steady);
    auto answer = call_.tools.http.call(http, call_.stop);
    if (!answer) {
      result_.state = state_of_failure(call_);
      if (result_.state == StepState::failed) result_.error = answer.error().text();
      return false;
    }
    answer_ = std::move(*answer);
    if (answer_.status < 200 || answer_.status > 299) return refuse();
    return true;
  }

  bool refuse() {
    const auto message = forge_message(answer_.body);
    result_.state = StepState::failed;
    result_.exit_code = answer_.status;
    result_.is_status = true;
    result_.retry_after = asked_to_wait(answer_.status, answer_.headers, call_.tools.clock.now().wall);
    // GitHub's word for "too often": it is worth another attempt, as 429 is.
    if (answer_.status == 403 && result_.retry_after) result_.exit_code.reset();
    const auto cure = result_.retry_after ? "it is asked too often" : cure_of(answer_.status);
    result_.error = Error{std::string(to_string(wish_.api.forge)) + " answered " + std::to_string(answer_.status) + (message.empty() ? "" : ": " + message), cure}.text();
    return false;
  }

  bool misunderstood(const Error& error) {
    result_.state = StepState::failed;
    result_.error = error.text();
    return false;
  }

  bool read_answer(Json& answer) {
    auto read = parse_json(answer_.body, "the forge's answer");
    if (!read) return misunderstood(read.error());
    if (!read->is_object()) return misunderstood({"the forge's answer is no JSON object", "see that `provider` and `api` belong together"});
    answer = std::move(*read);
    return true;
  }

  StepResult done(Json told, bool created) {
    told["created"] = created;
    result_.exit_code = answer_.status;
    result_.is_status = true;
    keep_output(write_json(told), call_, result_);
    return std::move(result_);
  }

  // The first item of all pages that fits; null: none does. False: as of send().
  template <class List, class Fits>
  bool find(const List& list, const Fits& fits, Json& found) {
    for (int page = 1; page <= limits::kForgePages; ++page) {
      if (!send(list(wish_, page))) return false;
      auto read = read_list(wish_.api, answer_.body, answer_.headers);
      if (!read) return misunderstood(read.error());
      const auto item = std::find_if(read->items.begin(), read->items.end(), fits);
      if (item != read->items.end()) {
        found = *item;
        return true;
      }
      if (!read->more) break;
    }
    return true;
  }

  StepResult comment() {
    const auto forge = wish_.api.forge;
    const bool updates = options_.update_key.has_value();
    const auto key = updates ? "key " + options_.update_key->render([&](std::string_view name) { return call_.scope.value(name); }) : "once " + idempotency_key(call_);
    if (auto trouble = call_.scope.take_trouble()) return failed_for_good(*trouble);
    wish_.marker = comment_marker(forge, options_.token, key);
    Json found;
    if (!find(list_comments, [&](const Json& each) { return each.is_object() && comment_text(forge, each).ends_with(wish_.marker); }, found)) return std::move(result_);
    const bool made = found.is_null();
    if (made || updates) {
      const auto id = made ? Json() : told_of(forge, found)["id"];
      if (!send(made ? create_comment(wish_) : edit_comment(wish_, id.is_string() ? id.get<std::string>() : id.dump())) || !read_answer(found)) return std::move(result_);
    }
    return done(told_of(forge, found), made);
  }

  StepResult pull_request() {
    const auto forge = wish_.api.forge;
    Json found;
    if (!find(list_pull_requests, [&](const Json& each) { return is_wanted(wish_, each); }, found)) return std::move(result_);
    const bool made = found.is_null();
    if (made && (!send(create_pull_request(wish_)) || !read_answer(found))) return std::move(result_);
    const auto told = told_of_pull_request(forge, found);
    if (made && call_.context.tell) {
      const auto& url = told["url"];
      call_.context.tell(lifecycle::PullRequestCreated{lifecycle::of(call_.context.run), wish_.api.repository, url.is_string() ? printable(url.get<std::string>(), limits::kPullRequestUrl) : std::string()});
    }
    return done(told, made);
  }

  StepResult status() {
    Json answer = Json::object();
    if (!send(create_status(wish_))) {
      if (!result_.is_status || !is_there_already(wish_, answer_.status, answer_.body)) return std::move(result_);
      result_ = {};
      return done({{"id", nullptr}, {"url", nullptr}}, false);
    }
    if (!read_answer(answer)) return std::move(result_);
    return done(told_of(wish_.api.forge, answer), true);
  }

  const ForgeStepOptions& options_;
  ForgeWish wish_;
  const StepCall& call_;
  HttpResponse answer_;
  StepResult result_;
};

}  // namespace

bool is_commit_state(std::string_view text) { return text == "pending" || text == "success" || text == "failure" || text == "error"; }

void render(const ForgeStepOptions& options, Scope& scope, RenderedStep& shown) {
  shown.kind = "forge";
  const auto wish = render_forge_wish(options, scope);
  if (!wish) {
    shown.error = wish.error().text();
    return;
  }
  const auto request = main_request(options, *wish);
  shown.text = request.method + " " + request.url + "\n\n" + write_json(request.body);
}

StepResult attempt(const ForgeStepOptions& options, const StepCall& call) {
  auto wish = render_forge_wish(options, call.scope);
  if (!wish) return failed_for_good(wish.error());
  if (const auto fine = check_wish(options, *wish); !fine) return failed_for_good(fine.error());
  return ForgeAttempt(options, std::move(*wish), call).act();
}

}  // namespace hark
