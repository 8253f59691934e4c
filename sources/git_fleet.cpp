#include "sources/git_fleet.h"

#include <algorithm>
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
#include "sources/repository_pattern.h"

namespace hark {
namespace {

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
  void looked(Result<NamedRepositories> named);
  void take(NamedRepositories named);
  bool is_new(const std::string& path) const;
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
  std::set<std::string> unseen_;  // folders that could not be looked into: what they hold may be old

  // Of one start.
  SourceHost* host_ = nullptr;
  std::shared_ptr<bool> life_;  // what an answer that comes back must find unchanged
  std::shared_ptr<InotifyHub> hub_;
  std::unique_ptr<Timer> timer_;
  std::size_t working_ = 0;
  std::vector<Error> troubles_;  // with looking for them
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
    trouble.reset();
    if (looks_like_a_repository(path)) trouble = std::move(error);  // one that is gone has nothing to complain of
    fleet.tell_health();
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
  auto named = named_repositories(options_.pattern);
  if (!named) return named.error();
  host_ = &host;
  life_ = std::make_shared<bool>(true);
  timer_ = loop_.timer();
  take(std::move(*named));
  tell_health();
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
  troubles_.clear();
  degraded_ = false;
}

void GitFleet::look() {
  workers_.post([pattern = options_.pattern, &loop = loop_, life = life_, this]() mutable {
    auto named = std::make_shared<Result<NamedRepositories>>(named_repositories(pattern));
    loop.post([life = std::move(life), named, this] {
      if (*life) looked(std::move(*named));
    });
  });
}

void GitFleet::looked(Result<NamedRepositories> named) {
  take(named ? std::move(*named) : NamedRepositories{});
  if (!named) troubles_.push_back(named.error());
  tell_health();
}

// Each that is not at work is started, or started again.
void GitFleet::take(NamedRepositories named) {
  timer_->at(clock_.now().steady + options_.interval, [this] { look(); });
  for (const auto& path : named.paths) {
    auto& ship = ships_[path];
    if (ship == nullptr) {
      auto own = marked_.extract(path);
      ship = std::make_unique<Ship>(*this, path, own.empty() ? MarkSet{} : std::move(own.mapped()), is_new(path));
    }
    if (ship->works) continue;
    const auto started = ship->source->start(*ship);
    ship->works = started.ok();
    ship->trouble = started ? std::nullopt : std::optional(started.error());
  }
  for (auto& [path, ship] : ships_) {
    if (!ship->works && !std::binary_search(named.paths.begin(), named.paths.end(), path)) ship->trouble.reset();
  }
  troubles_.clear();
  for (auto& folder : named.unreadable) {
    troubles_.push_back({"folder " + folder + " cannot be looked into", "let hark read it, or write a pattern that leaves it out"});
    unseen_.insert(std::move(folder));
  }
  if (std::exchange(first_look_, false)) marks_.note_marks(options_.name, {{std::string{}, options_.pattern}});
}

bool GitFleet::is_new(const std::string& path) const {
  return !first_look_ && std::none_of(unseen_.begin(), unseen_.end(), [&](const auto& folder) { return path == folder || path.starts_with(folder + "/"); });
}

void GitFleet::tell_health() {
  working_ = std::size_t(std::count_if(ships_.begin(), ships_.end(), [](const auto& each) { return each.second->works; }));
  auto errors = troubles_;
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
