#include "platform/ip_network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace hark {

std::optional<IpAddress> parse_ip_address(std::string_view text) {
  const std::string written(text);
  if (written.find('\0') != std::string::npos) return std::nullopt;
  IpAddress address{};
  if (::inet_pton(AF_INET6, written.c_str(), address.data()) == 1) return address;
  address = {};
  address[10] = address[11] = 0xff;
  if (::inet_pton(AF_INET, written.c_str(), address.data() + 12) == 1) return address;
  return std::nullopt;
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_ip_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  const bool four = text.substr(0, slash).find(':') == std::string_view::npos;
  IpNetwork network;
  network.first_ = *address;
  network.text_ = text;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    int bits = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (failure != std::errc() || end != digits.data() + digits.size() || bits < 0 || bits > (four ? 32 : 128)) return std::nullopt;
    network.bits_ = four ? bits + 96 : bits;
  }
  for (int bit = network.bits_; bit < 128; ++bit) {
    if ((network.first_[static_cast<std::size_t>(bit / 8)] >> (7 - bit % 8) & 1) != 0) return std::nullopt;
  }
  return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
  const auto whole = static_cast<std::size_t>(bits_ / 8);
  if (!std::equal(first_.begin(), first_.begin() + static_cast<std::ptrdiff_t>(whole), address.begin())) return false;
  const int rest = bits_ % 8;
  return rest == 0 || (first_[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool any_contains(const std::vector<IpNetwork>& networks, std::string_view address) {
  const auto parsed = parse_ip_address(address);
  return parsed && std::any_of(networks.begin(), networks.end(), [&](const IpNetwork& each) { return each.contains(*parsed); });
}

namespace {

// "192.0.2.9:41234" and "[2001:db8::1]:443", as some proxies write.
std::string_view without_port(std::string_view text) {
  if (text.starts_with('[')) return text.substr(1, text.find(']') == std::string_view::npos ? 0 : text.find(']') - 1);
  const auto colon = text.find(':');
  return colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos ? text.substr(0, colon) : text;
}

}  // namespace

std::string client_address(const std::string& peer, std::string_view forwarded_for, const std::vector<IpNetwork>& proxies) {
  if (!any_contains(proxies, peer) || forwarded_for.empty()) return peer;
  for (;;) {
    const auto comma = forwarded_for.rfind(',');
    auto last = forwarded_for.substr(comma == std::string_view::npos ? 0 : comma + 1);
    while (!last.empty() && (last.front() == ' ' || last.front() == '\t')) last.remove_prefix(1);
    while (!last.empty() && (last.back() == ' ' || last.back() == '\t')) last.remove_suffix(1);
    last = without_port(last);
    if (!parse_ip_address(last)) return {};
    if (comma == std::string_view::npos || !any_contains(proxies, last)) return std::string(last);
    forwarded_for = forwarded_for.substr(0, comma);
  }
}

}  // namespace hark
