// What happened to files since the last offer, told as one change a path: the difference between the window's start and its end.
//
// create + modify = create; create + delete = nothing; modify + delete = delete; delete + create = modify; a chain of renames is
// one rename; create + rename = create under the new name. A rename is told as such only where the old name is gone and the new
// one is new: moved onto a file that was there, it is a modify of that name and a delete of the other (how editors save).
// A pure value. Paths are relative to the watched root, bytes as the kernel has them.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace hark {

struct Change {
  enum class Kind { create, modify, remove, rename };
  std::string path;
  Kind kind = Kind::modify;
  std::string from;       // rename: the name before
  bool modified = false;  // rename: its content changed too

  bool operator==(const Change&) const = default;
};

// "create", "modify", "delete", "rename": the words of configuration and payload.
std::string_view to_string(Change::Kind kind);

class ChangeSet {
 public:
  void created(const std::string& path);
  void modified(const std::string& path);
  void removed(const std::string& path);
  void renamed(const std::string& from, const std::string& to, bool replaced);  // `replaced`: a file stood at `to`
  void add(const Change& change);

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }

  // Takes the first changes by path: at most `max_changes` with at most `max_bytes` of names, but at least one.
  std::vector<Change> take(std::size_t max_changes, std::size_t max_bytes);
  // Puts back what was taken, as older than what came since.
  void put_back(const std::vector<Change>& older);

 private:
  struct File {
    std::optional<std::string> origin;  // its name at the window's start; nullopt: it is new
    bool modified = false;
  };
  struct Entry {
    bool existed = false;     // at the window's start
    std::optional<File> now;  // nullopt: no file has this name now
  };
  using Entries = std::map<std::string, Entry>;

  void settle(Entries::iterator at);
  bool is_rename(const Entries::value_type& entry) const;
  std::unordered_set<std::string> rename_origins() const;

  Entries entries_;
};

// Of these only what the user asked for. A rename that was not asked for is the delete and the create (or modify) it consists of.
std::vector<Change> only_kinds(const std::vector<Change>& changes, const std::set<std::string>& kinds);

}  // namespace hark
