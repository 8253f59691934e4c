#include <doctest/doctest.h>

#include "state/journal.h"
#include "tests/state/journal_samples.h"
#include "tests/support/temporary_folder.h"

using namespace hark;
using namespace hark::test;
using namespace std::chrono_literals;

namespace {

const WallTime kBegin{1'790'000'000s};

AuditEntry entry(int number, std::string action = "trigger", std::string who = "ci") {
  return {0, kBegin + number * 1s, std::move(who), "192.0.2.1", std::move(action), "deploy", true, "event E" + std::to_string(number)};
}

std::vector<std::uint64_t> numbers(JournalReader& journal, const AuditQuery& query) {
  std::vector<std::uint64_t> found;
  const auto entries = journal.audit(query);
  REQUIRE(entries.ok());
  for (const auto& each : *entries) found.push_back(each.sequence);
  return found;
}

using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("audit: entries are there over a restart as they were written, by pages, action and who") {
  const TemporaryFolder folder;
  {
    const auto journal = opened(folder / "journal.db");
    in_transaction(*journal, [&] {
      for (int i = 1; i <= 5; ++i) REQUIRE(journal->add_audit(entry(i, i % 2 == 0 ? "cancel" : "trigger")).ok());
      REQUIRE(journal->add_audit({0, kBegin, {}, "unix:uid=0", "reload", {}, false, "it's \"no\""}).ok());
    });
    CHECK_FALSE(journal->add_audit(entry(7)).ok());  // outside a transaction
  }
  const auto reader = open_journal_reader(folder / "journal.db");
  REQUIRE(reader.ok());
  auto& journal = ***reader;
  CHECK(numbers(journal, {}) == Numbers{6, 5, 4, 3, 2, 1});
  CHECK(numbers(journal, {2, 5}) == Numbers{4, 3});
  CHECK(numbers(journal, {2, {}, 2}) == Numbers{3, 4});
  CHECK(numbers(journal, {20, {}, {}, "cancel"}) == Numbers{4, 2});
  CHECK(numbers(journal, {20, {}, {}, "", "unix:uid=0"}) == Numbers{6});
  CHECK(numbers(journal, {20, {}, {}, "", "192.0.2.1"}).empty());  // who had a token is known by it
  const auto newest = journal.audit({1})->front();
  CHECK(newest.time == kBegin);
  CHECK(newest.who.empty());
  CHECK(newest.from == "unix:uid=0");
  CHECK(newest.action == "reload");
  CHECK_FALSE(newest.done);
  CHECK(newest.outcome == "it's \"no\"");
}

TEST_CASE("audit: what is rolled back was not written, and a number is not given twice") {
  const TemporaryFolder folder;
  const auto journal = opened(folder / "journal.db");
  REQUIRE(journal->begin().ok());
  REQUIRE(journal->add_audit(entry(1)).ok());
  journal->rollback();
  CHECK(numbers(*journal, {}).empty());
  in_transaction(*journal, [&] { REQUIRE(journal->add_audit(entry(1)).ok()); });
  Retention all{};
  all.keep = 1000;
  all.audit_before = kBegin + 1h;
  REQUIRE(journal->prune(all, 100).ok());
  CHECK(numbers(*journal, {}).empty());
  in_transaction(*journal, [&] { REQUIRE(journal->add_audit(entry(2)).ok()); });
  CHECK(numbers(*journal, {}) == Numbers{2});
}

TEST_CASE("audit: the oldest go by age, a batch at a time, and events' retention is no matter") {
  const TemporaryFolder folder;
  const auto journal = opened(folder / "journal.db");
  in_transaction(*journal, [&] {
    for (int i = 1; i <= 25; ++i) REQUIRE(journal->add_audit(entry(i)).ok());
  });
  Retention retention{};
  retention.before = kBegin + 1h;
  retention.audit_before = kBegin + 21s;
  auto pruned = journal->prune(retention, 10);
  REQUIRE(pruned.ok());
  CHECK(pruned->more);
  CHECK(numbers(*journal, {100}).size() == 15);
  while (pruned->more) pruned = journal->prune(retention, 10);
  CHECK(numbers(*journal, {100}) == Numbers{25, 24, 23, 22, 21});
}
