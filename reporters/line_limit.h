// How many lines of one kind the log writes in a second: a flood of events must not drown what else there is to read, nor fill the disk. What
// is left out is counted. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/time.h"

namespace hark {

class LineLimit {
 public:
  explicit LineLimit(std::size_t most) : most_(most) {}  // 0: all

  void set(std::size_t most) { most_ = most; }
  // Whether another line of this kind is written now.
  bool admit(const std::string& kind, SteadyTime now);

  struct LeftOut {
    std::string kind;
    std::uint64_t lines = 0;
  };
  // Of the seconds that are over by now; each is told once.
  std::vector<LeftOut> left_out(SteadyTime now);

 private:
  struct Second {
    SteadyTime begin;
    std::uint64_t lines = 0;
    std::uint64_t left_out = 0;
  };
  std::size_t most_;
  std::map<std::string, Second> seconds_;  // of the kinds that had a line lately
  SteadyTime looked_{};
};

}  // namespace hark
