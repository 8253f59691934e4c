// Threads for what blocks: the steps of a running handler, libgit2, state.json. One from the beginning, the others made when first needed,
// at most `limit`; jobs beyond that, or beyond what threads there are to be had, wait in order. Signals are blocked in them, so that only
// the loop sees any.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hark {

class Workers {
 public:
  Workers(std::string name, std::size_t limit);  // std::system_error: there is no thread to be had at all
  ~Workers();  // finishes what was posted, joins
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void post(std::function<void()> job);  // any thread; a job must not throw
  void set_limit(std::size_t limit);

 private:
  std::thread another();
  void work();

  const std::string name_;  // at most 15 characters: the threads' name in ps and gdb
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;   // guarded by mutex_
  std::vector<std::thread> threads_;         // guarded by mutex_
  std::size_t limit_;                        // guarded by mutex_
  std::size_t idle_ = 0;                     // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
};

}  // namespace hark
