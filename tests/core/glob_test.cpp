#include "core/glob.h"

#include <doctest/doctest.h>

#include <random>
#include "tests/support/rounds.h"

using hark::Glob;
using hark::GlobSet;

namespace {

Glob parsed(std::string_view pattern) {
  hark::Result<Glob> glob = Glob::parse(pattern);
  REQUIRE_MESSAGE(glob.ok(), std::string(pattern), ": ", glob.ok() ? "" : glob.error().text());
  return std::move(glob).value();
}

GlobSet set_of(const std::vector<std::string>& patterns) {
  hark::Result<GlobSet> set = GlobSet::parse(patterns);
  REQUIRE(set.ok());
  return std::move(set).value();
}

std::string error(std::string_view pattern) {
  const hark::Result<Glob> glob = Glob::parse(pattern);
  return glob ? "none" : glob.error().message;
}

struct Row {
  const char* pattern;
  const char* path;
  bool matches;
};

}  // namespace

TEST_CASE("glob: the table") {
  const Row rows[] = {
      // within a segment
      {"foo", "foo", true},
      {"foo", "bar", false},
      {"???", "foo", true},
      {"??", "foo", false},
      {"*", "foo", true},
      {"f*", "foo", true},
      {"*f", "foo", false},
      {"*foo*", "foo", true},
      {"*ob*a*r*", "foobar", true},
      {"*ab", "aaaaaaabababab", true},
      {"foo\\*", "foo*", true},
      {"foo\\*bar", "foobar", false},
      {"f\\\\oo", "f\\oo", true},
      {"*.py", ".py", true},
      {"*", ".hidden", true},
      {"?a", "/a", false},
      // no '/': the last segment, anywhere
      {"*.py", "a/b/c.py", true},
      {"c.py", "a/b/c.py", true},
      {"b", "a/b/c.py", false},
      {"a*c.py", "a/b/c.py", false},
      // '/': from the top
      {"src/*.py", "src/a.py", true},
      {"src/*.py", "src/x/a.py", false},
      {"src/*.py", "lib/src/a.py", false},
      {"/a.py", "a.py", true},
      {"/a.py", "x/a.py", false},
      {"./a.py", "x/a.py", false},
      {"./a.py", "a.py", true},
      {"foo/*", "foo", false},
      {"foo?bar", "foo/bar", false},
      // folders
      {"**/foo", "foo", true},
      {"**/foo", "XXX/foo", true},
      {"**/foo", "bar/baz/foo", true},
      {"*/foo", "bar/baz/foo", false},
      {"**/bar*", "foo/bar/baz", false},
      {"**/bar/*", "deep/foo/bar/baz", true},
      {"**/bar/*", "deep/foo/bar", false},
      {"**/bar/**", "deep/foo/bar/baz/x", true},
      {"**/bar/*/*", "deep/foo/bar/baz/x", true},
      {"**/foo/**/bar", "x/foo/bar", true},
      {"foo/**/bar", "foo/bar", true},
      {"foo/**/bar", "foo/a/b/bar", true},
      {"foo/**/bar", "fooa/bar", false},
      {"foo/**/**/bar", "foo/baz/bar", true},
      {"foo/**/**/bar", "foo/bar", true},
      {"foo/**", "foo/a", true},
      {"foo/**", "foo/a/b", true},
      {"foo/**", "foo", false},
      {"foo/**", "foobar/a", false},
      {"**", "a/b/c", true},
      {"**/", "a/b/c", true},
      {"a**c", "a/b/c", false},  // no '/' in it: the last segment
      {"/a**c", "a/b/c", true},  // unlike .gitignore
      {"src/**.py", "src/x/a.py", true},
      {"src/**.py", "src/a.py", true},
      {"**/*a*b*g*n*t", "abcd/abcdefg/abcdefghijk/abcdefghijklmnop.txt", true},
      {"**/*a*b*g*n*t", "abcd/abcdefg/abcdefghijk/abcdefghijklmnop.txtz", false},
      {"-*-*-*-*-*-*-12-*-*-*-m-*-*-*", "-adobe-courier-bold-o-normal--12-120-75-75-m-70-iso8859-1", true},
      {"-*-*-*-*-*-*-12-*-*-*-m-*-*-*", "-adobe-courier-bold-o-normal--12-120-75-75-X-70-iso8859-1", false},
      {"build/", "build/x/y", true},
      {"build/", "a/build/x", true},
      {"build/", "build", false},
      {"a/build/", "a/build/x", true},
      {"a/build/", "b/a/build/x", false},
      // classes
      {"[a-c]x", "bx", true},
      {"[!a-c]x", "bx", false},
      {"[^a-c]x", "dx", true},
      {"t[a-g]n", "ten", true},
      {"t[!a-g]n", "ton", true},
      {"a[]]b", "a]b", true},
      {"a[]-]b", "a-b", true},
      {"a[!]a-]b", "a]b", false},
      {"[a-]", "-", true},
      {"[\\]]", "]", true},
      {"[\\\\-^]", "]", true},
      {"[!x]/a", "//a", false},
      {"[[:digit:]][[:upper:]]", "7Q", true},
      {"[[:digit:]][[:upper:]]", "7q", false},
      {"[![:space:]]", "x", true},
      {"[[:alpha:]_-]", "_", true},
      {"\\[ab]", "[ab]", true},
      {"[*?]", "*", true},
      {"[*?]", "x", false},
      // braces
      {"*.{c,h,cpp}", "a/x.cpp", true},
      {"*.{c,h,cpp}", "a/x.cc", false},
      {"{src,lib}/**/*.{c,h}", "lib/a/b/x.h", true},
      {"{*.py,src/*.c}", "deep/x.py", true},
      {"{*.py,src/*.c}", "deep/src/x.c", false},
      {"a{,b}c", "ac", true},
      {"a{b{c,d},e}f", "abdf", true},
      {"a{b{c,d},e}f", "aef", true},
      {"a{b{c,d},e}f", "abf", false},
      {"{[,],x}", ",", true},
      {"\\{a,b\\}", "{a,b}", true},
      {"a}b", "a}b", true},
      {"a,b", "a,b", true},
      // bytes
      {"\xff?", "\xff\xfe", true},
      {"[\x80-\xff]", "\x90", true},
      {"\xc3?", "\xc3\xbc", true},
  };
  for (const Row& row : rows) {
    CHECK_MESSAGE(parsed(row.pattern).matches(row.path) == row.matches, std::string(row.pattern), " on ", std::string(row.path));
  }
}

