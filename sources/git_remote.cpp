#include "sources/git_remote.h"

#include <exception>
#include <stop_token>

#include "core/backoff.h"
#include "core/limits.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "sources/ref_ledger.h"
#include "sources/remote_reader.h"

namespace hark {
namespace {

class GitRemote final : public Source {
 public:
  GitRemote(GitRemoteOptions options, Loop& loop, const Clock& clock, Workers& workers, RemoteReader& reader, Marks& marks)
      : options_(std::move(options)), loop_(loop), clock_(clock), workers_(workers), reader_(reader), ledger_({options_.name, options_.url, options_.wanted}, loop, clock, marks) {}
  ~GitRemote() override { stop(); }

  Status start(SourceHost& host) override;
  std::string note() const override { return "asked every " + to_string(options_.interval); }
  void stop() override;

 private:
  void ask_in(Duration pause);
  void ask();
  void answered(Result<RemoteRefs> refs);
  void tell(const RemoteRefs& refs);
  void fail(const Error& error);

  const GitRemoteOptions options_;
  Loop& loop_;
  const Clock& clock_;
  Workers& workers_;
  RemoteReader& reader_;
  RefLedger ledger_;

  // Of one start.
  SourceHost* host_ = nullptr;
  std::shared_ptr<bool> life_;  // what an answer that comes back must find unchanged
  std::stop_source stop_;
  std::unique_ptr<Timer> timer_;
  bool asking_ = false;
  int failures_ = 0;  // in a row
};

Status GitRemote::start(SourceHost& host) {
  stop();
  host_ = &host;
  life_ = std::make_shared<bool>(true);
  stop_ = std::stop_source();
  timer_ = loop_.timer();
  ledger_.begin(host, [this] {
    if (!asking_) ask_in(Duration::zero());
  });
  ask_in(Duration::zero());
  return {};
}

void GitRemote::stop() {
  if (host_ == nullptr) return;
  *life_ = false;
  stop_.request_stop();
  ledger_.end();
  timer_.reset();
  host_ = nullptr;
  asking_ = false;
  failures_ = 0;
}

void GitRemote::ask_in(Duration pause) {
  timer_->at(clock_.now().steady + pause, [this] { ask(); });
}

void GitRemote::ask() {
  asking_ = true;
  // `reader` outlives the workers; `life` is looked at on the loop only, and says there whether `this` is still one to touch.
  workers_.post([request = RemoteRequest{options_.url, options_.credentials, options_.wanted}, &reader = reader_, &loop = loop_, stop = stop_.get_token(), life = life_, this]() mutable {
    auto refs = std::make_shared<Result<RemoteRefs>>(Error{});
    try {
      *refs = reader.read(request, std::move(stop));
    } catch (const std::exception& failure) {
      *refs = Error{failure.what(), {}};
    }
    loop.post([life = std::move(life), refs, this] {
      if (*life) answered(std::move(*refs));
    });
  });
}

void GitRemote::answered(Result<RemoteRefs> refs) {
  asking_ = false;
  if (!refs) return fail(refs.error());
  if (ledger_.knows_nothing()) {
    if (const auto taken = ledger_.take_up(refs->tips); !taken) return fail(taken.error());
  }
  const auto life = life_;
  if (std::exchange(failures_, 0) > 0) host_->healthy();
  if (*life) tell(*refs);
}

void GitRemote::tell(const RemoteRefs& refs) {
  auto reading = remote_movements({options_.url, options_.wanted, ledger_.known(), ledger_.held()}, refs);
  const bool more = reading.more;
  ledger_.tell(std::move(reading.movements), !more, clock_.now().wall, [this, more] { ask_in(more ? Duration::zero() : options_.interval); });
}

void GitRemote::fail(const Error& error) {
  const Duration pause = Backoff{options_.interval, std::max<Duration>(options_.interval, limits::kGitRemotePauseMax), 0}.pause(++failures_, 0);
  ask_in(pause);
  host_->degraded({"repository " + options_.url + " cannot be asked: " + error.message, error.cure});
}

}  // namespace

std::unique_ptr<Source> make_git_remote(GitRemoteOptions options, Loop& loop, const Clock& clock, Workers& workers, RemoteReader& reader, Marks& marks) {
  return std::make_unique<GitRemote>(std::move(options), loop, clock, workers, reader, marks);
}

}  // namespace hark
