// Marks as the engine keeps them, in memory, of one source.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sources/marks.h"

namespace hark::test {

struct KeptMarks final : Marks {
  Result<MarkSet> marks_of(const std::string&) override { return kept; }
  void replace_marks(const std::string&, MarkSet marks) override { kept = std::move(marks); }
  void note_marks(const std::string&, std::vector<std::pair<std::string, std::string>> marks) override {
    for (auto& [name, value] : marks) {
      if (value.empty()) {
        kept.erase(name);
      } else {
        kept[name] = std::move(value);
      }
    }
  }
  MarkSet kept;
};

}  // namespace hark::test
