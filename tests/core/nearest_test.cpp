#include "core/nearest.h"

#include <doctest/doctest.h>

using hark::nearest;

TEST_CASE("nearest: a missing, added, wrong or swapped letter is forgiven") {
  const std::vector<std::string> known = {"pattern", "path", "name", "handler", "handlers"};
  CHECK(nearest("patern", known) == "pattern");
  CHECK(nearest("patttern", known) == "pattern");
  CHECK(nearest("pathern", known) == "pattern");
  CHECK(nearest("patetrn", known) == "pattern");
  CHECK(nearest("Handler", known) == "handler");
  CHECK(nearest("nmae", known) == "name");
  CHECK(nearest("handlers", known) == "handlers");
}

TEST_CASE("nearest: what is far from everything is near nothing") {
  CHECK(nearest("frobnicate", {"pattern", "path"}).empty());
  CHECK(nearest("", {"a"}).empty());
  CHECK(nearest("x", {}).empty());
  CHECK(nearest(std::string(1'000'000, 'x'), {std::string(1'000'000, 'x')}).empty());
}
