#include "sources/git_movement.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/change_json.h"
#include "core/limits.h"

namespace hark {
namespace {

using nlohmann::json;

bool wanted(const GitReadRequest& request, const std::string& ref) { return !request.held.contains(ref) && request.wanted.fits(ref); }

// A reference's name is bytes; as a subject it must be text.
std::string to_text(const std::string& bytes) { return Payload(json(bytes)).json().get<std::string>(); }

json author_json(const GitCommit& commit) { return {{"name", commit.author_name}, {"email", commit.author_email}}; }

json commit_json(const GitCommit& commit) {
  json value = {
      {"id", commit.id}, {"message", commit.message}, {"author", author_json(commit)}, {"time", to_rfc3339(commit.time)}};
  if (commit.message_truncated) value["message_truncated"] = true;
  return value;
}

bool is_tag(const GitMovement& movement) { return movement.ref.starts_with(kTagRefs); }

json place_json(const GitReadRequest& request, const GitMovement& movement) {
  return {
      {"repository", request.repository},
      {"ref", movement.ref},
      {is_tag(movement) ? "tag" : "branch", movement.ref.substr((is_tag(movement) ? kTagRefs : kBranchRefs).size())},
      {"before", movement.before},
      {"after", movement.after},
      {"created", movement.before == kNoCommit},
      {"deleted", movement.after == kNoCommit},
  };
}

Payload event_data(const GitReadRequest& request, const GitMovement& movement, const GitRange& range) {
  json commits = json::array(), files = json::array(), changes = json::array();
  for (const GitCommit& commit : range.commits) commits.push_back(commit_json(commit));
  for (const Change& change : range.changes) {
    files.push_back(change.path);
    changes.push_back(to_json(change));
  }
  const bool moved = movement.before != kNoCommit && movement.after != kNoCommit;
  json data = place_json(request, movement);
  data.update({
      {"forced", is_tag(movement) ? moved : range.forced},  // git moves no tag without being forced to
      {"commits", std::move(commits)},
      {"author", author_json(range.tip)},
      {"message", range.tip.message},
      {"files", files},
      {"changed_files", std::move(files)},
      {"changes", std::move(changes)},
  });
  if (is_tag(movement) && movement.after != kNoCommit) data["commit"] = range.tip.id;
  if (range.commits_truncated) data["commits_truncated"] = true;
  if (range.files_truncated) data["files_truncated"] = true;
  if (range.tip.message_truncated) data["message_truncated"] = true;
  if (!range.incomplete.empty()) data["incomplete"] = range.incomplete;
  return Payload(data);
}

// Sorted by reference, so that one state of the repository gives one order of events.
std::vector<GitMovement> compare(const GitReadRequest& request, const RefTips& now) {
  std::vector<GitMovement> moved;
  const auto note = [&](const std::string& ref, std::string_view before, std::string_view after) {
    if (before == after || !wanted(request, ref)) return;
    moved.push_back({ref, to_text(ref), std::string(before), std::string(after), Payload(), false});
  };
  for (const auto& [ref, tip] : now) {
    const auto known = request.known->find(ref);
    note(ref, known == request.known->end() ? kNoCommit : std::string_view(known->second), tip);
  }
  for (const auto& [ref, tip] : *request.known) {
    if (!now.contains(ref)) note(ref, tip, kNoCommit);
  }
  std::sort(moved.begin(), moved.end(), [](const GitMovement& a, const GitMovement& b) { return a.ref < b.ref; });
  return moved;
}

// The first of the steps that leads on from where the reference is known to be; true: it does not lead to where it stands, so that there is
// more to tell. What names no commit that is there was not seen by anybody.
bool take_step(const GitReadRequest& request, const GitRepository& repository, GitMovement& movement) {
  for (std::size_t i = 0; i < request.steps.size(); ++i) {
    const auto& step = request.steps[i];
    if (step.ref != movement.ref || step.before != movement.before || (step.after != kNoCommit && !repository.has_commit(step.after))) continue;
    movement.steps = i + 1;
    return std::exchange(movement.after, step.after) != movement.after;
  }
  return false;
}

// A new branch is told by what no other branch has, a new tag by what no other tag has: what a release brings.
RefTips of_its_kind(const RefTips& known, std::string_view ref) {
  const auto kind = ref.starts_with(kTagRefs) ? kTagRefs : kBranchRefs;
  RefTips tips;
  for (auto at = known.lower_bound(std::string(kind)); at != known.end() && at->first.starts_with(kind); ++at) tips.insert(*at);
  return tips;
}

}  // namespace

Result<GitReading> read_movements(const GitReadRequest& request) {
  auto repository = GitRepository::open(request.repository);
  if (!repository) return repository.error();
  auto read = repository->references(request.wanted, *request.known);
  if (!read) return read.error();

  GitReading reading;
  reading.folders = repository->folders();
  reading.unreadable = std::move(read->unreadable);
  std::size_t bytes = 0;
  for (GitMovement& movement : compare(request, read->tips)) {
    if (take_step(request, *repository, movement)) reading.more = true;
    if (reading.movements.size() == limits::kGitMovements || bytes > limits::kGitMovementBytes) {
      reading.more = true;
      break;
    }
    const GitRange range = repository->describe(movement.before, movement.after, of_its_kind(*request.known, movement.ref));
    movement.data = event_data(request, movement, range);
    movement.incomplete = !range.incomplete.empty();
    bytes += movement.data.text().size();
    reading.movements.push_back(std::move(movement));
  }
  return reading;
}

GitReading remote_movements(const GitReadRequest& request, const RemoteRefs& now) {
  GitReading reading;
  for (GitMovement& movement : compare(request, now.tips)) {
    if (reading.movements.size() == limits::kGitMovements) {
      reading.more = true;
      break;
    }
    json data = place_json(request, movement);
    if (is_tag(movement) && movement.after != kNoCommit) {
      const auto commit = now.commits.find(movement.ref);
      data["commit"] = commit == now.commits.end() ? movement.after : commit->second;
    }
    movement.data = Payload(data);
    reading.movements.push_back(std::move(movement));
  }
  return reading;
}

}  // namespace hark
