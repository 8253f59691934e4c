#include "sources/pull_request_state.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "tests/sources/forge_payloads.h"

using namespace hark;
using namespace std::chrono_literals;
using State = PullRequest::State;
using Actions = std::vector<std::string>;

namespace {

PullRequest sample() {
  const auto read = read_pull_request(Forge::github, payloads::github_item(), "");
  REQUIRE(read.ok());
  return *read;
}

PullRequest sample(void (*change)(PullRequest&)) {
  auto request = sample();
  change(request);
  return request;
}

Actions after_sample(void (*change)(PullRequest&)) { return actions_between(state_of(sample()), sample(change)); }

}  // namespace

TEST_CASE("pull request state: webhook and API tell one state as one") {
  for (const auto& pair : payloads::all()) {
    if (pair.item.is_null()) continue;
    CAPTURE(pair.event);
    const auto notice = read_pull_request_notice(pair.forge, pair.event, pair.webhook);
    const auto item = read_pull_request(pair.forge, pair.item, "");
    REQUIRE(notice.ok());
    REQUIRE(item.ok());
    const auto by_webhook = state_of((*notice)->request);
    CHECK(actions_between(by_webhook, *item) == Actions{});
    CHECK(actions_between(state_of(*item), (*notice)->request) == Actions{});
    CHECK(actions_between(state_from_mark(to_mark(state_after(by_webhook, *item))), (*notice)->request) == Actions{});
  }
}

TEST_CASE("pull request state: each change is told by its name") {
  CHECK(after_sample([](PullRequest&) {}) == Actions{});
  CHECK(after_sample([](PullRequest& now) { now.title += "!"; }) == Actions{"edited"});
  CHECK(after_sample([](PullRequest& now) { now.body += "!"; }) == Actions{"edited"});
  CHECK(after_sample([](PullRequest& now) { now.base_ref = "next"; }) == Actions{"edited"});
  CHECK(after_sample([](PullRequest& now) { now.labels.emplace_back("tern"); }) == Actions{"labeled"});
  CHECK(after_sample([](PullRequest& now) { now.labels.pop_back(); }) == Actions{"unlabeled"});
  CHECK(after_sample([](PullRequest& now) { now.labels.back() = "tern"; }) == Actions{"labeled", "unlabeled"});
  CHECK(after_sample([](PullRequest& now) { now.draft = true; }) == Actions{"converted_to_draft"});
  CHECK(after_sample([](PullRequest& now) { now.head_sha[11] = '2'; }) == Actions{"synchronize"});
  CHECK(after_sample([](PullRequest& now) { now.state = State::closed; }) == Actions{"closed"});
  CHECK(after_sample([](PullRequest& now) { now.state = State::merged; }) == Actions{"merged"});
  CHECK(after_sample([](PullRequest& now) { now.url = now.author = now.head_repository = now.base_sha = "x"; }) == Actions{});
  // What belongs to the title does not pass to the text.
  CHECK(after_sample([](PullRequest& now) { now.title += now.body.substr(0, 1), now.body.erase(0, 1); }) == Actions{"edited"});
}

TEST_CASE("pull request state: what happened at once is told in order") {
  const auto change = [](PullRequest& now) {
    now.title = "Other";
    now.labels = {"tern"};
    now.draft = true;
    now.head_sha = std::string(40, '9');
    now.state = State::merged;
  };
  CHECK(after_sample(change) == Actions{"edited", "labeled", "unlabeled", "converted_to_draft", "synchronize", "merged"});
  auto draft = state_of(sample([](PullRequest& now) { now.draft = true, now.state = State::closed; }));
  CHECK(actions_between(draft, sample()) == Actions{"reopened", "ready_for_review"});
}

TEST_CASE("pull request state: of one not known all that counts is where it stands") {
  CHECK(actions_between(std::nullopt, sample()) == Actions{"opened"});
  CHECK(actions_between(std::nullopt, sample([](PullRequest& now) { now.state = State::closed; })) ==
        Actions{"opened", "closed"});
  CHECK(actions_between(std::nullopt, sample([](PullRequest& now) { now.state = State::merged; })) ==
        Actions{"opened", "merged"});
}

TEST_CASE("pull request state: what was true before tells nothing, unless its second is the same") {
  const auto known = state_of(sample([](PullRequest& now) { *now.updated += 900ms; }));
  CHECK(actions_between(known, sample([](PullRequest& now) { now.title = "Old", *now.updated -= 1s; })) == Actions{});
  CHECK(actions_between(known, sample([](PullRequest& now) { now.title = "New"; })) == Actions{"edited"});
  CHECK(actions_between(known, sample([](PullRequest& now) { now.title = "New", now.updated.reset(); })) == Actions{"edited"});
  CHECK(state_after(known, sample([](PullRequest& now) { now.title = "Old", *now.updated -= 1s; })) == known);
  CHECK(state_after(known, sample()).updated == known.updated);
  CHECK(state_after(known, sample([](PullRequest& now) { now.updated.reset(); })).updated == known.updated);
}

