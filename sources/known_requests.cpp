#include "sources/known_requests.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/payload.h"
#include "sources/marks.h"

namespace hark {
namespace {

// The mark without a name: how far the forge was asked.
std::optional<KnownRequests::Asked> read_asked(const std::string& text) {
  const auto value = nlohmann::json::parse(text, nullptr, false);
  const auto text_of = [&](const char* key) { return value.is_object() && value.contains(key) && value[key].is_string() ? value[key].get<std::string>() : std::string{}; };
  const auto since = from_rfc3339(text_of("since")), seen = from_rfc3339(text_of("seen"));
  if (!since || !seen) return std::nullopt;
  return KnownRequests::Asked{text_of("repository"), *since, *seen};
}

}  // namespace

Status KnownRequests::take_up() {
  const auto marks = marks_.marks_of(source_);
  if (!marks) return marks.error();
  for (const auto& [subject, mark] : *marks) {
    if (subject.empty()) {
      asked_ = read_asked(mark);
    } else if (auto state = state_from_mark(mark)) {
      states_.emplace(subject, std::move(*state));
    }
  }
  taken_up_ = true;
  return {};
}

const PullRequestState* KnownRequests::find(const std::string& subject) const {
  const auto found = states_.find(subject);
  return found == states_.end() ? nullptr : &found->second;
}

std::vector<KnownRequests::Change> KnownRequests::set(const std::string& subject, PullRequestState state) {
  std::vector<Change> changes = {{subject, to_mark(state)}};
  const auto [at, is_new] = states_.insert_or_assign(subject, std::move(state));
  if (is_new && states_.size() > limits::kPullRequests) forget_oldest(changes);
  return changes;
}

// A tenth at once, so that it is not done for each. An open one goes last: it would be told as opened again.
void KnownRequests::forget_oldest(std::vector<Change>& changes) {
  std::vector<const std::pair<const std::string, PullRequestState>*> all;
  for (const auto& each : states_) all.push_back(&each);
  const auto end = all.begin() + std::ptrdiff_t(all.size() / 10);
  std::partial_sort(all.begin(), end, all.end(), [](const auto* a, const auto* b) {
    const auto order = [](const PullRequestState& state) { return std::pair(state.state == PullRequest::State::open, state.updated.value_or(WallTime{})); };
    return order(a->second) < order(b->second);
  });
  std::vector<std::string> names;
  for (auto at = all.begin(); at != end; ++at) names.push_back((*at)->first);
  for (auto& name : names) {
    if (name == changes.front().first) continue;
    states_.erase(name);
    changes.emplace_back(std::move(name), std::string{});
  }
}

void KnownRequests::put_back(const std::string& subject, const std::optional<PullRequestState>& state) {
  if (state) {
    states_.insert_or_assign(subject, *state);
  } else {
    states_.erase(subject);
  }
  note({{subject, state ? to_mark(*state) : std::string{}}});
}

void KnownRequests::note(std::vector<Change> marks) {
  if (!marks.empty()) marks_.note_marks(source_, std::move(marks));
}

void KnownRequests::set_asked(Asked asked) {
  note({{std::string{}, write_json({{"repository", asked.repository}, {"since", to_rfc3339(asked.since)}, {"seen", to_rfc3339(asked.seen)}})}});
  asked_ = std::move(asked);
}

}  // namespace hark
