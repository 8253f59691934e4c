// The handler that is measured: says when its first instruction ran, and ends.   stamp SOCKET
#include "bench/stamp.h"

int main(int argc, char** argv) {
  const auto first = bench::now_ns();
  if (argc < 2) return 2;
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  const auto address = bench::address_of(argv[1]);
  return sendto(fd, &first, sizeof first, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address) == ssize_t(sizeof first) ? 0 : 1;
}