TEST_CASE("glob: what could never mean what was written is an error") {
  CHECK(error("") == "pattern '': it is empty");
  CHECK(error("/") != "none");
  CHECK(error("a[b").find("'[' is not closed") != std::string::npos);
  CHECK(error("a[!]").find("'[' is not closed") != std::string::npos);
  CHECK(error("a{b").find("'{' is not closed") != std::string::npos);
  CHECK(error("a{b,{c}").find("'{' is not closed") != std::string::npos);
  CHECK(error("[z-a]").find("backwards") != std::string::npos);
  CHECK(error("[[:alhpa:]]").find("misspelt") != std::string::npos);
  CHECK(error("foo[/a]bar").find("never matches") != std::string::npos);
  CHECK(error("a\\").find("escapes nothing") != std::string::npos);
  CHECK(error(std::string(2000, 'a')).find("longer than") != std::string::npos);
}

TEST_CASE("glob: braces multiply only up to a bound") {
  std::string bomb;
  for (int i = 0; i < 100; ++i) bomb += "{a,b,c}";
  CHECK(error(bomb).find("stand for more than 256") != std::string::npos);
  CHECK(parsed("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}").matches("abababab"));
  CHECK(error(std::string(900, '{')).find("not closed") != std::string::npos);
  CHECK(parsed(std::string(400, '{') + "a" + std::string(400, '}')).matches("a"));
}

TEST_CASE("glob: no pattern is exponential") {
  std::string stars;
  std::string folders;
  for (int i = 0; i < 300; ++i) stars += "*a";
  for (int i = 0; i < 200; ++i) folders += "**/";
  const std::string text = std::string(4000, 'a') + "b";
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += "a/";
  CHECK_FALSE(parsed(stars + "c").matches(text));
  CHECK_FALSE(parsed(folders + "c").matches(deep + "b"));
  CHECK_FALSE(parsed("/" + stars + "**c").matches(text));
  CHECK_FALSE(hark::wildcard_match(stars + "c", text));
}

namespace {

// The same language by plain recursion over the text, for short patterns without classes and braces.
bool reference(std::string_view p, std::string_view t, bool segment_start) {
  if (p.empty()) return t.empty();
  if (p.starts_with("**")) {
    std::size_t stars = p.find_first_not_of('*');
    if (stars == std::string_view::npos) stars = p.size();
    const bool folders = segment_start && stars < p.size() && p[stars] == '/';
    const std::string_view rest = p.substr(folders ? stars + 1 : stars);
    for (std::size_t i = 0; i <= t.size(); ++i) {
      const bool boundary = i == 0 || t[i - 1] == '/';
      if ((!folders || boundary) && reference(rest, t.substr(i), folders)) return true;
    }
    return false;
  }
  if (p[0] == '*') {
    for (std::size_t i = 0; i <= t.size(); ++i) {
      if (reference(p.substr(1), t.substr(i), false)) return true;
      if (i < t.size() && t[i] == '/') return false;
    }
    return false;
  }
  if (t.empty()) return false;
  if (p[0] == '?' ? t[0] == '/' : p[0] != t[0]) return false;
  return reference(p.substr(1), t.substr(1), p[0] == '/');
}

}  // namespace

