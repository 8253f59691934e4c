#include "platform/ip_network.h"

#include <doctest/doctest.h>

using hark::any_contains;
using hark::IpNetwork;
using hark::parse_ip_address;

namespace {

bool contains(std::string_view network, std::string_view address) {
  const auto parsed = IpNetwork::parse(network);
  REQUIRE_MESSAGE(parsed.has_value(), std::string(network));
  return any_contains({*parsed}, address);
}

}  // namespace

TEST_CASE("ip network: what it contains, and what not") {
  CHECK(contains("10.0.0.0/8", "10.255.255.255"));
  CHECK_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
  CHECK(contains("192.168.4.0/22", "192.168.7.255"));
  CHECK_FALSE(contains("192.168.4.0/22", "192.168.8.0"));
  CHECK(contains("127.0.0.1", "127.0.0.1"));
  CHECK_FALSE(contains("127.0.0.1", "127.0.0.2"));
  CHECK(contains("0.0.0.0/0", "8.8.8.8"));
  CHECK_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
  CHECK(contains("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
  CHECK(contains("::/0", "8.8.8.8"));
  CHECK(contains("::1", "0:0:0:0:0:0:0:1"));
}

TEST_CASE("ip network: IPv4 in IPv6's form is the same address") {
  CHECK(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
  CHECK(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
}

TEST_CASE("ip network: what is none") {
  for (const char* bad : {"", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/ 8", "10.0.0.1/8", "10.0.0/8", "2001:db8::/129", "2001:db8::1/32", "localhost", "10.0.0.0/8/8", "*"}) {
    CAPTURE(bad);
    CHECK_FALSE(IpNetwork::parse(bad));
  }
  CHECK_FALSE(parse_ip_address(std::string_view("127.0.0.1\0x", 11)));
  CHECK_FALSE(any_contains({*IpNetwork::parse("::/0")}, "unix:uid=0"));
}

TEST_CASE("ip network: whom a request comes from, behind proxies of ours and of others") {
  const std::vector<IpNetwork> proxies = {*IpNetwork::parse("127.0.0.1"), *IpNetwork::parse("10.0.0.0/8")};
  const auto client = [&](const std::string& peer, std::string_view forwarded) { return hark::client_address(peer, forwarded, proxies); };
  CHECK(client("127.0.0.1", "203.0.113.7") == "203.0.113.7");
  CHECK(client("127.0.0.1", "1.2.3.4, 203.0.113.7") == "203.0.113.7");  // what a stranger claims stands before it
  CHECK(client("127.0.0.1", "203.0.113.7, 10.1.1.1 ,\t10.1.1.2") == "203.0.113.7");
  CHECK(client("127.0.0.1", "10.1.1.1") == "10.1.1.1");  // of ours all the way: the first of them
  CHECK(client("127.0.0.1", "2001:db8::7") == "2001:db8::7");
  CHECK(client("127.0.0.1", "203.0.113.7:80") == "203.0.113.7");  // as some proxies write it
  CHECK(client("127.0.0.1", "[2001:db8::7]:443, 10.1.1.1:9") == "2001:db8::7");
  CHECK(client("127.0.0.1", "") == "127.0.0.1");
  CHECK(client("203.0.113.9", "1.2.3.4") == "203.0.113.9");  // no proxy of ours: what it says counts for nothing
  for (const char* bad : {"unknown", "[2001:db8::1", "203.0.113.7,", ",", "_hidden, 10.1.1.1"}) CHECK(client("127.0.0.1", bad) == "");
  CHECK(hark::client_address("127.0.0.1", "1.2.3.4", {}) == "127.0.0.1");
}
