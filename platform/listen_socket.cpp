#include "platform/listen_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "core/limits.h"
#include "platform/descriptor.h"
#include "platform/errno_text.h"

namespace hark {

namespace {

std::string place(const std::string& host, std::uint16_t port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

Error cannot_listen(const std::string& host, std::uint16_t port, int number) {
  const auto text = std::to_string(port);
  Error error{"cannot listen on " + place(host, port) + ": " + errno_text(number), ""};
  if (number == EADDRINUSE) {
    error.cure = "stop the program that holds it (ss -ltnp 'sport = :" + text + "'), or set webhook_port";
  } else if (number == EACCES) {
    error.cure = "take a port above 1023 (webhook_port), or give the program CAP_NET_BIND_SERVICE";
  } else if (number == EADDRNOTAVAIL) {
    error.cure = "set webhook_host to an address of this machine (ip address), or to 0.0.0.0 for all";
  }
  return error;
}

// "[::1]", as in a URL.
std::string without_brackets(const std::string& host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' ? host.substr(1, host.size() - 2) : host;
}

// One part of a name; `_` is no letter of RFC 1123 and used all the same.
bool is_label(std::string_view label) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; };
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' && std::all_of(label.begin(), label.end(), fits);
}

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// AI_NUMERICHOST first: an address never waits for a name server.
int resolve(const std::string& host, std::uint16_t port, Addresses& addresses) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST;
  addrinfo* found = nullptr;
  const auto service = std::to_string(port);
  int code = getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  if (code == EAI_NONAME) {
    hints.ai_flags &= ~AI_NUMERICHOST;
    code = getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  }
  if (code == 0) addresses.reset(found);
  return code;
}

int open_listener(const addrinfo& address) {
  Descriptor socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return -1;
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // Linux hands it down to accepted sockets
  if (::bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0) return -1;
  if (::listen(socket.get(), limits::kHttpBacklog) != 0) return -1;
  return socket.release();
}

std::uint16_t bound_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
  return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

// Whether somebody answers on the socket file. A full queue (EAGAIN) is somebody.
bool is_alive(const sockaddr_un& address) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return true;
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  return errno != ECONNREFUSED && errno != ENOENT;
}

}  // namespace

Result<TcpListenSocket> listen_tcp(const std::string& host, std::uint16_t port) {
  const std::string name = without_brackets(host);
  Addresses addresses(nullptr, &freeaddrinfo);
  if (const int code = resolve(name, port, addresses); code != 0) {
    return Error{"cannot listen on " + place(name, port) + ": " + gai_strerror(code),
                 "set webhook_host to an address of this machine, such as 127.0.0.1"};
  }
  int number = 0;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    const int fd = open_listener(*address);
    if (fd >= 0) return TcpListenSocket{fd, bound_port(fd)};
    if (number == 0) number = errno;
  }
  return cannot_listen(name, port, number);
}

bool is_loopback(const std::string& host) {
  const std::string name = without_brackets(host);
  if (name == "localhost") return true;
  if (in6_addr six{}; ::inet_pton(AF_INET6, name.c_str(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six);
  in_addr four{};  // and not by its first letters: "127.example.org" is a name
  return ::inet_aton(name.c_str(), &four) == 1 && ntohl(four.s_addr) >> 24 == 127;
}

bool could_be_host(const std::string& host) {
  const std::string name = without_brackets(host);
  if (name.find(':') != std::string::npos) {
    in6_addr address{};
    return ::inet_pton(AF_INET6, name.substr(0, name.find('%')).c_str(), &address) == 1;  // behind '%' the interface
  }
  if (name.find_first_not_of("0123456789.") == std::string::npos) {
    in_addr address{};
    return ::inet_aton(name.c_str(), &address) == 1;  // "127.1" too, as getaddrinfo(3) takes it
  }
  std::string_view rest = name;
  if (rest.size() > 253) return false;
  if (rest.ends_with('.')) rest.remove_suffix(1);
  for (;;) {
    const auto dot = std::min(rest.find('.'), rest.size());
    if (!is_label(rest.substr(0, dot))) return false;
    if (dot == rest.size()) return true;
    rest.remove_prefix(dot + 1);
  }
}

Result<UnixListenSocket> listen_unix_socket(const std::filesystem::path& path) {
  const std::string name = path.string();
  const auto failed = [&](const std::string& why, std::string cure) {
    return Error{"cannot listen on " + name + ": " + why, std::move(cure)};
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.empty() || name.size() >= sizeof address.sun_path) {
    return failed("the path has " + std::to_string(name.size()) + " bytes, a Unix socket's may have " +
                      std::to_string(sizeof address.sun_path - 1),
                  "give a shorter one with --socket, or a shorter journal_file");
  }
  std::memcpy(address.sun_path, name.data(), name.size());

  // Two that start at once would both find the old file dead, and the later one would take the earlier one's away.
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  Descriptor lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.get() < 0) return failed(errno_text(errno), "make the folder " + folder.string());
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return failed("another program is just starting there", "try again");
  }

  struct stat status {};
  if (::lstat(name.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode))
      return failed("something that is no socket stands there", "move it away, or give another --socket");
    if (is_alive(address)) return failed("another daemon answers there", "stop it first (hark daemon stop)");
    ::unlink(name.c_str());
  }

  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return failed(errno_text(errno), "");
  // Linux gives the file the mode of the socket, less the umask, when it makes it: at no moment can others open it.
  if (::fchmod(socket.get(), 0600) != 0) return failed(errno_text(errno), "");
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return failed(errno_text(errno), "make sure that the folder exists and is yours to write in");
  }
  UnixListenSocket made{-1, path};
  if (::lstat(name.c_str(), &status) != 0 || (status.st_mode & 0077) != 0 || ::listen(socket.get(), limits::kHttpBacklog) != 0) {
    const auto why = errno_text(errno);
    ::unlink(name.c_str());
    return failed(why, "");
  }
  made.device = status.st_dev;
  made.inode = status.st_ino;
  made.fd = socket.release();
  return made;
}

void remove_socket_file(const UnixListenSocket& socket) {
  struct stat status {};
  if (::lstat(socket.path.c_str(), &status) != 0) return;
  if (status.st_dev == socket.device && status.st_ino == socket.inode) ::unlink(socket.path.c_str());
}

PeerIdentity unix_peer(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {"unix", false, static_cast<uid_t>(-1)};
  return {"unix:uid=" + std::to_string(peer.uid), peer.uid == ::geteuid() || peer.uid == 0, peer.uid};
}

}  // namespace hark
