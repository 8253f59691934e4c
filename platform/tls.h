// TLS 1.2 and 1.3 (OpenSSL) over a socket that does not block, for the one who calls and the one who is called.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "core/result.h"

namespace hark {

// Which authorities a caller believes; read once, at the first connection. Any thread.
class TlsAuthorities {
 public:
  explicit TlsAuthorities(std::string ca_file);  // empty: the system's
  ~TlsAuthorities();

 private:
  friend class TlsSession;
  struct State;
  std::unique_ptr<State> state_;
};

// What a listener shows. Immutable: sessions hold on to the one they began with.
class TlsCertificate {
 public:
  // PEM files: the certificate with what stands between it and its root, and its key, without a password. The Error says which file and
  // what is wrong; whether a certificate is still good is its reader's to judge.
  static Result<std::shared_ptr<const TlsCertificate>> load(const std::filesystem::path& certificate, const std::filesystem::path& key);
  ~TlsCertificate();
  TlsCertificate(const TlsCertificate&) = delete;
  TlsCertificate& operator=(const TlsCertificate&) = delete;

 private:
  friend class TlsSession;
  struct State;
  explicit TlsCertificate(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// One connection. The socket stays the caller's. One thread at a time.
class TlsSession {
 public:
  // Of who calls: the certificate must be good, and for `host`. nullptr: see `error`.
  static std::unique_ptr<TlsSession> call(TlsAuthorities& authorities, const std::string& host, int fd, Error& error);
  // Of who is called.
  static std::unique_ptr<TlsSession> take(std::shared_ptr<const TlsCertificate> certificate, int fd);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Like recv(2) and send(2) with MSG_DONTWAIT: a count, 0 at the peer's end, -1 with errno: EAGAIN where the socket is to be waited for,
  // EPROTO where the session is over. The first of them shake hands; shake() does nothing else: 1 when it is done.
  int shake();
  ssize_t receive(char* into, std::size_t size);
  ssize_t send(const char* bytes, std::size_t size);
  bool wants_write() const { return wants_write_; }  // what EAGAIN waits for: to write, else to read, whichever it was itself
  const Error& error() const { return error_; }      // after EPROTO
  void close_notify();  // says that nothing more comes, as far as the socket takes it now

 private:
  TlsSession();
  ssize_t outcome(int result);

  struct State;
  std::unique_ptr<State> state_;
  bool wants_write_ = false;
  Error error_;
};

}  // namespace hark
