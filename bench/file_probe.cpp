// Writes and closes a file again and again, and measures from close(2) to the first instruction of the handler it causes.
//   file_probe FILE SOCKET COUNT    ->  "p50_us p99_us"
#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "bench/stamp.h"

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const bench::StampReceiver receiver(argv[2]);
  const int count = std::atoi(argv[3]);
  std::vector<std::int64_t> took;
  for (int i = -20; i < count; ++i) {  // the first twenty warm up
    const int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1) bench::die(argv[1]);
    const auto closed = bench::now_ns();
    close(fd);
    const auto stamp = receiver.wait();
    if (i >= 0) took.push_back(stamp - closed);
    // Let the tool come to rest, so that each event is measured by itself.
    usleep(5000);
  }
  std::sort(took.begin(), took.end());
  std::printf("%.1f %.1f\n", double(took[took.size() / 2]) / 1000, double(took[took.size() * 99 / 100]) / 1000);
}
