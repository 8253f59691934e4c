#include "platform/process.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>

#include "platform/child_registry.h"
#include "platform/clock.h"
#include "platform/process_capture.h"
#include "platform/process_launch.h"
#include "platform/process_tree.h"
#include "platform/run_cgroup.h"

namespace hark {
namespace {

using End = ProcessResult::End;

// Waits on `fds` until one is ready or `until` (none: for ever) has come.
void wait_on(pollfd* fds, std::size_t count, std::optional<SteadyTime> until) {
  timespec timeout{};
  if (until) {
    const auto left = std::max(Duration(0), *until - steady_now());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    timeout = {static_cast<time_t>(seconds.count()), static_cast<long>((left - seconds).count())};
  }
  if (ppoll(fds, static_cast<nfds_t>(count), until ? &timeout : nullptr, nullptr) < 0) {
    for (std::size_t i = 0; i < count; ++i) fds[i].revents = 0;  // EINTR: nothing is known
  }
}

// Turns a stop request into a readable descriptor. Where no stop can come it costs nothing.
class StopSignal {
 public:
  explicit StopSignal(const std::stop_token& stop)
      : event_(stop.stop_possible() ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1), callback_(stop, Wake{event_.get()}) {}
  int fd() const { return event_.get(); }

 private:
  struct Wake {
    int fd;
    void operator()() const {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto ignored = write(fd, &one, sizeof one);
    }
  };
  Descriptor event_;
  std::stop_callback<Wake> callback_;  // goes first: after its destructor nobody writes to the descriptor
};

// One command under way: its two streams and its end.
class Attendance {
 public:
  Attendance(const Command& command, const LaunchedProcess& child)
      : child_(child),
        output_(command.output_stem.empty() ? "" : command.output_stem + ".out", command.mask),
        error_output_(command.output_stem.empty() ? "" : command.output_stem + ".err", command.mask) {}

  // Serves the streams until the command ends by itself, or has to be ended.
  End wait(std::optional<SteadyTime> deadline, int stop) {
    while (true) {
      // The process comes first: poll looks at them in this order, so that a pipe that is not readable beside an ended process
      // is empty for good, and a silent command costs no read.
      std::array<pollfd, 4> fds{{{child_.pidfd.get(), POLLIN, 0},
                                 {child_.output.get(), POLLIN, 0},
                                 {child_.error_output.get(), POLLIN, 0},
                                 {stop, POLLIN, 0}}};
      wait_on(fds.data(), stop < 0 ? 3 : 4, deadline);
      if (fds[0].revents != 0) {
        if (fds[1].revents != 0) output_.drain(child_.output.get());
        if (fds[2].revents != 0) error_output_.drain(child_.error_output.get());
        return End::exited;
      }
      if (fds[1].revents != 0) output_.read_once(child_.output.get());
      if (fds[2].revents != 0) error_output_.read_once(child_.error_output.get());
      if (fds[3].revents != 0) return End::cancelled;
      if (deadline && steady_now() >= *deadline) return End::timed_out;
    }
  }

  // For the end of the tree: who is asked to end may still have something to say, and must not block on a full pipe.
  void wait_for_tree(std::vector<pollfd>& fds, SteadyTime until) {
    const std::size_t own = fds.size();
    fds.push_back({child_.output.get(), POLLIN, 0});
    fds.push_back({child_.error_output.get(), POLLIN, 0});
    wait_on(fds.data(), fds.size(), until);
    if (fds[own].revents != 0) output_.read_once(child_.output.get());
    if (fds[own + 1].revents != 0) error_output_.read_once(child_.error_output.get());
  }

  // Reaps the command, which has ended, and gathers what it left.
  ProcessResult finish(End end, std::string note) {
    if (end != End::exited) {
      output_.drain(child_.output.get());
      error_output_.drain(child_.error_output.get());
    }
    ProcessResult result;
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(child_.pid), &info, WEXITED);
    const bool exited = info.si_code == CLD_EXITED;
    result.code = exited ? info.si_status : 128 + info.si_status;
    result.end = end == End::exited && !exited ? End::signalled : end;
    result.note = std::move(note);
    result.output = output_.take();
    result.error_output = error_output_.take();
    add_trouble(result.note, "standard output", output_.trouble());
    add_trouble(result.note, "standard error", error_output_.trouble());
    return result;
  }

 private:
  static void add_trouble(std::string& note, const char* stream, const std::string& trouble) {
    if (!trouble.empty()) note += (note.empty() ? "" : "; ") + std::string(stream) + " " + trouble;
  }

