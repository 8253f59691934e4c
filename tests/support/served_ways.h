// A server on a loop of its own that is reached over TCP, TLS or the Unix socket: for what must be the same over all three.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "platform/http_server.h"
#include "platform/tls.h"
#include "tests/support/loop_thread.h"
#include "tests/support/raw_client.h"
#include "tests/support/temporary_folder.h"

namespace hark::test {

enum class Way { tcp, tls, unix_socket };

class ServedWays {
 public:
  explicit ServedWays(Way way = Way::tcp, HttpServerOptions options = {}) : way_(way) {
    if (way == Way::tls) certify();
    thread.run([&] {
      server.emplace(thread.loop(), options);
      if (certificate_) server->use_certificate(certificate_);
      REQUIRE(server->listen("127.0.0.1", 0).ok());
      REQUIRE(server->listen_unix(folder_ / "socket").ok());
      port_ = server->port();
    });
  }
  ~ServedWays() {
    thread.run([&] { server.reset(); });
  }

  RawClient client() {
    if (way_ == Way::unix_socket) return RawClient(folder_ / "socket");
    RawClient client(port_);
    if (way_ == Way::tls) client.secure(*authorities_);
    return client;
  }
  bool until_connections(std::size_t count) {
    return thread.until([&] { return server->connections() == count; });
  }

  LoopThread thread;
  std::optional<HttpServer> server;

 private:
  void certify() {
    const auto key = (folder_ / "key.pem").string();
    const auto certificate = (folder_ / "cert.pem").string();
    REQUIRE(std::system(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout " + key +
                         " -out " + certificate + " >/dev/null 2>&1")
                            .c_str()) == 0);
    auto loaded = TlsCertificate::load(certificate, key);
    REQUIRE(loaded.ok());
    certificate_ = *loaded;
    authorities_.emplace(certificate);
  }

  Way way_;
  TemporaryFolder folder_;
  std::shared_ptr<const TlsCertificate> certificate_;
  std::optional<TlsAuthorities> authorities_;
  std::uint16_t port_ = 0;
};

}  // namespace hark::test