TEST_CASE("glob: agrees with the plain recursive definition on random patterns") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto make = [&](std::string_view signs, unsigned longest) {
    std::string text;
    for (unsigned length = 1 + random() % longest; length > 0; --length) text += signs[random() % signs.size()];
    return text;
  };
  int matched = 0;
  for (int round = 0; round < hark::test::rounds(40000); ++round) {
    const std::string pattern = "a/" + make("ab*?/**", 8) + "b";  // anchored, no '/' at the end
    const std::string path = "a/" + make("ab/", 9);
    const bool expected = reference(pattern, path, true);
    matched += expected ? 1 : 0;
    CHECK_MESSAGE(parsed(pattern).matches(path) == expected, pattern, " on ", path);
  }
  CHECK(matched > hark::test::rounds(1000));
}

TEST_CASE("glob: random text never crashes the parser") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string signs = "a/*?[]{},!\\-^:\xff";
  for (int round = 0; round < hark::test::rounds(20000); ++round) {
    std::string pattern;
    for (unsigned length = random() % 20; length > 0; --length) pattern += signs[random() % signs.size()];
    if (const hark::Result<Glob> glob = Glob::parse(pattern)) (void)glob->covers("a/]{b");
    (void)GlobSet::parse({pattern});
  }
}

TEST_CASE("glob set: includes, then excludes, whatever the order") {
  const GlobSet set = set_of({"!*_test.py", "**/*.py", "*.toml", "!vendor", "!/docs/**", "!out/"});
  CHECK(set.matches("a.py"));
  CHECK(set.matches("x/pyproject.toml"));
  CHECK_FALSE(set.matches("x/a_test.py"));
  CHECK_FALSE(set.matches("a.c"));
  CHECK_FALSE(set.matches("x/vendor/y/a.py"));  // below an excluded folder
  CHECK_FALSE(set.matches("docs/a.py"));
  CHECK(set.matches("x/docs/a.py"));
  CHECK_FALSE(set.matches("x/out/a.py"));
  CHECK(set_of({}).matches("anything"));
  CHECK(set_of({"!x"}).matches("y"));
  CHECK_FALSE(set_of({"!x"}).matches("x"));
  CHECK(set_of({"\\!x"}).matches("!x"));
  CHECK_FALSE(GlobSet::parse({"a", "!"}).ok());
  CHECK_FALSE(GlobSet::parse({"a["}).ok());
}

TEST_CASE("glob set: a folder is pruned exactly where nothing below it can match") {
  const GlobSet set = set_of({"**/*.py", "!node_modules", "!/build/**", "!a/b", "!tmp/", "!**/cache/**", "!*.egg"});
  CHECK(set.prunes("node_modules"));
  CHECK(set.prunes("x/node_modules"));
  CHECK(set.prunes("x/node_modules/y"));
  CHECK(set.prunes("build"));
  CHECK(set.prunes("build/x"));
  CHECK_FALSE(set.prunes("x/build"));
  CHECK(set.prunes("a/b"));
  CHECK_FALSE(set.prunes("a"));
  CHECK(set.prunes("x/tmp"));
  CHECK(set.prunes("tmp"));
  CHECK(set.prunes("cache"));
  CHECK(set.prunes("x/y/cache"));
  CHECK(set.prunes("x.egg"));
  CHECK_FALSE(set.prunes(""));
  CHECK_FALSE(set.prunes("src"));  // an include that cannot match there does not prune
  CHECK_FALSE(set_of({}).prunes("x"));
}

TEST_CASE("wildcard: '*' and '?' over any text") {
  const Row rows[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "a/b", true},
      {"release/*", "release/1/2", true},
      {"a*b*c", "a-b-b-c", true},
      {"a*b*c", "a-b-b-", false},
      {"?", "", false},
      {"??", "\xc3\xbc", false},
      {"?", "\xc3\xbc", true},
      {"*?", "\xc3\xbc", true},
      {"*??", "\xc3\xbc", false},
      {"?x", "\xffx", true},
      {"[a]", "[a]", true},
      {"[a]", "a", false},
      {"\\*", "\\x", true},
      {"**", "abc", true},
      {"main", "main", true},
      {"main", "Main", false},
      {"*.x", "a.y.x", true},
  };
  for (const Row& row : rows)
    CHECK_MESSAGE(hark::wildcard_match(row.pattern, row.path) == row.matches, std::string(row.pattern), " on ",
                  std::string(row.path));
}