  const LaunchedProcess& child_;
  Capture output_;
  Capture error_output_;
};

// false: a stop came first.
bool sleep_unless_stopped(Duration pause, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, pause, [] { return false; });
  return !stop.stop_requested();
}

ProcessResult not_started(End end, const std::string& why = {}) {
  ProcessResult result;
  result.end = end;
  result.code = 128 + SIGTERM;
  result.note = why.empty() ? "not started" : "not started: " + why;
  return result;
}

}  // namespace

struct RealProcessSpawner::State {
  State(Duration grace_, std::string launch_helper) : grace(grace_), launcher(std::move(launch_helper)) {}

  std::atomic<Duration> grace;
  Launcher launcher;
  ChildRegistry children;
  mutable std::mutex mutex;
  std::string starved;  // guarded by mutex

  void set_starved(std::string why) {
    std::lock_guard lock(mutex);
    starved = std::move(why);
  }
};

RealProcessSpawner::RealProcessSpawner(Duration grace, std::string launch_helper) : state_(new State(grace, std::move(launch_helper))) {
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}
RealProcessSpawner::~RealProcessSpawner() = default;

Result<ProcessResult> RealProcessSpawner::run(const Command& command, std::optional<SteadyTime> deadline, std::stop_token stop) {
  if (stop.stop_requested()) return not_started(End::cancelled);
  if (deadline && steady_now() >= *deadline) return not_started(End::timed_out);
  const StopSignal stop_signal(stop);

  auto& children = state_->children;
  children.starting();
  bool starved = false;
  auto child = state_->launcher.launch(command, starved);
  for (Duration pause = limits::kStarvedRetryFirst; !child && starved; pause = std::min<Duration>(pause * 2, limits::kStarvedRetryMax)) {
    children.not_started();
    state_->set_starved(child.error().text());
    if (!sleep_unless_stopped(std::min(pause, deadline ? *deadline - steady_now() : pause), stop)) return not_started(End::cancelled);
    if (deadline && steady_now() >= *deadline) return not_started(End::timed_out, child.error().text());
    children.starting();
    child = state_->launcher.launch(command, starved);
  }
  state_->set_starved({});
  if (!child) {
    children.not_started();
    return child.error();
  }
  children.started(child->pid);

  Attendance attendance(command, *child);
  const End end = attendance.wait(deadline, stop_signal.fd());
  std::string note;
  if (end != End::exited) {
    ProcessTree tree({.root = child->pid,
                      .run_id = command.run_id,
                      .is_command = [&](pid_t pid) { return children.owns(pid); },
                      .reap_orphan = [&](pid_t pid) { children.reap_orphan(pid); },
                      .owns_strays = [&, pid = child->pid] { return children.was_alone(pid); },
                      .grace = state_->grace.load()});
    note = tree.end([&](std::vector<pollfd>& fds, SteadyTime until) { attendance.wait_for_tree(fds, until); });
  }
  if (child->cgroup) {
    const auto said = child->cgroup->end();
    note += (note.empty() || said.empty() ? "" : "; ") + said;
  }
  ProcessResult result = attendance.finish(end, std::move(note));
  children.ended(child->pid);
  if (auto never_began = Launcher::never_began(command, *child, result)) return *never_began;
  if (end != End::exited) children.reap_orphans();
  return result;
}

void RealProcessSpawner::contain_with(std::optional<CgroupHome> home, OwnPlaces own) { state_->launcher.contain_with(std::move(home), std::move(own)); }
CgroupControllers RealProcessSpawner::cgroup_controllers() const { return state_->launcher.cgroup_controllers(); }

std::string RealProcessSpawner::starved() const {
  std::lock_guard lock(state_->mutex);
  return state_->starved;
}

void RealProcessSpawner::set_grace(Duration grace) { state_->grace = grace; }

void RealProcessSpawner::reap_orphans() { state_->children.reap_orphans(); }

std::size_t RealProcessSpawner::end_marked(const std::string& run_id) {
  if (run_id.empty()) return 0;
  ProcessTree tree({.root = 0,
                    .run_id = run_id,
                    .is_command = {},
                    .reap_orphan = [&](pid_t pid) { state_->children.reap_orphan(pid); },
                    .owns_strays = {},
                    .grace = state_->grace.load()});
  tree.end([](std::vector<pollfd>& fds, SteadyTime until) { wait_on(fds.data(), fds.size(), until); });
  state_->children.reap_orphans();
  return tree.members();
}

}  // namespace hark
