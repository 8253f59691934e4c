#include "platform/process_launch.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/limits.h"
#include "platform/errno_text.h"
#include "platform/pidfd.h"

namespace hark {
namespace {

// A name for an error's text: event data may stand in it, so control characters go and it is cut.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 200;
  std::string out(text.substr(0, kMost));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (text.size() > kMost) out += "...";
  return out;
}

// The child's environment: what it has of the daemon's, with the command's entries put over it.
class Environment {
 public:
  static Result<Environment> make(const BaseEnvironment& base, const Command& command) {
    Environment made;
    const auto of_user = variables_of(command.containment.user);
    made.added_.reserve(of_user.size() + command.environment.size() + 1);  // never moves: the pointers below stay good
    made.block_.reserve(base.strings().size() + of_user.size() + command.environment.size() + 2);
    for (const auto& text : base.strings()) made.block_.push_back(const_cast<char*>(text.c_str()));
    std::unordered_map<std::string_view, std::size_t> places;
    for (const auto& [name, value] : of_user) {
      if (auto put = made.put(base, places, name, value); !put) return put.error();
    }
    for (const auto& [name, value] : command.environment) {
      if (auto put = made.put(base, places, name, value); !put) return put.error();
    }
    if (!command.run_id.empty()) {
      if (auto put = made.put(base, places, "HARK_RUN_ID", command.run_id); !put) return put.error();
    }
    made.block_.push_back(nullptr);
    return made;
  }

  char* const* block() const { return block_.data(); }

  std::optional<std::string_view> get(std::string_view name) const {
    for (const char* entry : block_) {
      if (entry != nullptr && std::strncmp(entry, name.data(), name.size()) == 0 && entry[name.size()] == '=')
        return entry + name.size() + 1;
    }
    return std::nullopt;
  }

 private:
  // As login(1) sets them.
  static std::vector<std::pair<std::string_view, std::string_view>> variables_of(const std::optional<UserAccount>& user) {
    if (!user) return {};
    const std::string_view shell = user->shell.empty() ? std::string_view("/bin/sh") : std::string_view(user->shell);  // passwd(5)
    return {{"HOME", user->home}, {"USER", user->name}, {"LOGNAME", user->name}, {"SHELL", shell}};
  }

  Status put(const BaseEnvironment& base, std::unordered_map<std::string_view, std::size_t>& places, std::string_view name,
             std::string_view value) {
    if (name.empty() || name.find('=') != name.npos || name.find('\0') != name.npos) {
      return Error{"an environment variable cannot be named '" + shown(name) + "'", "use letters, digits and underscores"};
    }
    const bool fits = name.size() + 1 + value.size() <= limits::kEnvironmentString;
    if (!fits || value.find('\0') != value.npos) {
      return Error{"the environment variable " + shown(name) + (fits ? " would hold a NUL" : " would be too large"),
                   "hand the value on through {payload_file}, {files_file} or standard input"};
    }
    std::string& text = added_.emplace_back();
    text.reserve(name.size() + 1 + value.size());
    text.append(name).append(1, '=').append(value);

    std::size_t place = base.find(name);
    if (place == BaseEnvironment::npos) {
      const auto [known, fresh] = places.try_emplace(std::string_view(text).substr(0, name.size()), block_.size());
      if (fresh) block_.push_back(nullptr);
      place = known->second;
    }
    block_[place] = text.data();
    return {};
  }

  std::vector<std::string> added_;
  std::vector<char*> block_;
};

// Resolves argv[0] as execvp(3) does, but with the PATH the child will have, and before anything is started.
Result<std::string> find_program(const Command& command, const Environment& environment) {
  const std::string& name = command.argv.front();
  if (name.find('/') != name.npos) return name;
  const std::string_view path = environment.get("PATH").value_or("/bin:/usr/bin");
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find(':', start), path.size());
    const std::string folder(end == start ? std::string_view(".") : path.substr(start, end - start));
    start = end + 1;
    // A relative folder means the child's working directory, which this process is not in.
    std::string candidate =
        (folder.front() == '/' || command.working_directory.empty() ? folder : command.working_directory + "/" + folder) + "/" +
        name;
    struct stat status {};
    if (access(candidate.c_str(), X_OK) == 0 && stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode))
      return candidate;
  }
  return Error{"cannot run '" + shown(name) + "': not found in PATH (" + shown(path) + ")",
               "check the spelling, install it, or give its full path"};
}

