// The last refusals of all sources, for whoever asks why something never became an event. In memory: what a stranger sends must not
// fill a disk. A flood costs others nothing: each source and cause has a list of its own, what repeats itself is counted, and where
// there is no more room the longest list gives way. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "core/refusal.h"

namespace hark {

class Refusals {
 public:
  struct Entry {
    Refusal refusal;          // the last one
    WallTime first{};         // when the first one came
    std::uint64_t count = 1;  // came one after another, of one source and for one reason
  };

  explicit Refusals(std::size_t most = limits::kRefusals) : most_(most) {}

  // How many of its source and cause a line of the log is to tell of, itself included; 0: one was written a short while ago
  // (limits::kRefusalLine), and the next one tells of it.
  std::uint64_t add(const Refusal& refusal, SteadyTime now);

  // Newest first, at most `limit`; of all sources where `source` is empty.
  std::vector<Entry> newest(const std::string& source, std::size_t limit) const;

 private:
  struct Kept {
    Entry entry;
    std::uint64_t number;  // of its last one: times may be equal, or jump
  };
  struct List {
    std::deque<Kept> kept;  // oldest first
    std::optional<SteadyTime> told;
    std::uint64_t untold = 0;
  };
  void make_room();

  const std::size_t most_;
  std::map<std::pair<std::string, Refusal::Cause>, List> lists_;
  std::size_t size_ = 0;  // of all lists
  std::uint64_t last_number_ = 0;
};

}  // namespace hark
