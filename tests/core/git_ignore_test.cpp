#include "core/git_ignore.h"

#include <doctest/doctest.h>

#include "core/limits.h"

using namespace hark;

namespace {

constexpr auto kNone = IgnoreRules::Verdict::none;
constexpr auto kIgnored = IgnoreRules::Verdict::ignored;
constexpr auto kIncluded = IgnoreRules::Verdict::included;

IgnoreRules::Verdict file(std::string_view rules, std::string_view path) { return IgnoreRules::parse(rules).verdict(path, false); }
IgnoreRules::Verdict folder(std::string_view rules, std::string_view path) { return IgnoreRules::parse(rules).verdict(path, true); }

}  // namespace

TEST_CASE("ignore rules: the manual's examples") {
  CHECK(file("hello.*", "hello.txt") == kIgnored);
  CHECK(file("hello.*", "a/hello.java") == kIgnored);
  CHECK(file("/hello.*", "hello.c") == kIgnored);
  CHECK(file("/hello.*", "a/hello.java") == kNone);
  CHECK(folder("foo/", "foo") == kIgnored);
  CHECK(folder("foo/", "a/foo") == kIgnored);
  CHECK(file("foo/", "foo") == kNone);
  CHECK(file("doc/frotz", "doc/frotz") == kIgnored);
  CHECK(file("doc/frotz", "a/doc/frotz") == kNone);
  CHECK(file("foo/*", "foo/test.json") == kIgnored);
  CHECK(file("foo/*", "foo/bar/hello.c") == kNone);
  CHECK(file("**/foo/bar", "x/y/foo/bar") == kIgnored);
  CHECK(file("**/foo", "foo") == kIgnored);
  CHECK(file("abc/**", "abc/x/y") == kIgnored);
  CHECK(folder("abc/**", "abc") == kNone);
  CHECK(file("a/**/b", "a/b") == kIgnored);
  CHECK(file("a/**/b", "a/x/y/b") == kIgnored);
  CHECK(file("/*\n!/foo\n", "bar") == kIgnored);
  CHECK(folder("/*\n!/foo\n", "foo") == kIncluded);
}

TEST_CASE("ignore rules: the last line that matches decides") {
  CHECK(file("*.log\n!keep.log\n", "a/keep.log") == kIncluded);
  CHECK(file("!keep.log\n*.log\n", "keep.log") == kIgnored);
  CHECK(file("*.log\n!keep.log\n", "x.txt") == kNone);
}

TEST_CASE("ignore rules: comments, quoted signs, spaces, line ends, a byte order mark") {
  CHECK(file("# x\n\n \n", "# x") == kNone);
  CHECK(file("\\#x\n", "#x") == kIgnored);
  CHECK(file("\\!x\n", "!x") == kIgnored);
  CHECK(file("x  \n", "x") == kIgnored);
  CHECK(file("x\\ \n", "x ") == kIgnored);
  CHECK(file("x\t\n", "x") == kNone);
  CHECK(file("x\r\ny\r\n", "x") == kIgnored);
  CHECK(file("\xEF\xBB\xBFx\n", "x") == kIgnored);
  CHECK(file("x", "x") == kIgnored);
  CHECK(file("{a,b}\n", "a") == kNone);
  CHECK(file("{a,b}*\n", "{a,b}c") == kIgnored);
}

TEST_CASE("ignore rules: two stars that are no segment of their own are one") {
  CHECK(file("x/a**b", "x/ab") == kIgnored);
  CHECK(file("x/a**b", "x/a/b") == kNone);
  CHECK(file("x/**y", "x/a/y") == kNone);
}

TEST_CASE("ignore rules: what git matches with nothing") {
  for (const auto* rules : {"/", "!", "!/", "//", "a//", "./a", "/./a", "[a", "a\\"}) {
    CAPTURE(rules);
    CHECK(IgnoreRules::parse(rules).empty());
  }
}

TEST_CASE("ignore rules: no more lines count than are allowed") {
  std::string many;
  for (std::size_t i = 0; i < limits::kIgnoreRules; ++i) many += "a" + std::to_string(i) + "\n";
  CHECK(file(many + "late\n", "late") == kNone);
  CHECK(file(many + "late\n", "a0") == kIgnored);
}
