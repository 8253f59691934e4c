// What libcrypto computes. Any thread. A libcrypto that lacks an algorithm is a broken installation: std::runtime_error, so that nothing
// passes for signed or for equal.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace hark {

enum class Hash { sha1, sha256, sha512 };  // FIPS 180-4

std::size_t size_of(Hash hash);  // of what it makes, in bytes

// RFC 2104, of these pieces one behind the other.
std::string hmac(Hash hash, std::string_view key, std::initializer_list<std::string_view> message);

// In a time that tells their sizes and nothing of their bytes.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// RFC 8032. A key that is none of 32 bytes, or a signature that is none of 64, has signed nothing.
inline constexpr std::size_t kEd25519Key = 32;
bool ed25519_signed(std::string_view public_key, std::string_view message, std::string_view signature);

// Piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::string_view bytes);
  std::string finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hark
