#include "sources/git_pr.h"

#include <algorithm>
#include <exception>
#include <functional>
#include <stop_token>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/backoff.h"
#include "core/hex.h"
#include "core/limits.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/digest.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "sources/forge_poll.h"
#include "sources/known_requests.h"
#include "sources/webhook_answer.h"

namespace hark {
namespace {

std::string subject_of(const PullRequest& request) { return request.repository + "#" + std::to_string(request.number); }

// Forges do not tell names by their case, and the one of the configuration may be written otherwise.
std::string without_case(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return name;
}

// By which it is known.
std::string key_of(const PullRequest& request) { return without_case(subject_of(request)); }

// By the forge's own clock.
WallTime newest(const std::vector<PullRequest>& requests, WallTime least) {
  for (const auto& request : requests) least = std::max(least, request.updated.value_or(least));
  return least;
}

class GitPr final : public Source {
 public:
  GitPr(GitPrOptions options, const GitPrParts& parts) : options_(std::move(options)), parts_(parts), known_(options_.name, parts.marks) {
    if (options_.webhook) receiver_.emplace(*options_.webhook, parts.server, parts.clock);
  }
  ~GitPr() override { stop(); }

  Status start(SourceHost& host) override;
  std::string note() const override { return options_.polling ? "asked every " + to_string(options_.polling->interval) : ""; }
  void stop() override;

 private:
  using Told = std::function<void(const std::vector<Acceptance>&)>;  // of each event, in order; none: there was nothing to tell

  void receive(HttpRequest request, const HttpResponder& answer);
  std::vector<std::string> actions_of(const PullRequestNotice& notice) const;
  void tell(const PullRequestNotice& notice, const std::vector<std::string>& actions, const std::optional<Refusal>& refused, const Told& told);
  void offer(Event event, const std::optional<Refusal>& refused, EventSink::Answer answer);

  bool is_of_known_second(const PullRequest& request) const;
  bool is_unordered(const PullRequest& request) const;
  bool is_asked(const std::string& repository) const;
  void ask_anew();
  void ask_in(Duration pause);
  void ask();
  void answered(ForgeOutcome outcome);
  void tell_all(const ForgeAnswer& answer);
  std::vector<std::string> actions_of(const PullRequest& request, WallTime since) const;
  void note_quietly(const PullRequest& request);
  void asked(const ForgeAnswer& answer, bool all_taken);
  void failed(const ForgeFailure& failure);
  bool first_time() const { return !known_.asked() || known_.asked()->repository != options_.polling->api.repository; }

  const GitPrOptions options_;
  const GitPrParts parts_;
  std::optional<WebhookReceiver> receiver_;
  KnownRequests known_;

