// The promise of Journal::sync(): what it said yes to is there after a power cut at any moment, whatever else the disk lost.
#include <doctest/doctest.h>

#include <cstdlib>
#include <future>

#include "state/sqlite.h"
#include "tests/state/journal_samples.h"
#include "tests/state/power_cut_disk.h"
#include "tests/support/rounds.h"

namespace hark {
namespace {

using namespace test;

std::uint64_t printed_seed(const char* what) {
  const char* given = std::getenv("HARK_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  MESSAGE(std::string(what) << ": HARK_TEST_SEED=" << seed);
  return seed;
}

// A journal under a load of its own: transactions of several events of all sizes, some of which are pruned again.
class Load {
 public:
  Load(PowerCutDisk& disk, const std::filesystem::path& file, std::uint64_t seed, bool honest) : disk_(disk), random_(seed) {
    JournalOptions options;
    options.vfs = disk.name();
    options.sync = [this, honest](int fd) { return disk_.sync(fd, honest); };
    options.checkpoint_pages = 4 + static_cast<int>(random_() % 60);
    journal_ = opened(file, options);
  }

  // One transaction; some are asked to be synced, some are rolled back.
  void step() {
    REQUIRE(journal_->begin().ok());
    const auto number = ++transactions_;
    const auto count = 1 + random_() % 5;
    std::vector<std::string> ids;
    for (std::uint64_t index = 0; index < count; ++index) {
      ids.push_back("t" + std::to_string(number) + "." + std::to_string(index) + "of" + std::to_string(count));
      REQUIRE(add(ids.back()));
    }
    if (random_() % 10 == 0) return journal_->rollback();
    REQUIRE(journal_->commit().ok());
    if (random_() % 3 != 0) promise(std::move(ids));
    if (random_() % 8 == 0) REQUIRE(journal_->prune({kNow + std::chrono::hours(1), 0, {}}, 20).ok());
  }

  // Ends the journal as a daemon does.
  void close() { journal_.reset(); }

 private:
  bool add(const std::string& id) {
    const auto padding = std::string(random_() % (random_() % 4 == 0 ? 6'000 : 100), 'x');
    const auto event = journal_->add_event(make_event(id, "{\"id\":\"" + id + "\",\"padding\":\"" + padding + "\"}"));
    // A second event, routed and done, is what prune() takes.
    const auto done = journal_->add_event(make_event("done-" + id, "\"" + padding + "\""));
    if (!event || !done || !journal_->set_routed(*done)) return false;
    auto run = make_run("run-" + id, *done);
    run.state = RunState::succeeded;
    return journal_->add_decision(make_decision(*event, "because")).ok() && journal_->add_decision(make_decision(*done, "because")).ok() &&
           journal_->add_run(run, Owner{}).ok();
  }

  void promise(std::vector<std::string> ids) {
    std::promise<void> answered;
    auto future = answered.get_future();
    const bool wait = random_() % 4 == 0;
    journal_->sync([this, ids = std::move(ids), answered = std::make_shared<std::promise<void>>(std::move(answered))](const Status& status) {
      if (status) {
        for (const auto& id : ids) disk_.promise(id);
      }
      answered->set_value();
    });
    if (wait) future.get();
  }

  PowerCutDisk& disk_;
  std::mt19937_64 random_;
  std::uint64_t transactions_ = 0;
  std::unique_ptr<Journal> journal_;
};

std::string integrity_of(const std::filesystem::path& file) {
  auto connection = sqlite::Connection::open(file, sqlite::Connection::Mode::read_write);
  if (!connection) return connection.error().text();
  const auto answer = (*connection)->text("PRAGMA integrity_check");
  return answer ? *answer : answer.error().text();
}

// What is wrong with the journal that the power cut left; empty: all that was promised is there, whole, and nothing is half there.
std::string fault_of(const PowerCutDisk::Image& image) {
  const TemporaryFolder folder;
  image.write_to(folder.path());
  std::set<std::string> found;
  {
    auto journal = open_journal(folder / "journal.db");
    if (!journal) return "it does not open: " + journal.error().text();
    const auto events = (*journal)->unrouted_events();
    if (!events) return "it cannot be read: " + events.error().text();
    for (const auto& [event, gathering] : *events) {
      if (event->data.text().find("\"id\":\"" + event->id + "\"") == std::string::npos) return event->id + " has other data";
      found.insert(event->id);
    }
    if (auto status = (*journal)->begin(); !status) return status.error().text();
    if (auto added = (*journal)->add_event(make_event("afterwards")); !added) return added.error().text();
    if (auto status = (*journal)->commit(); !status) return status.error().text();
  }
  if (const auto answer = integrity_of(folder / "journal.db"); answer != "ok") return "integrity_check: " + answer;
  for (const auto& id : image.promised) {
    if (!found.contains(id)) return id + " was promised and is lost";
  }
  for (const auto& id : found) {
    const auto count = std::stoul(id.substr(id.find("of") + 2));
    for (std::size_t index = 0; index < count; ++index) {
      const auto sibling = id.substr(0, id.find('.') + 1) + std::to_string(index) + "of" + std::to_string(count);
      if (!found.contains(sibling)) return id + " is there without " + sibling + " of the same transaction";
    }
  }
  return "";
}

struct Tally {
  int faults = 0;
  std::size_t promised = 0;
  std::string first;
};

Tally cut_power(std::uint64_t seed, int rounds, bool honest) {
  Tally tally;
  for (int round = 0; round < rounds; ++round) {
    const auto round_seed = seed + static_cast<std::uint64_t>(round) * 1'000'003;
    std::mt19937_64 random(round_seed);
    const TemporaryFolder folder;
    PowerCutDisk disk;
    std::vector<PowerCutDisk::Image> images;
    // Most cuts in the middle of things, some while the journal is made, some while it is closed.
    disk.cut_after(random() % (round % 5 == 0 ? 60 : 800), random());
    Load load(disk, folder / "journal.db", random(), honest);
    for (int step = 0; step < 40 && !disk.taken(); ++step) load.step();
    if (!disk.taken()) images.push_back(disk.cut_now(random()));
    load.close();
    if (disk.taken()) images.push_back(*disk.taken());
    for (const auto& image : images) {
      tally.promised += image.promised.size();
      const auto fault = fault_of(image);
      if (fault.empty()) continue;
      ++tally.faults;
      if (tally.first.empty()) tally.first = "round " + std::to_string(round) + ": " + fault;
    }
  }
  return tally;
}

TEST_CASE("journal: what sync() promised is there after a power cut at any moment, and the rest is whole") {
  const auto seed = printed_seed("power cut");
  const auto tally = cut_power(seed, rounds(300), true);
  INFO(tally.first);
  CHECK(tally.faults == 0);
  CHECK(tally.promised > rounds(1000u));
}

TEST_CASE("journal: a power cut while the file is made leaves one that opens") {
  const auto seed = printed_seed("power cut at the beginning");
  int faults = 0;
  std::string first;
  for (std::uint64_t round = 0; round < rounds(300u); ++round) {
    std::mt19937_64 random(seed + round);
    const TemporaryFolder folder;
    PowerCutDisk disk;
    disk.cut_after(4 + round % 16, random());  // the file is a WAL database after about as many
    JournalOptions options;
    options.vfs = disk.name();
    options.sync = [&](int fd) { return disk.sync(fd); };
    opened(folder / "journal.db", options).reset();
    REQUIRE(disk.taken());
    const auto fault = fault_of(*disk.taken());
    if (!fault.empty() && faults++ == 0) first = "round " + std::to_string(round) + ": " + fault;
  }
  INFO(first);
  CHECK(faults == 0);
}

TEST_CASE("journal: the power cut finds a disk that lies about its syncs") {
  int faults = 0;
  for (std::uint64_t seed = 7; faults == 0 && seed < 47; ++seed) faults = cut_power(seed, 5, false).faults;
  CHECK(faults > 0);
}

TEST_CASE("journal: on a full disk a transaction fails, is rolled back whole, and later ones succeed when there is space again") {
  const auto seed = printed_seed("full disk");
  int failures = 0;
  for (std::uint64_t round = 0; round < rounds(60u); ++round) {
    std::mt19937_64 random(seed + round);
    const TemporaryFolder folder;
    PowerCutDisk disk;
    JournalOptions options;
    options.vfs = disk.name();
    options.checkpoint_pages = 4 + static_cast<int>(random() % 30);
    std::set<std::string> committed;
    {
      auto journal = opened(folder / "journal.db", options);
      disk.full_after(random() % 100);
      int failed_here = 0;
      for (int number = 0; number < 40; ++number) {
        if (failed_here > 3) disk.space_is_back();
        const auto id = "event-" + std::to_string(number);
        auto status = journal->begin();
        if (status) {
          const auto event = journal->add_event(make_event(id, "\"" + std::string(random() % 8'000, 'x') + "\""));
          status = event ? journal->add_decision(make_decision(*event, "because")) : Status(event.error());
        }
        if (status) status = journal->commit();
        if (status) {
          committed.insert(id);
          continue;
        }
        CHECK(status.error().cure.find("free space") == 0);
        journal->rollback();
        ++failed_here;
        REQUIRE(failed_here <= 4);
      }
      failures += failed_here;
    }
    auto journal = opened(folder / "journal.db");
    std::set<std::string> found;
    const auto events = journal->unrouted_events();
    REQUIRE(events.ok());
    for (const auto& [event, gathering] : *events) {
      found.insert(event->id);
      CHECK(journal->decisions(event->sequence)->size() == 1);
    }
    CHECK(found == committed);
    journal.reset();
    CHECK(integrity_of(folder / "journal.db") == "ok");
  }
  CHECK(failures > test::rounds(40));
}

}  // namespace
}  // namespace hark
