#include "platform/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <utility>

namespace hark {

namespace {

struct Free {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};

// OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE when the other end is gone; ours does not.
int bio_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const auto fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  const auto sent = ::send(fd, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}
int bio_read(BIO* bio, char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const auto fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  const auto got = ::recv(fd, bytes, static_cast<std::size_t>(size), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}
long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* socket_method() {
  static const std::unique_ptr<BIO_METHOD, Free> method = [] {
    std::unique_ptr<BIO_METHOD, Free> made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "hark socket"));
    if (!made) return made;
    BIO_meth_set_write(made.get(), bio_write);
    BIO_meth_set_read(made.get(), bio_read);
    BIO_meth_set_ctrl(made.get(), bio_control);
    return made;
  }();
  return method.get();
}

bool is_address(const std::string& host) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

// The newest of what OpenSSL has to say, in its words; it is forgotten thereby.
std::string reason() {
  const auto code = ERR_peek_last_error();
  ERR_clear_error();
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text != nullptr ? text : "the connection was closed";
}

// HTTP/1.1 and nothing else (RFC 7301); a caller that names no protocol, or only others, is served all the same.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in, unsigned int length, void*) {
  static const unsigned char kHttp11[] = "\x08http/1.1";
  const int chosen = SSL_select_next_proto(const_cast<unsigned char**>(out), size, kHttp11, sizeof kHttp11 - 1, in, length);
  return chosen == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

struct TlsAuthorities::State {
  std::string ca_file;
  std::mutex mutex;
  std::unique_ptr<SSL_CTX, Free> context;

  // Reading the authorities takes longer (about 20 ms) than a call, so it is done once.
  SSL_CTX* get() {
    std::lock_guard lock(mutex);
    if (context) return context.get();
    std::unique_ptr<SSL_CTX, Free> made(SSL_CTX_new(TLS_client_method()));
    if (!made) return nullptr;
    SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(made.get(), SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
    const int loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(made.get())
                                       : SSL_CTX_load_verify_locations(made.get(), ca_file.c_str(), nullptr);
    if (loaded != 1) return nullptr;
    context = std::move(made);
    return context.get();
  }
};

TlsAuthorities::TlsAuthorities(std::string ca_file) : state_(std::make_unique<State>()) { state_->ca_file = std::move(ca_file); }
TlsAuthorities::~TlsAuthorities() = default;

struct TlsCertificate::State {
  std::unique_ptr<SSL_CTX, Free> context;
};

TlsCertificate::TlsCertificate(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsCertificate::~TlsCertificate() = default;

Result<std::shared_ptr<const TlsCertificate>> TlsCertificate::load(const std::filesystem::path& certificate, const std::filesystem::path& key) {
  ERR_clear_error();
  auto state = std::make_unique<State>();
  state->context.reset(SSL_CTX_new(TLS_server_method()));
  auto* context = state->context.get();
  if (context == nullptr) return Error{"TLS: " + reason(), {}};
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
  // A caller that negotiates again and again would cost more than it pays.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return Error{certificate.string() + " cannot be read as a certificate: " + reason(), "it is to be PEM, first the certificate, then those between it and its root"};
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Error{key.string() + " cannot be used as the key of " + certificate.string() + ": " + reason(), "it is to be PEM, without a password"};
  }
  return std::shared_ptr<const TlsCertificate>(new TlsCertificate(std::move(state)));
}

struct TlsSession::State {
  std::shared_ptr<const TlsCertificate> certificate;
  std::unique_ptr<SSL, Free> ssl;

  bool over(SSL_CTX* context, int fd) {
    ERR_clear_error();
    if (context != nullptr) ssl.reset(SSL_new(context));
    BIO* bio = ssl && socket_method() != nullptr ? BIO_new(socket_method()) : nullptr;
    if (bio == nullptr) return false;
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl.get(), bio, bio);
    return true;
  }
};

TlsSession::TlsSession() : state_(std::make_unique<State>()) {}
TlsSession::~TlsSession() = default;

std::unique_ptr<TlsSession> TlsSession::call(TlsAuthorities& authorities, const std::string& host, int fd, Error& error) {
  ERR_clear_error();
  auto* context = authorities.state_->get();
  if (context == nullptr) {
    error = {"the certificate authorities cannot be read: " + reason(), "install ca-certificates"};
    return nullptr;
  }
  std::unique_ptr<TlsSession> session(new TlsSession);
  auto& state = *session->state_;
  bool ready = state.over(context, fd);
  if (ready && is_address(host)) {
    ready = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(state.ssl.get()), host.c_str()) == 1;
  } else if (ready) {
    ready = SSL_set1_host(state.ssl.get(), host.c_str()) == 1 && SSL_set_tlsext_host_name(state.ssl.get(), host.c_str()) == 1;
  }
  if (!ready) {
    error = {"TLS: " + reason(), {}};
    return nullptr;
  }
  SSL_set_connect_state(state.ssl.get());
  return session;
}

std::unique_ptr<TlsSession> TlsSession::take(std::shared_ptr<const TlsCertificate> certificate, int fd) {
  std::unique_ptr<TlsSession> session(new TlsSession);
  auto& state = *session->state_;
  state.certificate = std::move(certificate);
  if (!state.over(state.certificate->state_->context.get(), fd)) {
    ERR_clear_error();
    return nullptr;
  }
  SSL_set_accept_state(state.ssl.get());
  return session;
}

int TlsSession::shake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(state_->ssl.get());
  return result == 1 ? 1 : outcome(result) == 0 ? 0 : -1;
}

ssize_t TlsSession::receive(char* into, std::size_t size) {
  ERR_clear_error();
  std::size_t count = 0;
  const int result = SSL_read_ex(state_->ssl.get(), into, size, &count);
  return result == 1 ? static_cast<ssize_t>(count) : outcome(result);
}

ssize_t TlsSession::send(const char* bytes, std::size_t size) {
  ERR_clear_error();
  std::size_t count = 0;
  const int result = SSL_write_ex(state_->ssl.get(), bytes, size, &count);
  return result == 1 ? static_cast<ssize_t>(count) : outcome(result);
}

ssize_t TlsSession::outcome(int result) {
  auto* ssl = state_->ssl.get();
  const int code = SSL_get_error(ssl, result);
  if (code == SSL_ERROR_ZERO_RETURN) return 0;
  if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
    wants_write_ = code == SSL_ERROR_WANT_WRITE;
    errno = EAGAIN;
    return -1;
  }
  const long verdict = SSL_get_verify_result(ssl);
  if (verdict != X509_V_OK) {
    error_ = {std::string("the certificate is not to be trusted: ") + X509_verify_cert_error_string(verdict), "have one issued for this host by an authority that this system knows"};
  } else {
    error_ = {"TLS: " + reason(), {}};
  }
  ERR_clear_error();
  errno = EPROTO;
  return -1;
}

void TlsSession::close_notify() {
  if (SSL_is_init_finished(state_->ssl.get()) == 1) SSL_shutdown(state_->ssl.get());
  ERR_clear_error();
}

}  // namespace hark
