// What libcrypto computes. Any thread. A libcrypto that lacks an algorithm is a broken installation: std::runtime_error, so that nothing
// passes for signed or for equal.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

namespace hark {

using Digest = std::array<std::uint8_t, 32>;

Digest hmac_sha256(std::string_view key, std::string_view message);  // RFC 2104 with FIPS 180-4's SHA-256
bool equal_in_constant_time(const Digest& a, const Digest& b);

// FIPS 180-4, piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::string_view bytes);
  Digest finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hark
