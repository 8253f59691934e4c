#include "core/byte_size.h"

#include <doctest/doctest.h>

using namespace hark;

TEST_CASE("byte sizes: a number, and K, M, G or T behind it") {
  CHECK(parse_byte_size("0") == 0);
  CHECK(parse_byte_size("4096") == 4096);
  CHECK(parse_byte_size("1K") == 1024);
  CHECK(parse_byte_size("512M") == 512ull << 20);
  CHECK(parse_byte_size("2G") == 2ull << 30);
  CHECK(parse_byte_size("8388607T") == 8388607ull << 40);
  for (const char* wrong : {"", "K", "2GB", "2 G", "-1", "+1", "1.5G", "0x10", "2g", "9223372036854775808", "8388608T", "99999999999999999999"}) {
    INFO(wrong);
    CHECK_FALSE(parse_byte_size(wrong).has_value());
  }
}

TEST_CASE("byte sizes: the text is the shortest that is exact, and reads back as the same") {
  CHECK(byte_size_text(0) == "0");
  CHECK(byte_size_text(1000) == "1000");
  CHECK(byte_size_text(2ull << 30) == "2G");
  CHECK(byte_size_text(1536ull << 20) == "1536M");
  for (const std::uint64_t bytes : {1ull, 1023ull, 1024ull, 1025ull, 5ull << 40, (1ull << 63) - 1}) CHECK(parse_byte_size(byte_size_text(bytes)) == bytes);
}
