// Whether a handler's own run made a change of files or references, so that it is not started by its own writes for ever, while what a person changes
// meanwhile still starts it. The kernel does not say who changed a file (inotify(7)), so it is told from when files change:
// - a file that ever changed while no run of the handler was under way is somebody's: a change of it counts, always; but where, during a
//   run, another file took its place that holds what the handler was last started for (`sed -i`, again);
// - one that changes only while runs of it are under way is written by them, from the second such run on;
// - where the file itself tells when it was changed, that says whether a run was under way;
// - while the processes of the runs do nothing at all, a change is somebody else's;
// - a branch or tag was moved by a run when git itself told so, step by step from where it stood to where it stands.
// Where it cannot be told the change counts: one run too many does less harm than one too few. What is left of an error on the other
// side (a person who changes one file during two busy runs, and never between runs) is told by the decision; allow_self_trigger rules it
// out. Pure; loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/ref_move.h"
#include "core/event.h"

namespace hark {

class OwnChanges {
 public:
  void begin(const std::string& handler, const std::string& run_id, WallTime now);
  // Of one that did not begin: nothing. `moves`: how its commands moved references, by their own account.
  void end(const std::string& handler, const std::string& run_id, WallTime now, std::vector<RefMove> moves = {});
  bool any_under_way() const { return under_way_ > 0; }

  struct Verdict {
    std::string run_id;  // a run of the handler that was under way as it changed; empty: there was none
    bool own = false;    // all that the event tells of is what that handler's runs write; else it may be, in part
  };
  struct Content {
    std::string digest;
    std::uint64_t inode = 0;  // another one: another file
  };
  // What is known of runs under way; asked only where it matters.
  struct Evidence {
    std::function<bool(WallTime)> active;                                     // did their processes do anything then, or since?
    std::function<std::vector<RefMove>(const std::string& run_id)> moves;  // as end() is told, until now
    // When that file below `root` was changed last. Empty, or nullopt: only when it was noticed is known.
    std::function<std::optional<WallTime>(const std::string& root, const std::string& path)> changed{};
    // What that file holds. Empty, or nullopt: not known.
    std::function<std::optional<Content>(const std::string& root, const std::string& path)> content{};
  };
  // Each event once a handler, in the order they come.
  Verdict judge(const std::string& handler, const Event& event, const Evidence& evidence);

 private:
  struct File {
    bool somebodys = false;
    std::optional<Content> started_for;  // what it held when a change of it last counted while a run was under way
    int runs = 0;          // that it changed in
    std::string last_run;
  };
  struct Span {
    WallTime began;
    std::optional<WallTime> ended;
    std::vector<RefMove> moves;  // of one that has ended
  };
  struct Known {
    std::map<std::string, Span> runs;  // those that ended long ago are forgotten
    std::unordered_map<std::string, File> files;
  };
  // The last run that was under way then, give or take.
  static std::string run_at(const Known& known, WallTime time, Duration early, Duration late);
  static Verdict judge_push(Known& known, const Event& event, const Evidence& evidence);
  static bool is_own(Known& known, const std::string& path, const std::string& run_id, const std::function<bool()>& active,
                     const std::function<std::optional<Content>()>& content);

  std::unordered_map<std::string, Known> handlers_;
  std::size_t under_way_ = 0;
};

}  // namespace hark
