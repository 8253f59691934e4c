#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "cli/background.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "core/nearest.h"
#include "daemon/daemon.h"
#include "daemon/places.h"
#include "platform/descriptor.h"
#include "platform/errno_text.h"
#include "platform/file_system.h"

namespace hark {

namespace {

// Names of --sources that the configuration does not have.
Status check_names(const std::vector<std::string>& wanted, const Settings& settings) {
  std::vector<std::string> known;
  for (const auto& source : settings.sources) known.push_back(source.name);
  for (const auto& name : wanted) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string list;
    for (const auto& one : known) list += (list.empty() ? "" : ", ") + one;
    return Error{"--sources: no source is named '" + name + "'" + did_you_mean(name, known), "the configuration has " + list};
  }
  return {};
}

// Says so when writing that file would destroy another of hark's.
bool is_free(const Settings& settings, const std::string& what, const std::filesystem::path& file) {
  const auto owner = owner_of(settings, file);
  if (owner.empty()) return true;
  output::complain(Error{what + ": " + file.string() + " is in the way of " + owner, "name another file"});
  return false;
}

// Where --background logs when the configuration does not say.
std::filesystem::path background_log(const Settings& settings) { return settings.journal_file.parent_path() / "hark.log"; }

// For a reload: the same files, and what the command line adds to them.
ConfigOutcome load_again(const ConfigRequest& request, const DaemonCommand& command) {
  auto outcome = load_config(request);
  if (!outcome.loaded) return outcome;
  auto& settings = outcome.loaded->settings;
  if (command.background && settings.log_file.empty()) settings.log_file = background_log(settings);
  if (auto known = check_names(command.sources, settings); !known) {
    outcome.loaded.reset();
    outcome.errors.push_back({{}, 0, 0, known.error().text()});
  }
  return outcome;
}

class PidFile {
 public:
  // Whatever is there is replaced, and deleted at the end: so it may only be what an earlier daemon left.
  static bool is_something_else(const std::string& path) {
    struct stat found {};
    if (lstat(path.c_str(), &found) != 0) return false;
    if (!S_ISREG(found.st_mode)) return true;
    const auto text = RealFileSystem().read(path, 100);
    return !text || !text->has_value() || (*text)->find_first_not_of("0123456789\n") != std::string::npos;
  }

  // Before anything begins, while there is somebody to be told.
  static Status can_be_written(const std::string& path) {
    const auto folder = std::filesystem::absolute(path).parent_path();
    std::error_code error;
    if (is_something_else(path)) return Error{"--pid-file: " + path + " is there and no file of a process id", "name another file"};
    if (!std::filesystem::is_directory(folder, error)) return Error{"--pid-file: there is no folder " + folder.string(), "make it"};
    auto probe = (folder / ".hark-pid.XXXXXX").string();
    const Descriptor made(mkostemp(probe.data(), O_CLOEXEC));
    if (!made) return Error{"--pid-file: no file can be made in " + folder.string() + ": " + errno_text(errno), "name another folder"};
    unlink(probe.c_str());
    return {};
  }

  Status write(const std::string& path) {
    RealFileSystem files;
    auto written = files.replace(path, std::to_string(getpid()) + "\n");
    if (written) {
      path_ = path;
    } else {
      unlink(path.c_str());  // of an earlier daemon: its number may be somebody else's by now
    }
    return written;
  }
  ~PidFile() {
    if (!path_.empty()) unlink(path_.c_str());
  }

 private:
  std::string path_;
};

}  // namespace

int daemon_command(const DaemonCommand& command) {
  const auto request = request_of(command.common);
  auto outcome = load_config(request);
  auto files = std::move(outcome.files);
  auto loaded = loaded_or_complain(std::move(outcome));
  if (!loaded) return exit_code::kConfig;
  for (const auto& warning : loaded->warnings) output::complain(warning);
  auto& settings = loaded->settings;
  if (settings.mode == "one-shot") {
    output::complain(Error{"this configuration says mode = \"one-shot\"", "process one event with `hark event`, or set mode = \"daemon\""});
    return exit_code::kConfig;
  }
  if (auto known = check_names(command.sources, settings); !known) {
    output::complain(known.error());
    return exit_code::kUsage;
  }

  if (!command.pid_file.empty() && !is_free(settings, "--pid-file", std::filesystem::absolute(command.pid_file).lexically_normal())) {
    return exit_code::kUsage;
  }
  if (const auto writable = command.pid_file.empty() ? Status() : PidFile::can_be_written(command.pid_file); !writable) {
    output::complain(writable.error());
    return exit_code::kFailed;
  }
  if (auto prepared = prepare_state_folder(settings); !prepared) {
    output::complain(prepared.error());
    return exit_code::kFailed;
  }
  std::optional<Background> background;
  if (command.background) {
    if (settings.log_file.empty()) {
      const auto log = background_log(settings);
      if (!is_free(settings, "the log of --background", log)) return exit_code::kConfig;
      settings.log_file = log;
    }
    if (auto made = make_private_folder(settings.log_file.parent_path()); !made) {
      output::complain(made.error());
      return exit_code::kFailed;
    }
    auto begun = Background::begin();
    if (!begun) {
      output::complain(begun.error());
      return exit_code::kFailed;
    }
    if (begun->parent_exit()) {
      if (*begun->parent_exit() == exit_code::kOk) {
        output::print_line("hark runs in the background as process " + std::to_string(begun->daemon()) + "; its log is " + settings.log_file.string());
      }
      return *begun->parent_exit();
    }
    background = *begun;
  }

  PidFile pid_file;
  DaemonOptions options;
  options.only_sources = command.sources;
  options.socket = command.common.socket;
  options.load = [&] { return load_again(request, command); };
  options.files = std::move(files);
  options.ready = [&](const std::vector<std::string>& warnings) {
    if (!settings.log_file.empty()) {  // else they stand in the log, which is here
      for (const auto& warning : warnings) output::complain(warning);
    }
    if (!command.pid_file.empty()) {
      if (auto written = pid_file.write(command.pid_file); !written) output::complain(written.error());
    }
    if (background) background->ready();
  };
  const auto ended = run_daemon(settings, options);
  if (!ended) {
    output::complain(ended.error());
    return exit_code::kFailed;
  }
  return *ended;
}

}  // namespace hark
