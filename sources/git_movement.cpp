#include "sources/git_movement.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/glob.h"
#include "core/limits.h"

namespace hark {
namespace {

using nlohmann::json;

constexpr std::string_view kHeads = "refs/heads/";

bool wanted(const GitReadRequest& request, const std::string& ref) { return !request.held.contains(ref) && branch_matches(request.branches, ref); }

// A reference's name is bytes; as a subject it must be text.
std::string to_text(const std::string& bytes) { return Payload(json(bytes)).json().get<std::string>(); }

json author_json(const GitCommit& commit) { return {{"name", commit.author_name}, {"email", commit.author_email}}; }

json commit_json(const GitCommit& commit) {
  json value = {
      {"id", commit.id}, {"message", commit.message}, {"author", author_json(commit)}, {"time", to_rfc3339(commit.time)}};
  if (commit.message_truncated) value["message_truncated"] = true;
  return value;
}

Payload event_data(const GitReadRequest& request, const GitMovement& movement, const GitRange& range) {
  json commits = json::array();
  for (const GitCommit& commit : range.commits) commits.push_back(commit_json(commit));
  json data = {
      {"repository", request.repository.string()},
      {"ref", movement.ref},
      {"branch", movement.ref.substr(kHeads.size())},
      {"before", movement.before},
      {"after", movement.after},
      {"created", movement.before == kNoCommit},
      {"deleted", movement.after == kNoCommit},
      {"forced", range.forced},
      {"commits", std::move(commits)},
      {"author", author_json(range.tip)},
      {"message", range.tip.message},
      {"files", range.files},
      {"changed_files", range.files},
  };
  if (range.commits_truncated) data["commits_truncated"] = true;
  if (range.files_truncated) data["files_truncated"] = true;
  if (range.tip.message_truncated) data["message_truncated"] = true;
  if (!range.incomplete.empty()) data["incomplete"] = range.incomplete;
  return Payload(data);
}

// Sorted by reference, so that one state of the repository gives one order of events.
std::vector<GitMovement> compare(const GitReadRequest& request, const BranchTips& now) {
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

}  // namespace

bool branch_matches(const std::vector<std::string>& patterns, const std::string& ref) {
  const std::string_view branch = std::string_view(ref).substr(std::min(kHeads.size(), ref.size()));
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) { return wildcard_match(pattern, branch); });
}

Result<GitReading> read_movements(const GitReadRequest& request) {
  auto repository = GitRepository::open(request.repository);
  if (!repository) return repository.error();
  auto read = repository->branches(*request.known);
  if (!read) return read.error();

  GitReading reading;
  reading.folders = repository->folders();
  reading.unreadable = std::move(read->unreadable);
  std::size_t bytes = 0;
  for (GitMovement& movement : compare(request, read->tips)) {
    if (reading.movements.size() == limits::kGitMovements || bytes > limits::kGitMovementBytes) {
      reading.more = true;
      break;
    }
    const GitRange range = repository->describe(movement.before, movement.after, *request.known);
    movement.data = event_data(request, movement, range);
    movement.incomplete = !range.incomplete.empty();
    bytes += movement.data.text().size();
    reading.movements.push_back(std::move(movement));
  }
  return reading;
}

}  // namespace hark
