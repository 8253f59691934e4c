// What each run under way is doing: its step, gate or delivery, since when, in which iteration. Told by lifecycle events, in memory; loop
// thread only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/lifecycle.h"
#include "core/time.h"

namespace hark {

class LiveSteps {
 public:
  void note(const lifecycle::Any& event, WallTime now);

  // {"step", "iteration", "since"}; null: between two steps, or nothing is known of it.
  nlohmann::json doing(std::string_view run_id) const;

 private:
  struct Live {
    int iteration = 1;
    std::string step;  // empty: none is under way
    WallTime since{};
  };
  std::map<std::string, Live, std::less<>> runs_;
};

}  // namespace hark
