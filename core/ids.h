// Identifiers of events and runs: ULIDs (26 characters of Crockford base32, 48 bits of milliseconds, 80 random bits), so that
// they sort by time, are selected by a double click, and need no central counter. Strictly rising within one generator.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "core/time.h"

namespace hark {

// Not thread-safe: the engine owns one. Unique, not secret: never use an id as a token.
class IdGenerator {
 public:
  explicit IdGenerator(std::uint64_t seed) : random_(seed) {}
  std::string next(WallTime now);

 private:
  std::mt19937_64 random_;
  std::uint64_t last_ms_ = 0;
  std::array<std::uint8_t, 10> tail_{};
};

// Of what a run makes, as `what` names it: the same whenever it makes it again, and as old as the run. Pure.
std::string derived_id(std::string_view run_id, std::string_view what);

bool is_id(std::string_view text);  // is it written as one? Pure.

}  // namespace hark
