// A connection to a server, plain or TLS, that obeys one deadline for everything it does and one request to stop. Blocks.
//
// Used on one thread. What went wrong is kept: after a failed call, error() says it in words.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "core/result.h"
#include "core/time.h"

namespace hark {

class TlsAuthorities;

class OutgoingStream {
 public:
  OutgoingStream(Duration timeout, std::stop_token stop);
  ~OutgoingStream();
  OutgoingStream(const OutgoingStream&) = delete;
  OutgoingStream& operator=(const OutgoingStream&) = delete;

  bool connect_tcp(const std::string& host, std::uint16_t port);
  // Who listens there must be this user or root (or, for root, the folder's owner): anybody else is told nothing.
  bool connect_unix(const std::filesystem::path& path);
  bool start_tls(const std::string& host, TlsAuthorities& authorities);  // the certificate must be good, and for `host`

  // Bytes; 0 at the end; -1: failed. write() writes everything or fails.
  ssize_t read(char* bytes, std::size_t size);
  bool write(const char* bytes, std::size_t size);

  int descriptor() const;
  // The first thing that went wrong, if anything did.
  const std::optional<Error>& error() const;
  bool fail(std::string message, std::string cure = {});  // keeps the first; always false

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hark