TEST_CASE("pull request state: what one of the two leaves out is no difference, and stays known") {
  const auto full = state_of(sample());
  const auto less = sample([](PullRequest& now) {
    now.draft_said = now.labels_said = false;
    now.draft = true;
    now.labels.clear();
    now.head_sha.resize(12);
  });
  CHECK(actions_between(full, less) == Actions{});
  CHECK(state_after(full, less) == full);
  CHECK(actions_between(state_of(less), sample()) == Actions{});
  CHECK(state_after(state_of(less), sample()) == full);
  CHECK(actions_between(full, sample([](PullRequest& now) { now.head_sha.clear(); })) == Actions{});
  CHECK(state_after(full, sample([](PullRequest& now) { now.head_sha.clear(); })) == full);
  // Fewer digits than a forge tells are no commit's beginning.
  CHECK(actions_between(full, sample([](PullRequest& now) { now.head_sha.resize(11); })) == Actions{"synchronize"});
  const auto merged = state_of(sample([](PullRequest& now) { now.state = State::merged; }));
  CHECK(actions_between(merged, sample([](PullRequest& now) { now.state = State::closed; })) == Actions{});
  CHECK(state_after(merged, sample([](PullRequest& now) { now.state = State::closed; })).state == State::merged);
}

TEST_CASE("pull request state: a draft's mark is no edited title, where it is the forge's own") {
  const auto draft =
      sample([](PullRequest& now) { now.draft = now.draft_in_title = true, now.title = "Draft: [WIP] " + now.title; });
  const auto ready = sample([](PullRequest& now) { now.draft_in_title = true; });
  CHECK(actions_between(state_of(draft), ready) == Actions{"ready_for_review"});
  CHECK(actions_between(state_of(ready), draft) == Actions{"converted_to_draft"});
  const auto marked = [](PullRequest& now) { now.title = "Draft: " + now.title; };
  CHECK(after_sample(marked) == Actions{"edited"});
}

TEST_CASE("pull request state: a picture is the same wherever it is said to lie, and another one is another") {
  const auto edited = [](const std::string& before, const std::string& after) {
    auto first = sample();
    auto second = sample();
    first.body = before;
    second.body = after;
    return !actions_between(state_of(first), second).empty();
  };
  CHECK_FALSE(edited("![a](/uploads/1f/a.png)\n", "![a](https://host/g/p/uploads/1f/a.png)\n"));
  CHECK_FALSE(edited("x ![a](a.png) y", "x ![a](https://host/a.png) y"));
  CHECK_FALSE(
      edited("![](/uploads/1/a.png)![](/uploads/2/b.png)", "![](https://h/g/uploads/1/a.png)![](https://h/g/uploads/2/b.png)"));
  CHECK(edited("![a](/uploads/1f/a.png)", "![a](/uploads/2f/a.png)"));
  CHECK(edited("![a](/uploads/1f/a.png)", "![b](/uploads/1f/a.png)"));
  CHECK(edited("[a](/x/1f/a)", "[a](https://host/x/1f/a)"));
  CHECK(edited("![a\n](/x/1f/a)", "![a\n](https://host/x/1f/a)"));
  for (const std::string& open : {std::string("!["), std::string("]("), std::string("![]("), std::string("![](a"),
                                  std::string("![](://"), std::string("![](//)")}) {
    std::string many;
    while (many.size() < limits::kPullRequestBody) many += open;
    CHECK_FALSE(edited(many, many));
  }
}

TEST_CASE("pull request state: a mark is read as it was written, and nothing else is one") {
  for (const auto& request :
       {sample(), sample([](PullRequest& now) { now.labels.clear(), now.updated.reset(), now.head_sha.clear(); }),
        sample([](PullRequest& now) { now.labels_said = now.draft_said = false, now.state = State::merged; }),
        sample([](PullRequest& now) { now.draft = true, now.state = State::closed; })}) {
    const auto mark = to_mark(state_of(request));
    CAPTURE(mark);
    CHECK(mark.find('\n') == mark.npos);
    CHECK(state_from_mark(mark) == state_of(request));
    for (std::size_t i = 0; i < mark.size(); ++i) (void)state_from_mark(mark.substr(0, i));
  }
  auto many = sample();
  for (int i = 0; i < 98; ++i) many.labels.push_back("label " + std::to_string(i));
  many.head_sha = std::string(64, 'a');
  CHECK(to_mark(state_of(many)).size() < limits::kPullRequestMark);
  CHECK(state_from_mark(to_mark(state_of(many))) == state_of(many));

  const std::string head(40, '1');
  const std::string text(16, 'a');
  CHECK(state_from_mark("1 open " + head + " " + text + " ready 5 -").has_value());
  for (const std::string& bad :
       {std::string(), std::string("1"), "2 open " + head + " " + text + " ready 5 -",
        "1 ajar " + head + " " + text + " ready 5 -", "1 open xyz " + text + " ready 5 -", "1 open  " + text + " ready 5 -",
        "1 open " + head + " a ready 5 -", "1 open " + head + " " + text + " maybe 5 -",
        "1 open " + head + " " + text + " ready 5x -", "1 open " + head + " " + text + " ready 5 - ",
        "1 open " + head + " " + text + " ready 5 aaaaaaa", "1 open " + head + " " + text + " ready 5 aaaaaaaa,",
        "1 open " + head + " " + text + " ready 5 bbbbbbbb,aaaaaaaa",
        "1 open " + head + " " + text + " ready 99999999999999999999 -"}) {
    CAPTURE(bad);
    CHECK_FALSE(state_from_mark(bad).has_value());
  }
  CHECK_FALSE(state_from_mark(std::string(1 << 20, ' ')).has_value());
}