// posix_spawn says only an errno, whichever of its steps failed. Afterwards there is time to find out.
Error why_not(const Command& command, const std::string& program, int code) {
  struct stat status {};
  if (const auto& folder = command.working_directory; !folder.empty()) {
    int trouble = 0;
    if (stat(folder.c_str(), &status) != 0)
      trouble = errno;
    else if (!S_ISDIR(status.st_mode))
      trouble = ENOTDIR;
    else if (access(folder.c_str(), X_OK) != 0)
      trouble = errno;
    if (trouble != 0)
      return {"cannot enter working directory '" + shown(folder) + "': " + errno_text(trouble),
              "make the folder, or mend working_directory"};
  }
  const std::string opening = "cannot run '" + shown(command.argv.front()) + "': ";
  const std::string place =
      program.front() == '/' || command.working_directory.empty() ? program : command.working_directory + "/" + program;
  switch (code) {
    case ENOENT:
      if (stat(place.c_str(), &status) == 0)
        return {opening + "the interpreter that its first line names is not there", "mend the #! line"};
      return {opening + errno_text(code), program.front() == '/' || command.working_directory.empty() ? "check the path" : "check the path, which is relative to " + command.working_directory};
    case EACCES:
      return {opening + errno_text(code), "it must be an executable file: chmod +x"};
    case ENOEXEC:
      return {opening + "it is neither a program nor a script with a #! line", "begin the script with a line such as #!/bin/sh"};
    case E2BIG:
      return {opening + "its arguments and environment are too large",
              "hand event data on through {payload_file}, {files_file} or standard input"};
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return {opening + errno_text(code), "the system's limit of processes, memory or open files is reached"};
    default:
      return {opening + errno_text(code), ""};
  }
}

// The child's descriptors 0 to 2 are put in place one after the other: a source among them would be overwritten before its turn.
// Only a daemon started with its own standard streams closed gets here.
int lift(Descriptor& descriptor) {
  if (descriptor && descriptor.get() < 3) descriptor.reset(fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 3));
  return descriptor.get();
}

bool make_pipe(Descriptor& reader, Descriptor& writer) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  reader.reset(ends[0]);
  writer.reset(ends[1]);
  return lift(reader) >= 0 && lift(writer) >= 0;
}

// What fits into any pipe goes into one; else a file in memory, which takes any amount at once. So nobody has to stand by and write.
bool make_input(const std::string& text, Descriptor& input) {
  if (text.size() <= PIPE_BUF) {
    Descriptor writer;
    return make_pipe(input, writer) && write(writer.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }
  input.reset(memfd_create("hark-input", MFD_CLOEXEC));
  if (lift(input) < 0) return false;
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = pwrite(input.get(), text.data() + done, text.size() - done, static_cast<off_t>(done));
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  return true;
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// What posix_spawn is to do in the child, freed at the end of the scope.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
  }
  ~SpawnPlan() {
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int prepare(int input, int output, int error_output, int report, const std::string& working_directory) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int code = posix_spawn_file_actions_adddup2(&actions, input, 0);
    if (code == 0) code = posix_spawn_file_actions_adddup2(&actions, output, 1);
    if (code == 0) code = posix_spawn_file_actions_adddup2(&actions, error_output, 2);
    if (code == 0 && report >= 0) code = posix_spawn_file_actions_adddup2(&actions, report, kLaunchReport);
    if (code == 0) code = posix_spawn_file_actions_addclosefrom_np(&actions, report >= 0 ? kLaunchReport + 1 : kLaunchReport);
    if (code == 0 && !working_directory.empty()) code = posix_spawn_file_actions_addchdir_np(&actions, working_directory.c_str());
    return code;
  }

  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
};

}  // namespace

Launcher::Launcher(std::string launch_helper)
    : environment_(environ), launch_helper_(launch_helper.empty() ? find_launch_helper() : std::move(launch_helper)), nothing_(open("/dev/null", O_RDONLY | O_CLOEXEC)) { lift(nothing_); }

void Launcher::contain_with(std::optional<CgroupHome> home, OwnPlaces own) {
  auto replaced = std::make_shared<const Surroundings>(Surroundings{std::move(home), std::move(own)});
  std::lock_guard lock(mutex_);
  surroundings_ = std::move(replaced);
}

std::shared_ptr<const Launcher::Surroundings> Launcher::surroundings() const {
  std::lock_guard lock(mutex_);
  return surroundings_;
}

CgroupControllers Launcher::cgroup_controllers() const {
  const auto around = surroundings();
  return around->home ? around->home->controllers() : CgroupControllers();
}

