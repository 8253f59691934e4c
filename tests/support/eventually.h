// Waits for a condition that another process or thread brings about, with a generous deadline instead of a guess.
#pragma once

#include <chrono>
#include <thread>

namespace hark::test {

template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds within = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace hark::test
