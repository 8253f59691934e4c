// A spawner that starts nothing: it records what it was asked to run and answers from a script.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "platform/process.h"

namespace hark::test {

class FakeProcesses final : public ProcessSpawner {
 public:
  struct Call {
    Command command;
    std::optional<SteadyTime> deadline;

    // The value a child would see; the last entry wins, as with the real one.
    std::optional<std::string> environment(const std::string& name) const {
      std::optional<std::string> found;
      for (const auto& [key, value] : command.environment) {
        if (key == name) found = value;
      }
      return found;
    }
  };
  using Answer = std::function<Result<ProcessResult>(const Call&, const std::stop_token&)>;

  static ProcessResult exited(int code, std::string output = {}, std::string error_output = {}) {
    ProcessResult result;
    result.code = code;
    result.output.bytes = output.size();
    result.output.head = std::move(output);
    result.error_output.bytes = error_output.size();
    result.error_output.head = std::move(error_output);
    return result;
  }
  static ProcessResult ended(ProcessResult::End end, int code) {
    ProcessResult result;
    result.end = end;
    result.code = code;
    return result;
  }

  // The answers to the calls to come, in order; beyond them every command exits with 0.
  void answer(Answer next) {
    std::lock_guard lock(mutex_);
    answers_.push_back(std::move(next));
  }
  void answer(ProcessResult next) {
    answer([next = std::move(next)](const Call&, const std::stop_token&) { return Result<ProcessResult>(next); });
  }

  std::vector<Call> calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }

  Result<ProcessResult> run(const Command& command, std::optional<SteadyTime> deadline, std::stop_token stop) override {
    Answer next;
    const Call call{command, deadline};
    {
      std::lock_guard lock(mutex_);
      calls_.push_back(call);
      if (!answers_.empty()) {
        next = std::move(answers_.front());
        answers_.pop_front();
      }
    }
    return next ? next(call, stop) : Result<ProcessResult>(exited(0));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Call> calls_;
  std::deque<Answer> answers_;
};

}  // namespace hark::test
