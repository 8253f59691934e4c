// Which runs have ended, in the order of their ends: what `hark history --follow` reads. In memory; loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/lifecycle.h"

namespace hark {

class EndedRuns {
 public:
  // `life`: of this process, so that a cursor of an earlier one is known.
  explicit EndedRuns(std::string life) : life_(std::move(life)) {}

  void note(const lifecycle::Any& event);

  struct Page {
    std::vector<std::string> ids;
    std::string cursor;        // for the next page
    std::uint64_t missed = 0;  // that ended meanwhile and are not remembered any more
  };
  // Those that ended after the cursor; without one, none: from now on. With one of an earlier life all of this one.
  Page after(const std::optional<std::string>& cursor, std::size_t limit) const;

 private:
  std::string life_;
  std::deque<std::string> ids_;
  std::uint64_t count_ = 0;  // that ended in all
};

}  // namespace hark
