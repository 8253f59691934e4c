// What tests of git sources begin with: a folder with repositories, and a host on a loop that runs only while a test waits for something.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include <doctest/doctest.h>

#include "platform/clock.h"
#include "platform/loop.h"
#include "sources/source.h"
#include "tests/sources/recording_host.h"
#include "tests/support/git_folder.h"

namespace hark::test {

// Who derives from it lets the source go before what it has made for it.
struct GitBench {
  GitFolder folder;
  Loop loop;
  SystemClock clock;
  RecordingHost host{loop};
  std::unique_ptr<Source> source;

  void until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) FAIL("nothing came within 60 s");
      loop.run_once(std::chrono::milliseconds(20));
    }
  }
  // The next event that was taken.
  Event next_event() {
    until([&] { return !host.taken.empty() || !host.failures.empty(); });
    if (host.taken.empty()) FAIL("the source failed: " << host.failures.front().text());
    Event event = std::move(host.taken.front());
    host.taken.pop_front();
    return event;
  }
};

}  // namespace hark::test