  // Of one start.
  SourceHost* host_ = nullptr;
  std::shared_ptr<bool> life_;  // what an answer that comes back must find unchanged
  std::stop_source stop_;
  std::unique_ptr<Timer> timer_;
  std::string etag_;  // of the last answer all of which was told
  int failures_ = 0;  // in a row
  int refusals_ = 0;
  bool degraded_ = false;
  bool asking_ = false;
  bool ask_again_ = false;          // at once, whatever was answered before
  std::set<std::string> touched_;   // by webhooks, since the question under way
};

Status GitPr::start(SourceHost& host) {
  stop();
  if (!known_.taken_up()) {
    if (auto taken = known_.take_up(); !taken) return taken;
  }
  if (receiver_) {
    if (auto started = receiver_->start(host, [this](HttpRequest request, const HttpResponder& answer) { receive(std::move(request), answer); }); !started) return started;
  }
  host_ = &host;
  life_ = std::make_shared<bool>(true);
  stop_ = std::stop_source();
  timer_ = parts_.loop.timer();
  if (options_.polling) ask_in(Duration::zero());
  return {};
}

void GitPr::stop() {
  if (host_ == nullptr) return;
  *life_ = false;
  stop_.request_stop();
  if (receiver_) receiver_->stop();
  timer_.reset();
  host_ = nullptr;
  etag_.clear();
  touched_.clear();
  failures_ = refusals_ = 0;
  degraded_ = asking_ = ask_again_ = false;
}

// ---- webhooks

void GitPr::receive(HttpRequest request, const HttpResponder& answer) {
  const std::string event(first_of(request.headers, receiver_->provider().event_headers));
  const auto body = receiver_->read(request, WebhookBody::by_type, answer);
  if (!body) return;
  const auto notice = read_pull_request_notice(options_.forge, event, body->json());
  if (!notice) {
    const auto& wrong = notice.error().message;
    return receiver_->refuse(request, answer, Refusal::Cause::body, "body: " + wrong, problem(400, {}, wrong));
  }
  if (!*notice) return answer(json_answer(200, {{"ignored", "it tells nothing new of a pull request's own state"}}));
  const auto actions = actions_of(**notice);
  if (!actions.empty() && is_unordered((*notice)->request)) {
    ask_anew();
    return answer(json_answer(202, {{"asking", true}}));
  }
  touched_.insert(key_of((*notice)->request));
  tell(**notice, actions, receiver_->refusal(request, Refusal::Cause::unavailable, "not taken: "), [answer, unchanged = actions.empty()](const std::vector<Acceptance>& all) {
    if (all.empty()) return answer(json_answer(200, {{unchanged ? "unchanged" : "unwanted", true}}));
    answer(all.size() == 1 ? answer_to(all.front()) : answer_to(all));
  });
}

// Forges tell of times in whole seconds, and webhooks come late and in any order: which of two states of one second is the newer one is
// only known by asking.
bool GitPr::is_of_known_second(const PullRequest& request) const {
  const auto* known = known_.find(key_of(request));
  const auto second = [](const std::optional<WallTime>& time) { return time ? std::optional(std::chrono::floor<std::chrono::seconds>(*time)) : std::nullopt; };
  return known != nullptr && known->updated && second(known->updated) == second(request.updated);
}

// While the forge does not answer, the webhook's word has to do.
bool GitPr::is_unordered(const PullRequest& request) const { return is_asked(request.repository) && failures_ == 0 && is_of_known_second(request); }

bool GitPr::is_asked(const std::string& repository) const {
  return options_.polling && !first_time() && without_case(repository) == without_case(known_.asked()->repository);
}

void GitPr::ask_anew() {
  ask_again_ = true;
  if (!asking_) ask_in(Duration::zero());
}

// What it says itself of a request that nothing was known of, unless that was made since the forge was asked first: then what happened
// before this was not told to anybody.
std::vector<std::string> GitPr::actions_of(const PullRequestNotice& notice) const {
  const auto* known = known_.find(key_of(notice.request));
  if (known != nullptr) return actions_between(*known, notice.request);
  const bool is_new = is_asked(notice.request.repository) && notice.request.created && *notice.request.created >= known_.asked()->since;
  return is_new ? actions_between(std::nullopt, notice.request) : std::vector{notice.action};
}

// ---- telling

// The state is known from now on, so that who brings the same news meanwhile finds nothing new; where one of the events is refused it is put
// back, and all of them are told again with the same keys.
void GitPr::tell(const PullRequestNotice& notice, const std::vector<std::string>& actions, const std::optional<Refusal>& refused, const Told& told) {
  const auto key = key_of(notice.request);
  const auto* found = known_.find(key);
  const auto before = found != nullptr ? std::optional(*found) : std::nullopt;
  const auto after = state_after(before, notice.request);
  const auto fingerprint = to_hex(hmac(Hash::sha256, "git_pr", {before ? to_mark(*before) : std::string{}, "\n", to_mark(after)})).substr(0, 16);
  auto marks = known_.set(key, after);

  std::vector<Event> events;
  for (const auto& action : actions) {
    if (!options_.events.empty() && !options_.events.contains(action)) continue;
    Event event;
    event.type = "git_pr";
    event.source = options_.name;
    event.subject = subject_of(notice.request);
    event.time = parts_.clock.now().wall;
    event.data = pull_request_data(options_.forge, {action, notice.sender, notice.request});
    event.dedupe_key = "git_pr/" + options_.name + "/" + key + "/" + action + "/" + fingerprint;
    events.push_back(std::move(event));
  }
  if (events.empty()) {
    if (before != after) known_.note(std::move(marks));
    return told({});
  }
  events.back().marks = std::move(marks);

  struct Gathered {
    std::vector<Acceptance> all;
    std::size_t open;
  };
  const auto gathered = std::make_shared<Gathered>(Gathered{std::vector<Acceptance>(events.size()), events.size()});
  for (std::size_t i = 0; i < events.size(); ++i) {
    offer(std::move(events[i]), refused, [this, life = life_, gathered, i, key, before, told](const Acceptance& acceptance) {
      gathered->all[i] = acceptance;
      if (--gathered->open > 0) return;
      const bool all_taken = std::all_of(gathered->all.begin(), gathered->all.end(), [](const auto& each) { return each.taken(); });
      if (!all_taken && *life) known_.put_back(key, before);
      told(gathered->all);
    });
  }
}

void GitPr::offer(Event event, const std::optional<Refusal>& refused, EventSink::Answer answer) {
  if (refused) return receiver_->offer(std::move(event), *refused, std::move(answer));
  host_->offer(std::move(event), std::move(answer));
}

// ---- polling

void GitPr::ask_in(Duration pause) {
  timer_->at(parts_.clock.now().steady + pause, [this] { ask(); });
}

void GitPr::ask() {
  asking_ = true;
  touched_.clear();
  if (std::exchange(ask_again_, false)) etag_.clear();
  ForgeQuestion question{options_.polling->api, options_.polling->token, first_time() ? std::nullopt : std::optional(known_.asked()->seen), etag_};
  // The client outlives the workers; `life` is looked at on the loop only, and says there whether `this` is still one to touch.
  parts_.workers.post([question = std::move(question), &client = parts_.client, &clock = parts_.clock, &loop = parts_.loop, stop = stop_.get_token(), life = life_, this]() mutable {
    auto outcome = std::make_shared<ForgeOutcome>(ForgeFailure{});
    try {
      *outcome = ask_forge(question, client, clock, std::move(stop));
    } catch (const std::exception& failure) {
      *outcome = ForgeFailure{{failure.what(), {}}, std::nullopt};
    }
    loop.post([life = std::move(life), outcome, this] {
      if (*life) answered(std::move(*outcome));
    });
  });
}

void GitPr::answered(ForgeOutcome outcome) {
  asking_ = false;
  if (const auto* failure = std::get_if<ForgeFailure>(&outcome)) return failed(*failure);
  const auto& answer = std::get<ForgeAnswer>(outcome);
  const auto life = life_;
  failures_ = 0;
  if (!answer.unreadable.empty()) {
    degraded_ = true;
    host_->degraded({"pull requests of " + options_.polling->api.repository + ": " + counted(answer.unreadable.size(), "answer") + " could not be taken, the first: " + answer.unreadable.front(), "see whether `api` is one of that provider's"});
  } else if (std::exchange(degraded_, false)) {
    host_->healthy();
  }
  if (*life) tell_all(answer);
}

// Oldest first, as it happened.
void GitPr::tell_all(const ForgeAnswer& answer) {
  struct Outstanding {
    std::size_t open = 1;  // this loop itself
    bool all_taken = true;
  };
  const auto outstanding = std::make_shared<Outstanding>();
  const auto settle = [this, life = life_, outstanding, answer](bool taken) {
    outstanding->all_taken = outstanding->all_taken && taken;
    if (--outstanding->open == 0 && *life) asked(answer, outstanding->all_taken);
  };
  const auto each = [&](const PullRequest& request, WallTime since) {
    const auto actions = actions_of(request, since);
    if (actions.empty()) return note_quietly(request);
    if (touched_.contains(key_of(request)) && is_of_known_second(request)) {
      ask_again_ = true;  // a webhook came while this was under way
      return;
    }
    ++outstanding->open;
    tell({{}, {}, request}, actions, std::nullopt, [settle](const std::vector<Acceptance>& all) {
      settle(std::all_of(all.begin(), all.end(), [](const auto& acceptance) { return acceptance.taken(); }));
    });
  };
  if (first_time()) {
    // They are known from now on, but one that was made between the two questions.
    const auto since = newest(answer.changed, WallTime{});
    for (const auto& request : answer.changed) each(request, WallTime::max());
    for (const auto& request : answer.open) each(request, since);
  } else {
    std::for_each(answer.changed.rbegin(), answer.changed.rend(), [&](const auto& request) { each(request, known_.asked()->since); });
  }
  settle(true);
}

// `since`: what was made before and is not known was closed when the forge was first asked, or is only known from now on.
std::vector<std::string> GitPr::actions_of(const PullRequest& request, WallTime since) const {
  if (const auto* known = known_.find(key_of(request))) return actions_between(*known, request);
  if (request.created && *request.created >= since) return actions_between(std::nullopt, request);
  return first_time() || request.state != PullRequest::State::open ? std::vector<std::string>{} : std::vector<std::string>{"reopened"};
}

// One that was closed long ago is not remembered.
void GitPr::note_quietly(const PullRequest& request) {
  const auto key = key_of(request);
  const auto* known = known_.find(key);
  if (known == nullptr && request.state != PullRequest::State::open && !first_time()) return;
  const auto before = known != nullptr ? std::optional(*known) : std::nullopt;
  auto after = state_after(before, request);
  if (before != after) known_.note(known_.set(key, std::move(after)));
}

void GitPr::asked(const ForgeAnswer& answer, bool all_taken) {
  if (!all_taken) {
    return ask_in(Backoff{limits::kOfferRetryFirst, limits::kOfferRetryMax, 0}.pause(++refusals_, 0));
  }
  refusals_ = 0;
  etag_ = answer.unreadable.empty() ? answer.etag : "";  // what could not be taken is in trouble until it can
  const auto seen = newest(answer.changed, first_time() ? WallTime{} : known_.asked()->seen);
  if (first_time()) {
    known_.set_asked({options_.polling->api.repository, seen, seen});
  } else if (seen != known_.asked()->seen) {
    known_.set_asked({known_.asked()->repository, known_.asked()->since, seen});
  }
  ask_in(ask_again_ ? Duration::zero() : options_.polling->interval);
}

void GitPr::failed(const ForgeFailure& failure) {
  const auto interval = options_.polling->interval;
  const Duration pause = Backoff{interval, std::max<Duration>(interval, limits::kForgePauseMax), 0}.pause(++failures_, 0);
  ask_in(std::max(pause, failure.wait.value_or(Duration::zero())));
  degraded_ = true;
  auto cure = failure.error.cure;
  if (failure.wait) cure += (cure.empty() ? "" : "; ") + std::string("it asks for a pause of ") + to_string(std::chrono::ceil<std::chrono::seconds>(*failure.wait));
  host_->degraded({"pull requests of " + options_.polling->api.repository + " cannot be asked for: " + failure.error.message, cure});
}

}  // namespace

std::unique_ptr<Source> make_git_pr(GitPrOptions options, const GitPrParts& parts) { return std::make_unique<GitPr>(std::move(options), parts); }

}  // namespace hark
