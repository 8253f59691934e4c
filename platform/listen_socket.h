// Sockets that listen, as descriptors: non-blocking, close-on-exec.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/result.h"

namespace hark {

struct TcpListenSocket {
  int fd = -1;
  std::uint16_t port = 0;  // the one that was bound
};

// `host`: an address, or a name that is resolved here (which may block; the configuration's default is an address). Sets
// SO_REUSEADDR, and TCP_NODELAY for what is accepted.
Result<TcpListenSocket> listen_tcp(const std::string& host, std::uint16_t port);

// A Unix socket and its file.
struct UnixListenSocket {
  int fd = -1;
  std::filesystem::path path;
  dev_t device = 0;
  ino_t inode = 0;
};

// The file is made with mode 0600. One that nobody listens on is replaced; anything else that stands there is an Error.
Result<UnixListenSocket> listen_unix_socket(const std::filesystem::path& path);
// Removes the file if it is still the one made here.
void remove_socket_file(const UnixListenSocket& socket);

// A connection that was accepted: who is at the other end.
struct PeerIdentity {
  std::string name;      // "127.0.0.1", "::1"; "unix:uid=1000"
  bool trusted = false;  // Unix: this process's user, or root
};
PeerIdentity unix_peer(int fd);

}  // namespace hark
