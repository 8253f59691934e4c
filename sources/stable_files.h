// Holds back the changes of files until these stand still: the same size and time for a while. For writers that open and close a file
// several times, and for where nobody says when a file was closed. Pure but for looking at files through what it is given.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/change_set.h"
#include "core/time.h"
#include "sources/file_table.h"

namespace hark {

class StableFiles {
 public:
  // `look`: the file's stamp now; nullopt: it is not there.
  using Look = std::function<std::optional<FileStamp>(const std::string& path)>;
  StableFiles(Duration still_for, Look look) : still_for_(still_for), look_(std::move(look)) {}

  // What need not wait (a file that has gone, or only has another name) goes on to `out`.
  void add(std::vector<Change> changes, SteadyTime now, ChangeSet& out);
  // What has stood still for long enough.
  void tell(SteadyTime now, ChangeSet& out);
  void tell_all(ChangeSet& out);
  std::optional<SteadyTime> next() const;  // when to call tell()

 private:
  struct Held {
    Change change;
    std::optional<FileStamp> stamp;
    SteadyTime since;
  };
  void hold(Change change, SteadyTime now);
  void removed(const Change& change, ChangeSet& out);
  void renamed(const Change& change, SteadyTime now, ChangeSet& out);

  Duration still_for_;
  Look look_;
  std::map<std::string, Held> held_;
};

}  // namespace hark