Status Launcher::contain(const Command& command, const std::string& program, LaunchedProcess& child) const {
  const auto around = surroundings();
  Command here = command;
  here.containment = made_up_for(command.containment, around->home ? around->home->controllers() : CgroupControllers());
  if (here.containment.cgroup.any()) {
    auto group = around->home->make(here.containment.cgroup);
    if (!group) return group.error();
    child.cgroup.emplace(std::move(*group));
  }
  auto plan = plan_launch(here, program, launch_helper_, child.cgroup ? child.cgroup->folder() : std::string(), around->own);
  if (!plan) return plan.error();
  child.plan = std::move(*plan);
  child.program = program;
  return {};
}

std::optional<Error> Launcher::never_began(const Command& command, const LaunchedProcess& child, const ProcessResult& result) {
  if (!child.plan || result.end == ProcessResult::End::timed_out || result.end == ProcessResult::End::cancelled) return std::nullopt;
  bool reached = !command.containment.sandbox;
  LaunchReport report;
  fcntl(child.report.get(), F_SETFL, O_NONBLOCK);
  while (read(child.report.get(), &report, sizeof report) == static_cast<ssize_t>(sizeof report)) {
    if (report.word == LaunchReport::kExec) {
      if (!reached) return Error{"cannot start bwrap: " + errno_text(report.error), "apt install bubblewrap"};
      const bool hidden = command.containment.sandbox && report.error == ENOENT && access(child.program.c_str(), F_OK) == 0;
      if (!hidden) return why_not(command, child.program, report.error);
      return Error{"cannot run '" + shown(command.argv.front()) + "': " + shown(child.program) + " or what its first line names is not there within the sandbox",
                   "it has a /tmp, /var/tmp and /run of its own: name the program's folder in `writable`, or put it elsewhere"};
    }
    if (report.word != LaunchReport::kReached) return child.plan->error_of(report);
    reached = true;
  }
  if (reached) return std::nullopt;
  auto said = result.error_output.head;
  said.resize(said.find_last_not_of('\n') + 1);
  const bool forbidden = said.find("namespace") != said.npos || said.find("uid map") != said.npos || said.find("ermi") != said.npos;  // permitted, permission
  return Error{"the sandbox could not be made: " + (said.empty() ? "bwrap ended with " + std::to_string(result.code) : shown(said)),
               forbidden ? "where user namespaces are forbidden (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, a container) there is none" : ""};
}

Result<LaunchedProcess> Launcher::launch(const Command& command, bool& starved) const {
  starved = false;
  const auto refused = [&](const std::string& named, int code) {
    starved = code == EAGAIN || code == ENOMEM || code == EMFILE || code == ENFILE;
    if (named == launch_helper_ && access(named.c_str(), X_OK) != 0) return Error{"cannot start " + named + ", which contains commands: " + errno_text(code), "install hark whole: `cmake --install`"};
    return why_not(command, named, code);
  };
  if (command.argv.empty() || command.argv.front().empty())
    return Error{"no program is named", "the command must begin with one"};
  for (const auto& argument : command.argv) {
    if (argument.find('\0') != argument.npos) {
      return Error{"an argument of '" + shown(command.argv.front()) + "' holds a NUL",
                   "hand the value on through {payload_file}, {files_file} or standard input"};
    }
  }
  const auto base = environment_.chosen(command.containment.environment);  // outlives the pointers into it
  auto environment = Environment::make(*base, command);
  if (!environment) return environment.error();
  auto program = find_program(command, *environment);
  if (!program) return program.error();

  LaunchedProcess child;
  Descriptor input, report_writer;
  if (command.containment.needs_launcher()) {
    if (auto contained = contain(command, *program, child); !contained) return contained.error();
    if (!make_pipe(child.report, report_writer)) return refused(*program, errno);
  }
  if (!make_pipe(child.output, child.output_writer) || !make_pipe(child.error_output, child.error_output_writer) ||
      (!command.input.empty() && !make_input(command.input, input))) {
    return refused(*program, errno);
  }
  const auto argv = pointers_to(child.plan ? child.plan->argv : command.argv);
  const auto& started = child.plan ? child.plan->argv.front() : *program;
  SpawnPlan plan;
  int code = plan.prepare(input ? input.get() : nothing_.get(), child.output_writer.get(), child.error_output_writer.get(),
                          report_writer.get(), command.working_directory);
  if (code == 0)
    code = posix_spawn(&child.pid, started.c_str(), &plan.actions, &plan.attributes, argv.data(), environment->block());
  if (code != 0) return refused(started, code);
  child.pidfd = open_pidfd(child.pid);
  if (!child.pidfd) {
    const int trouble = errno;
    kill(-child.pid, SIGKILL);
    waitpid(child.pid, nullptr, 0);
    return refused(*program, trouble);
  }
  return child;
}

}  // namespace hark
