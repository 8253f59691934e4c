// A folder that nothing asked of it can lead out of: no "..", no absolute path, no symbolic link to somewhere else, also not one that is
// put there between a look and the opening. The kernel resolves each path (openat2(2), RESOLVE_BENEATH: Linux 5.6); where it cannot, nothing
// is opened. Symbolic links that stay within are followed. Blocks; any thread, several at once.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "platform/descriptor.h"

namespace hark {

class Glob;

// What is wrong with a path whatever the folder holds: nothing, a NUL, absolute, a "..".
Status check_confined_path(std::string_view path);

class ConfinedFolder {
 public:
  static Result<ConfinedFolder> open(const std::string& path);

  // Of a regular file: its first `most` bytes, and how many it has. Nullopt: there is no such file.
  struct Content {
    std::string head;
    std::uint64_t bytes = 0;
  };
  Result<std::optional<Content>> read(const std::string& path, std::size_t most) const;

  enum class How { replace, append };
  // Makes the folders that lack (0777 less the umask, the file 0666 less it). A file that is there keeps its mode; one that is no regular
  // file is an Error.
  Status write(const std::string& path, std::string_view content, How how) const;

  // Where a new folder may be made, by somebody else: `path` as an absolute one without links, and the folders above it made. An Error:
  // a link is there. Unlike the others it holds only as long as nobody puts a link into its way.
  Result<std::string> place_of(const std::string& path) const;

  // The regular files below that match, sorted; symbolic links to folders are not entered, those to files within count. An Error: more
  // than `most`.
  Result<std::vector<std::string>> find(const Glob& glob, std::size_t most) const;

 private:
  explicit ConfinedFolder(Descriptor folder) : folder_(std::move(folder)) {}

  bool is_file(const std::string& path, const struct stat& status) const;
  Result<Descriptor> parent_of(const std::string& path, bool make) const;

  Descriptor folder_;
};

}  // namespace hark
