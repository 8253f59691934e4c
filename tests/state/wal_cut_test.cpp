// A -wal that ends anywhere in its last transaction: what a kill, or a disk that writes in order, leaves. (power_cut_test.cpp has
// the disk that does not.)
#include <doctest/doctest.h>

#include <fstream>

#include "state/sqlite.h"
#include "tests/state/journal_samples.h"
#include "tests/support/rounds.h"

namespace hark {
namespace {

using namespace test;

std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// A journal and its -wal as they stand while it is open.
struct Copy {
  explicit Copy(const std::filesystem::path& file) : database(content_of(file)), wal(content_of(file.string() + "-wal")) {}

  void write_to(const std::filesystem::path& file, std::size_t length) const {
    for (const char* beside : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + beside);
    std::ofstream(file, std::ios::binary) << database;
    std::ofstream(file.string() + "-wal", std::ios::binary) << std::string_view(wal).substr(0, length);
  }

  std::string database, wal;
};

TEST_CASE("journal: a -wal cut anywhere in its last transaction holds that one whole or not at all, and all before it") {
  const TemporaryFolder folder;
  std::size_t before = 0;
  std::optional<Copy> copy;
  {
    auto journal = opened(folder / "journal.db");
    for (int number = 0; number < 5; ++number) stored(*journal, make_event("before-" + std::to_string(number)));
    before = std::filesystem::file_size(folder / "journal.db-wal");
    in_transaction(*journal, [&] {
      const auto sequence = journal->add_event(make_event("last"));
      REQUIRE(sequence.ok());
      REQUIRE(journal->add_decision(make_decision(*sequence, "because")).ok());
      REQUIRE(journal->add_run(make_run("run-last", *sequence), Owner{}).ok());
    });
    copy.emplace(folder / "journal.db");
  }
  const auto whole = copy->wal.size();
  REQUIRE(whole > before);

  constexpr std::size_t kFrame = 24 + 4096;
  constexpr std::size_t kStep = rounds(100) < 100 ? 13 : 1;

  // A reader for every byte (under sanitizers, every 13th) of the last two frames, and for every 61st of those before them: it leaves the files alone, so that
  // the next one is shorter.
  copy->write_to(folder / "read.db", whole);
  int wrong = 0;
  for (auto length = whole; length >= before; length -= length + 2 * kFrame > whole ? kStep : 61) {
    std::filesystem::resize_file(folder / "read.db-wal", length);
    std::filesystem::remove(folder / "read.db-shm");
    auto connection = sqlite::Connection::open(folder / "read.db", sqlite::Connection::Mode::read_only);
    REQUIRE(connection.ok());
    const auto found = (*connection)
                           ->integer(
                               "SELECT (SELECT count(*) FROM events) * 1000 + (SELECT count(*) FROM unrouted) * 100 + "
                               "(SELECT count(*) FROM decisions) * 10 + (SELECT count(*) FROM runs)");
    if (!found) FAIL(found.error().text() << ", cut at " << length);
    if (*found != (length == whole ? 6111 : 5000) && ++wrong == 1)
      FAIL_CHECK("cut at " << length << " of " << whole << ": " << *found);
  }
  CHECK(wrong == 0);
  CHECK(std::filesystem::file_size(folder / "read.db-wal") < before + 61);

  // A writer at the edges of each frame, and here and there within: it opens, and goes on.
  for (auto length = before; length <= whole; ++length) {
    const auto in_frame = (length - before) % kFrame;
    if (in_frame > 1 && in_frame < kFrame - 1 && length % 1009 != 0) continue;
    CAPTURE(length);
    copy->write_to(folder / "write.db", length);
    {
      auto journal = opened(folder / "write.db");
      CHECK(journal->unrouted_events()->size() == (length == whole ? 1 : 0));
      CHECK(waiting_runs(*journal).size() == (length == whole ? 1 : 0));
      CHECK(stored(*journal, make_event("afterwards")) == (length == whole ? 7 : 6));
    }
    auto connection = sqlite::Connection::open(folder / "write.db", sqlite::Connection::Mode::read_only);
    REQUIRE(connection.ok());
    CHECK(*(*connection)->text("PRAGMA integrity_check") == "ok");
  }
}

}  // namespace
}  // namespace hark
