#include "core/printable.h"

#include <doctest/doctest.h>

using hark::counted;
using hark::printable;

TEST_CASE("printable: what could break a line or steer a terminal is written as an escape") {
  CHECK(printable("caf\xc3\xa9 \xe6\xbc\xa2 \"quoted\"", 100) == "caf\xc3\xa9 \xe6\xbc\xa2 \"quoted\"");
  CHECK(printable("a\nb\tc\r", 100) == "a\\nb\\tc\\r");
  CHECK(printable(std::string_view("\x1b[2J\0\x7f", 6), 100) == "\\x1b[2J\\x00\\x7f");
  CHECK(printable("\xc2\x9b" "31m", 100) == "\\u009b31m");            // a C1 control sequence introducer
  CHECK(printable("\xe2\x80\xae" "gpj.exe", 100) == "\\u202egpj.exe");  // text that would run from right to left
  CHECK(printable("\xff\xc3(\xed\xa0\x80", 100) == "\\xff\\xc3(\\xed\\xa0\\x80");
}

TEST_CASE("printable: a cut falls between characters and is shown") {
  CHECK(printable("abcdef", 6) == "abcdef");
  CHECK(printable("abcdef", 5) == "abcde\xe2\x80\xa6");
  CHECK(printable("\xc3\xa9\xc3\xa9", 3) == "\xc3\xa9\xe2\x80\xa6");
}

TEST_CASE("counted: one is one") {
  CHECK(counted(1, "source") == "1 source");
  CHECK(counted(0, "source") == "0 sources");
}
