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

// Whether it is written as an address or a host's name (RFC 1123); nobody is asked.
bool could_be_host(const std::string& host);

// Whether only this machine can reach what listens there; nobody is asked, so of names only "localhost" is known (RFC 6761, 6.3).
bool is_loopback(const std::string& host);

// Who is at the other end of a connection: the one that connected, or the one that listens.
struct PeerIdentity {
  std::string name;      // "127.0.0.1", "::1"; "unix:uid=1000"
  bool trusted = false;  // Unix: this process's user, or root
  uid_t uid = static_cast<uid_t>(-1);  // Unix
};
PeerIdentity unix_peer(int fd);

}  // namespace hark
