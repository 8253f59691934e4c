// The least a runner does: posix_spawn and wait, on as many threads as the tool runs handlers.   spawn_floor THREADS COUNT  ->  starts/s
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>
#include <vector>

#include "bench/stamp.h"

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int threads = std::atoi(argv[1]);
  const int count = std::atoi(argv[2]);
  std::atomic<int> left{count};
  const auto begun = bench::now_ns();
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      char program[] = "/bin/true";
      char* words[] = {program, nullptr};
      while (left.fetch_sub(1) > 0) {
        pid_t child = 0;
        if (posix_spawn(&child, program, nullptr, nullptr, words, environ) != 0) bench::die(program);
        waitpid(child, nullptr, 0);
      }
    });
  }
  for (auto& worker : workers) worker.join();
  std::printf("%.0f\n", count / (double(bench::now_ns() - begun) / 1e9));
}
