// What a source told last of each thing that it watches (a branch: where it stood), kept over restarts: what changed while nobody looked is
// found at the next start, and what was told is not told again. The change of one comes with the event that tells it (Event::marks).
// Loop thread only.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"

namespace hark {

using MarkSet = std::map<std::string, std::string>;  // by the source's own names, any bytes

class Marks {
 public:
  virtual ~Marks() = default;
  // Blocks for some microseconds and about one more a mark.
  virtual Result<MarkSet> marks_of(const std::string& source) = 0;
  // In place of all it has. Written soon, and before the marks of events that are offered after this.
  virtual void replace_marks(const std::string& source, MarkSet marks) = 0;
  // These beside the others, an empty value in place of none; for what no event tells.
  virtual void note_marks(const std::string& source, std::vector<std::pair<std::string, std::string>> marks) = 0;
};

}  // namespace hark
