#include "sources/file_table.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

using namespace hark;

TEST_CASE("file table: does what a map does, whatever comes and goes") {
  for (const unsigned seed : {1U, 2U, 3U}) {
    std::mt19937 random(seed);
    FileTable table;
    std::map<std::string, FileStamp> model;
    const unsigned names = seed == 1 ? 5 : 3000;
    for (int step = 0; step < 60'000; ++step) {
      const unsigned number = random() % names;
      const auto name = std::string(number % 300, 'x') + std::to_string(number);
      const FileStamp stamp{random(), random()};
      const bool filling = step / 10'000 % 2 == 0;
      switch (random() % (filling ? 4 : 6)) {
        case 0:
        case 1: CHECK(table.add(name, stamp) == model.try_emplace(name, stamp).second); break;
        case 2: table.set(name, stamp), model.insert_or_assign(name, stamp); break;
        case 3: {
          const auto known = model.find(name);
          const auto* found = table.find(name);
          REQUIRE((found != nullptr) == (known != model.end()));
          if (found != nullptr) CHECK(*found == known->second);
          break;
        }
        default: CHECK(table.erase(name) == (model.erase(name) > 0));
      }
      if (step == 30'000) table.reserve(2 * table.size(), 0);
    }
    std::map<std::string, FileStamp> all;
    table.each([&](std::string_view name, const FileStamp& each) { CHECK(all.emplace(name, each).second); });
    CHECK(all == model);
    CHECK(table.size() == model.size());
  }
}

TEST_CASE("file table: a stamp is another one for another size, time or inode, and never that of a file nobody looked at") {
  const auto stamp = FileStamp::of(5, 7, 9);
  CHECK(stamp == FileStamp::of(5, 7, 9));
  CHECK(stamp != FileStamp::of(6, 7, 9));
  CHECK(stamp != FileStamp::of(5, 8, 9));
  CHECK(stamp != FileStamp::of(5, 7, 8));
  CHECK(FileStamp::of(7, 5, 9) != stamp);
  CHECK(FileStamp::of(0, 0, 0).looked_at());
  CHECK_FALSE(FileStamp{0, 9}.looked_at());
}
