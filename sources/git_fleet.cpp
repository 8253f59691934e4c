#include "sources/git_fleet.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <vector>

#include "core/limits.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "sources/git_refs.h"
#include "sources/inotify_hub.h"
#include "sources/marks.h"

namespace hark {
namespace {

namespace fs = std::filesystem;

bool looks_like_a_repository(const fs::path& path) {
  std::error_code error;
  return fs::exists(path / ".git", error) || (fs::is_regular_file(path / "HEAD", error) && fs::is_directory(path / "refs", error));
}

// Sorted. Folders that cannot be read are passed over, as a shell does. Blocks.
Result<std::vector<std::string>> repositories(const std::string& pattern) {
  glob_t found{};
  const int failure = glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
  std::vector<std::string> paths;
  for (std::size_t i = 0; failure == 0 && i < found.gl_pathc; ++i) {
    if (looks_like_a_repository(found.gl_pathv[i])) paths.emplace_back(found.gl_pathv[i]);
  }
  globfree(&found);
  if (failure != 0 && failure != GLOB_NOMATCH) return Error{"the repositories of " + pattern + " cannot be looked for", "see that its folders can be read"};
  if (paths.size() > limits::kGitRepositories) {
    return Error{pattern + " names more than " + std::to_string(limits::kGitRepositories) + " repositories", "spread them over several sources"};
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// The marks of one repository among those of all.
class OwnMarks final : public Marks {
 public:
  OwnMarks(Marks& all, std::string prefix, MarkSet own) : all_(all), prefix_(std::move(prefix)), own_(std::move(own)) {}

  Result<MarkSet> marks_of(const std::string&) override { return own_; }
  void replace_marks(const std::string& source, MarkSet marks) override {
    std::vector<std::pair<std::string, std::string>> changes;
    for (const auto& [name, _] : own_) {
      if (!marks.contains(name)) changes.emplace_back(prefix_ + name, std::string{});
    }
    for (const auto& [name, value] : marks) changes.emplace_back(prefix_ + name, value);
    all_.note_marks(source, std::move(changes));
    own_ = std::move(marks);
  }
  void note_marks(const std::string& source, std::vector<std::pair<std::string, std::string>> marks) override {
    for (auto& [name, _] : marks) name.insert(0, prefix_);
    all_.note_marks(source, std::move(marks));
  }

 private:
  Marks& all_;
  const std::string prefix_;
  MarkSet own_;  // as they were when it was made; asked for once
};

class GitFleet final : public Source {
 public:
  GitFleet(GitFleetOptions options, Loop& loop, const Clock& clock, Workers& workers, Marks& marks, PushDesk& desk)
      : options_(std::move(options)), loop_(loop), clock_(clock), workers_(workers), marks_(marks), desk_(desk) {}
  ~GitFleet() override { stop(); }

  Status start(SourceHost& host) override;
  std::string note() const override { return std::to_string(working_) + (working_ == 1 ? " repository" : " repositories"); }
  void stop() override;

 private:
  struct Ship;

  Status take_up();
  void look();
  void looked(Result<std::vector<std::string>> found);
  void take(const std::vector<std::string>& found);
  void tell_health();

  const GitFleetOptions options_;
  Loop& loop_;
  const Clock& clock_;
  Workers& workers_;
  Marks& marks_;
  PushDesk& desk_;

  // Kept across stop() and start().
  bool taken_up_ = false;
  bool first_look_ = true;  // of this pattern: what is found is known as it stands
  std::map<std::string, MarkSet> marked_;  // by path: of repositories that were not met since this object was made
  std::map<std::string, std::unique_ptr<Ship>> ships_;

  // Of one start.
  SourceHost* host_ = nullptr;
  std::shared_ptr<bool> life_;  // what an answer that comes back must find unchanged
  std::shared_ptr<InotifyHub> hub_;
  std::unique_ptr<Timer> timer_;
  std::size_t working_ = 0;
  std::optional<Error> trouble_;  // with looking for them
  bool degraded_ = false;
};

// One repository, and what it says.
struct GitFleet::Ship final : SourceHost {
  Ship(GitFleet& of, std::string where, MarkSet own, bool from_nothing)
      : fleet(of), path(std::move(where)), prefix(path + '\0'), marks(of.marks_, prefix, std::move(own)),
        source(make_git_refs({of.options_.name, path, of.options_.wanted, from_nothing}, of.loop_, of.clock_, of.workers_, marks, of.desk_, of.hub_)) {}

  void offer(Event event, Answer answer) override {
    event.dedupe_key += "/" + path;
    for (auto& [name, _] : event.marks) name.insert(0, prefix);
    fleet.host_->offer(std::move(event), std::move(answer));
  }
  void failed(Error error) override {
    source->stop();
    works = false;
    degraded(std::move(error));
  }
  void degraded(Error error) override {
    trouble = std::move(error);
    fleet.tell_health();
  }
  void healthy() override {
    trouble.reset();
    fleet.tell_health();
  }
  void when_ended(const std::string& event_id, RunsEnded callback) override { fleet.host_->when_ended(event_id, std::move(callback)); }
  void refused(Refusal refusal) override { fleet.host_->refused(std::move(refusal)); }

  GitFleet& fleet;
  const std::string path;
  const std::string prefix;
  OwnMarks marks;
  std::unique_ptr<Source> source;
  bool works = false;
  std::optional<Error> trouble;
};

Status GitFleet::start(SourceHost& host) {
  stop();
  if (auto taken = taken_up_ ? Status() : take_up(); !taken) return taken;
  if (hub_ == nullptr) {
    auto hub = InotifyHub::make(loop_);
    if (!hub) return hub.error();
    hub_ = std::move(hub).value();
  }
  // On the loop, as with one repository: what is pushed a moment after this returned is not missed.
  auto found = repositories(options_.pattern);
  if (!found) return found.error();
  host_ = &host;
  life_ = std::make_shared<bool>(true);
  timer_ = loop_.timer();
  take(*found);
  return {};
}

// The mark without a name is the pattern that the rest was found by.
Status GitFleet::take_up() {
  const auto marks = marks_.marks_of(options_.name);
  if (!marks) return marks.error();
  for (const auto& [name, value] : *marks) {
    const auto zero = name.find('\0');
    if (name.empty()) {
      first_look_ = value != options_.pattern;
    } else if (zero != std::string::npos) {
      marked_[name.substr(0, zero)].emplace(name.substr(zero + 1), value);
    }
  }
  taken_up_ = true;
  return {};
}

void GitFleet::stop() {
  if (host_ == nullptr) return;
  *life_ = false;
  for (auto& [_, ship] : ships_) {
    ship->source->stop();
    ship->works = false;
    ship->trouble.reset();
  }
  timer_.reset();
  host_ = nullptr;
  working_ = 0;
  trouble_.reset();
  degraded_ = false;
}

void GitFleet::look() {
  workers_.post([pattern = options_.pattern, &loop = loop_, life = life_, this]() mutable {
    auto found = std::make_shared<Result<std::vector<std::string>>>(repositories(pattern));
    loop.post([life = std::move(life), found, this] {
      if (*life) looked(std::move(*found));
    });
  });
}

void GitFleet::looked(Result<std::vector<std::string>> found) {
  trouble_ = found ? std::nullopt : std::optional(found.error());
  take(found ? *found : std::vector<std::string>{});
}

// Each that is not at work is started, or started again.
void GitFleet::take(const std::vector<std::string>& found) {
  const auto life = life_;
  timer_->at(clock_.now().steady + options_.interval, [this] { look(); });
  for (const auto& path : found) {
    auto& ship = ships_[path];
    if (ship == nullptr) {
      auto own = marked_.extract(path);
      ship = std::make_unique<Ship>(*this, path, own.empty() ? MarkSet{} : std::move(own.mapped()), !first_look_);
    }
    if (ship->works) continue;
    const auto started = ship->source->start(*ship);
    ship->works = started.ok();
    ship->trouble = started ? std::nullopt : std::optional(started.error());
  }
  // One that is gone has nothing to complain of.
  for (auto& [path, ship] : ships_) {
    if (!ship->works && !std::binary_search(found.begin(), found.end(), path)) ship->trouble.reset();
  }
  if (std::exchange(first_look_, false)) marks_.note_marks(options_.name, {{std::string{}, options_.pattern}});
  if (*life) tell_health();
}

void GitFleet::tell_health() {
  working_ = std::size_t(std::count_if(ships_.begin(), ships_.end(), [](const auto& each) { return each.second->works; }));
  std::vector<Error> errors;
  if (trouble_) errors.push_back(*trouble_);
  for (const auto& [_, ship] : ships_) {
    if (ship->trouble) errors.push_back(*ship->trouble);
  }
  if (errors.empty()) {
    if (std::exchange(degraded_, false)) host_->healthy();
    return;
  }
  degraded_ = true;
  auto first = errors.front();
  if (errors.size() > 1) first.message += ", and " + std::to_string(errors.size() - 1) + " more";
  host_->degraded(std::move(first));
}

}  // namespace

std::unique_ptr<Source> make_git_fleet(GitFleetOptions options, Loop& loop, const Clock& clock, Workers& workers, Marks& marks, PushDesk& desk) {
  return std::make_unique<GitFleet>(std::move(options), loop, clock, workers, marks, desk);
}

}  // namespace hark
