// A file watcher on a real folder, with a real loop, and a host that keeps what it is offered.
#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "sources/fanotify.h"
#include "sources/file_watcher.h"
#include "sources/inotify.h"
#include "tests/support/kept_marks.h"
#include "tests/support/temporary_folder.h"

namespace hark::test {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

class WatcherHost final : public SourceHost {
 public:
  WatcherHost(Loop& loop, KeptMarks& marks) : loop_(loop), marks_(marks) {}

  void offer(Event event, Answer answer) override {
    events.push_back(event);
    Acceptance acceptance;
    acceptance.outcome = refuse > 0 ? Acceptance::Outcome::refused : Acceptance::Outcome::accepted;
    if (refuse > 0) --refuse;
    if (acceptance.taken()) {
      marks_.note_marks(event.source, event.marks);
      accepted.push_back(std::move(event));
    }
    loop_.post([answer = std::move(answer), acceptance] { answer(acceptance); });
  }
  void failed(Error error) override { failures.push_back(std::move(error)); }
  void degraded(Error error) override { degradations.push_back(std::move(error)); }
  void healthy() override { ++recoveries; }
  void when_ended(const std::string&, RunsEnded) override { FAIL("not expected"); }
  void refused(Refusal) override { FAIL("not expected"); }

  std::vector<Event> events;    // offered
  std::vector<Event> accepted;  // of these
  int refuse = 0;               // the next so many offers
  std::vector<Error> failures;
  std::vector<Error> degradations;
  int recoveries = 0;

 private:
  Loop& loop_;
  KeptMarks& marks_;
};

// Its timers are due earlier by this much: for pauses that are too long for a test.
class LateClock final : public Clock {
 public:
  explicit LateClock(Duration late) : late_(late) {}
  Now now() const override {
    auto now = SystemClock().now();
    now.steady -= late_;
    return now;
  }

 private:
  Duration late_;
};

inline void write(const fs::path& path, std::string_view text = "text") {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

inline std::unique_ptr<Notifier> inotify() { return std::make_unique<Inotify>(std::move(*Inotify::open())); }

inline Lines lines_of(const Event& event) {
  Lines lines;
  const auto data = event.data.json();
  for (const auto& change : data["changes"]) {
    const auto from = change.contains("from") ? change["from"].get<std::string>() + " > " : "";
    lines.push_back(change["kind"].get<std::string>() + " " + from + change["path"].get<std::string>());
  }
  return lines;
}

inline Lines sorted(Lines lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

class Watching {
 public:
  Watching() {
    options.name = "code", options.path = folder.path() / "root", fs::create_directory(options.path);
    // The same tests, with the kernel's other way to tell (tests/CMakeLists.txt).
    if (const char* backend = std::getenv("HARK_TEST_BACKEND"); backend != nullptr && std::string_view(backend) == "fanotify" && Fanotify::open()) {
      options.backend = FileWatcherOptions::Backend::fanotify;
    }
  }

  fs::path operator/(const std::string& path) const { return folder.path() / "root" / path; }

  Status start() {
    if (!source) source = make_file_watcher(options, {loop, *clock, workers, marks});
    return source->start(host);
  }

  bool until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop.run_once(std::chrono::milliseconds(100));
    }
    return true;
  }

  // Where time itself is the point: a window, or the clock that files go by.
  void run_for(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    until([&] { return std::chrono::steady_clock::now() > end; });
  }

  // All that was accepted so far, in order: "kind path", "rename from > path".
  Lines told() const {
    Lines lines;
    for (const auto& event : host.accepted) {
      for (auto& line : lines_of(event)) lines.push_back(std::move(line));
    }
    return lines;
  }
  bool told(const std::string& line) const {
    const auto lines = told();
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  }
  // What was told since the last call, once everything done so far has been read: a mark made now is told after it.
  Lines news() {
    const auto mark = "mark" + std::to_string(++marks_);
    write(*this / mark);
    if (!until([&] { return told("create " + mark); })) return {"nothing came"};
    auto lines = told();
    std::erase_if(lines, [](const std::string& line) { return line.find(" mark") != line.npos; });
    lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(seen_));
    seen_ += lines.size();
    return lines;
  }

  TemporaryFolder folder;
  FileWatcherOptions options;
  SystemClock real_clock;
  const Clock* clock = &real_clock;
  Loop loop;
  KeptMarks marks;
  Workers workers{"test", 1};
  WatcherHost host{loop, marks};
  std::unique_ptr<Source> source;

 private:
  int marks_ = 0;
  std::size_t seen_ = 0;
};

// The inodes this process watches through inotify, by reading /proc: proc(5), fdinfo.
inline std::multimap<std::uint64_t, int> watched_inodes() {
  std::multimap<std::uint64_t, int> inodes;
  for (const auto& entry : fs::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream info(entry.path());
    for (std::string line; std::getline(info, line);) {
      if (!line.starts_with("inotify wd:")) continue;
      const auto at = line.find("ino:");
      inodes.emplace(std::stoull(line.substr(at + 4), nullptr, 16), std::stoi(entry.path().filename().string()));
    }
  }
  return inodes;
}

}  // namespace hark::test
