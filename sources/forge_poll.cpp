#include "sources/forge_poll.h"

#include <algorithm>
#include <iterator>

#include "core/limits.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/http_client.h"

namespace hark {
namespace {

Error refusal(const ForgeQuestion& question, int status) {
  const std::string said = "it answers " + std::to_string(status);
  switch (status) {
    case 401: return {said, question.token.empty() ? "give `token`" : "see that `token` is right and has not expired"};
    case 403: return {said, "see that `token` may read pull requests there; without one a forge answers few questions an hour"};
    case 404: return {said, "see that `repository` is right and that `token` may read it"};
    case 429: return {said, "it is asked too often: a longer `interval` helps"};
    default: return {said, status >= 500 ? "it is in trouble itself" : "see that `provider`, `repository` and `api` belong together"};
  }
}

class Asking {
 public:
  Asking(const ForgeQuestion& question, HttpClient& client, const Clock& clock, std::stop_token stop)
      : question_(question), client_(client), clock_(clock), stop_(std::move(stop)) {}

  ForgeOutcome changed() {
    ForgeAnswer answer;
    // Of the first question one page is enough: it says how far the forge's own clock is.
    const int pages = question_.seen ? limits::kForgePages : 1;
    for (int number = 1; number <= pages; ++number) {
      auto page = this->page(false, number, number == 1 ? &answer : nullptr);
      if (failure_) return *failure_;
      const bool old = question_.seen && std::any_of(page.requests.begin(), page.requests.end(), [&](const PullRequest& each) { return each.updated && *each.updated < *question_.seen; });
      append(page, answer.changed, answer.unreadable);
      if (!page.more || old) break;
      if (number == pages && question_.seen) answer.unreadable.push_back("more changed than it tells in " + std::to_string(pages) + " pages");
    }
    return answer;
  }

  ForgeOutcome open(ForgeAnswer answer) {
    for (int number = 1; number <= limits::kForgePages; ++number) {
      auto page = this->page(true, number, nullptr);
      if (failure_) return *failure_;
      append(page, answer.open, answer.unreadable);
      if (!page.more) break;
    }
    return answer;
  }

 private:
  // `first`: where the answer's own mark is kept.
  ForgePage page(bool only_open, int number, ForgeAnswer* first) {
    HttpCall call;
    call.url = list_url(question_.api, only_open, number);
    for (auto& [name, value] : forge_headers(question_.api, question_.token)) call.headers.add(std::move(name), std::move(value));
    if (first != nullptr && !question_.etag.empty()) call.headers.add("If-None-Match", question_.etag);
    call.timeout = limits::kForgeTimeout;
    call.max_response = limits::kForgePageBytes;
    const auto response = client_.call(call, stop_);
    if (!response) return fail(response.error());
    if (response->status == 304 && first != nullptr) {
      first->etag = question_.etag;
      return {};
    }
    if (response->status != 200) return fail(refusal(question_, response->status), asked_to_wait(response->status, response->headers, clock_.now().wall));
    auto page = read_page(question_.api, response->body, response->headers);
    if (!page) return fail({"its answer is not understood: " + printable(page.error().message, limits::kStepError), "see that `provider`, `repository` and `api` belong together"});
    if (first != nullptr) first->etag = response->headers.get("ETag").value_or("");
    return std::move(*page);
  }

  ForgePage fail(Error error, std::optional<Duration> wait = std::nullopt) {
    failure_ = ForgeFailure{std::move(error), wait};
    return {};
  }

  static void append(ForgePage& page, std::vector<PullRequest>& requests, std::vector<std::string>& unreadable) {
    std::move(page.requests.begin(), page.requests.end(), std::back_inserter(requests));
    std::move(page.unreadable.begin(), page.unreadable.end(), std::back_inserter(unreadable));
  }

  const ForgeQuestion& question_;
  HttpClient& client_;
  const Clock& clock_;
  const std::stop_token stop_;
  std::optional<ForgeFailure> failure_;
};

}  // namespace

ForgeOutcome ask_forge(const ForgeQuestion& question, HttpClient& client, const Clock& clock, std::stop_token stop) {
  Asking asking(question, client, clock, std::move(stop));
  auto outcome = asking.changed();
  auto* answer = std::get_if<ForgeAnswer>(&outcome);
  return answer == nullptr || question.seen ? outcome : asking.open(std::move(*answer));
}

}  // namespace hark
