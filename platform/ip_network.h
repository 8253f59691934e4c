// Addresses and networks, as text names them. Pure; nobody is asked.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hark {

// IPv4 as RFC 4291's mapped IPv6, so that "127.0.0.1" and "::ffff:127.0.0.1" are one.
using IpAddress = std::array<std::uint8_t, 16>;
std::optional<IpAddress> parse_ip_address(std::string_view text);

// "10.0.0.0/8", "2001:db8::/32", or one address.
class IpNetwork {
 public:
  // nullopt: it is none, or bits beyond the prefix are set ("10.0.0.1/8"), which leaves open what was meant.
  static std::optional<IpNetwork> parse(std::string_view text);
  bool contains(const IpAddress& address) const;
  const std::string& text() const { return text_; }
  friend bool operator==(const IpNetwork& a, const IpNetwork& b) { return a.first_ == b.first_ && a.bits_ == b.bits_; }

 private:
  IpAddress first_{};
  int bits_ = 128;
  std::string text_;
};

bool any_contains(const std::vector<IpNetwork>& networks, std::string_view address);

// Who sent a request that came from `peer`: the peer, or where that is a proxy of ours the last address in its X-Forwarded-For (ports aside)
// that is none, as each proxy adds whom it heard from behind what it was told, which anybody can have made up. Empty: the header names none.
std::string client_address(const std::string& peer, std::string_view forwarded_for, const std::vector<IpNetwork>& proxies);

}  // namespace hark
