// Takes over another configuration while the daemon runs: all of it, or none with every reason why. Loop thread only.
//
// It reads the configuration (load), compares it with the one that runs, and hands it on (apply). What runs is not ended and what
// waits is not lost: engine and sources see to that. With `reload = "auto"` it watches the files and does so by itself.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/lifecycle.h"
#include "core/time.h"
#include "daemon/config.h"
#include "daemon/config_difference.h"
#include "daemon/config_watch.h"

namespace hark {

class Clock;
class Loop;

struct ReloadOutcome {
  ConfigDifference difference;        // without anything, where `errors` are of the reading
  std::vector<std::string> errors;    // why it is refused, as `config check` prints them; empty: it is not
  std::vector<std::string> warnings;  // of a configuration that is not refused
  bool good() const { return errors.empty(); }
};
nlohmann::json to_json(const ReloadOutcome& outcome);  // a problem (RFC 9457) where it is refused

struct ReloadParts {
  Loop& loop;
  const Clock& clock;
  lifecycle::Emitter& emitter;
  const Settings& running;
  std::function<ConfigOutcome()> load;  // reads again what was read at the start
  // Takes these over; an Error leaves all as it was.
  std::function<Status(Settings)> apply;
  std::function<void(const ReloadOutcome&)> by_itself{};  // a file changed, and it was read again (or refused, which is told once)
};

class Reload {
 public:
  // `files`: those of the configuration that runs.
  Reload(ReloadParts parts, std::vector<std::filesystem::path> files);

  ReloadOutcome plan() const;                // what run() would do
  ReloadOutcome run(const std::string& why);  // "SIGHUP"; for the log
  // Watches the files, or no longer, as `running` says.
  void watch();

  WallTime loaded() const { return loaded_; }                    // when what runs was read
  bool is_refused() const { return refused_.has_value(); }       // the last attempt was
  // {"loaded": when what runs was read, "refused": {"time", "errors"} where the last attempt was}
  nlohmann::json status_json() const;

 private:
  struct Refused {
    WallTime time{};
    std::vector<std::string> errors;
  };
  ReloadOutcome judge(const ConfigOutcome& read) const;
  ReloadOutcome take(const std::string& why, bool by_itself);
  void say_refused(const std::string& why, const std::vector<std::string>& errors);
  void say(std::string_view level, std::string message);

  const ReloadParts parts_;
  std::vector<std::filesystem::path> files_;  // of the configuration that runs
  WallTime loaded_;
  std::optional<Refused> refused_;  // the last one, where none was taken over since
  std::unique_ptr<ConfigWatch> watch_;
};

}  // namespace hark
