// What happens to a journal between and besides the transactions: kill -9, sync(), retention, newer and damaged files, limits.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <future>
#include <mutex>
#include <random>

#include "state/sqlite.h"
#include "tests/state/journal_samples.h"

namespace hark {
namespace {

using namespace std::chrono_literals;
using namespace test;
namespace fs = std::filesystem;

const Owner kOwner{"boot", 4711, 99};

void execute(const fs::path& file, const std::string& sql) {
  auto connection = sqlite::Connection::open(file, sqlite::Connection::Mode::read_write);
  REQUIRE(connection.ok());
  const auto status = (*connection)->execute(sql);
  if (!status) FAIL(status.error().text());
}

std::int64_t number(const fs::path& file, const std::string& sql) {
  auto connection = sqlite::Connection::open(file, sqlite::Connection::Mode::read_only);
  REQUIRE(connection.ok());
  const auto value = (*connection)->integer(sql);
  if (!value) FAIL(value.error().text());
  return *value;
}

Status synced(Journal& journal) {
  std::promise<Status> answer;
  auto future = answer.get_future();
  journal.sync([&](const Status& status) { answer.set_value(status); });
  return future.get();
}

// Run by the next test in a process of its own: adds events for ever, and says each number once it is committed.
TEST_CASE("journal child: adds events until it is killed" * doctest::skip()) {
  const char* file = std::getenv("HARK_TEST_JOURNAL");
  REQUIRE(file != nullptr);
  auto journal = opened(file);
  for (std::uint64_t count = 0;; ++count) {
    const auto sequence = stored(*journal, make_event("child-" + std::to_string(getpid()) + "-" + std::to_string(count),
                                                      "\"" + std::string(count * 37 % 3000, 'x') + "\""));
    const auto line = "committed " + std::to_string(sequence) + "\n";
    if (write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return;
  }
}

TEST_CASE("journal: kill -9 loses nothing that was committed") {
  const TemporaryFolder folder;
  const auto file = folder / "journal.db";
  setenv("HARK_TEST_JOURNAL", file.c_str(), 1);
  std::uint64_t last = 0;
  for (int round = 0; round < 5; ++round) {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    const char* arguments[] = {"test_state", "-ns", "-tc=journal child: adds*", nullptr};
    pid_t pid = 0;
    REQUIRE(posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, const_cast<char* const*>(arguments), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);

    // Killed after some hundred commits, at whatever it does then; what it still had said by that time is in the pipe.
    std::string said;
    char buffer[4096];
    const std::size_t enough = 2000 + static_cast<std::size_t>(round) * 3777;
    bool killed = false;
    for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
      said.append(buffer, static_cast<std::size_t>(got));
      if (said.size() > enough && !std::exchange(killed, true)) kill(pid, SIGKILL);
    }
    close(ends[0]);
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFSIGNALED(status));

    const auto whole = said.substr(0, said.rfind('\n'));
    const auto word = whole.rfind("committed ");
    REQUIRE(word != std::string::npos);
    const auto sequence = std::stoull(whole.substr(word + 10));
    CHECK(sequence > last);
    last = sequence;
    CHECK(number(file, "SELECT count(*) FROM events WHERE seq <= " + std::to_string(sequence)) == static_cast<std::int64_t>(sequence));
    auto connection = sqlite::Connection::open(file, sqlite::Connection::Mode::read_write);
    CHECK(*(*connection)->text("PRAGMA integrity_check") == "ok");
  }
}

TEST_CASE("journal: who asks for a sync meanwhile shares one, and is answered in order") {
  const TemporaryFolder folder;
  std::mutex mutex;
  std::condition_variable wake;
  int syncs = 0;
  bool open = false;
  JournalOptions options;
  options.sync = [&](int fd) {
    struct stat status {};
    if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode)) return fsync(fd);
    std::unique_lock lock(mutex);
    ++syncs;
    wake.notify_all();
    wake.wait(lock, [&] { return open; });
    return fdatasync(fd);
  };
  std::vector<int> answers;  // guarded by mutex
  auto journal = opened(folder / "journal.db", options);
  const auto ask = [&](int name) {
    stored(*journal, make_event("event-" + std::to_string(name)));
    journal->sync([&, name](const Status& status) {
      std::lock_guard lock(mutex);
      answers.push_back(status ? name : -1);
    });
  };
  ask(0);
  {
    std::unique_lock lock(mutex);
    wake.wait(lock, [&] { return syncs == 1; });
  }
  for (int name = 1; name < 50; ++name) ask(name);
  {
    std::lock_guard lock(mutex);
    CHECK(answers.empty());
    open = true;
  }
  wake.notify_all();
  journal.reset();  // finishes what was asked
  CHECK(syncs == 2);
  REQUIRE(answers.size() == 50);
  CHECK(std::is_sorted(answers.begin(), answers.end()));
  CHECK(answers.front() == 0);
}

TEST_CASE("journal: a sync that failed is told to all who wait, and nobody is told otherwise until the journal is opened anew") {
  const TemporaryFolder folder;
  std::atomic<bool> broken{false};
  JournalOptions options;
  options.sync = [&](int fd) {
    if (!broken) return fdatasync(fd);
    errno = EIO;
    return -1;
  };
  {
    auto journal = opened(folder / "journal.db", options);
    stored(*journal, make_event("event-1"));
    CHECK(synced(*journal).ok());
    broken = true;
    stored(*journal, make_event("event-2"));
    const auto status = synced(*journal);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().message.find("Input/output error") != std::string::npos);
    CHECK_FALSE(status.error().cure.empty());
    broken = false;
    CHECK_FALSE(synced(*journal).ok());
  }
  CHECK(synced(*opened(folder / "journal.db", options)).ok());
}

TEST_CASE("journal: a sync after the database was removed or replaced from outside is an error, and nothing is begun any more") {
  for (const bool replaced : {false, true}) {
    TemporaryFolder folder;
    auto journal = opened(folder / "journal.db");
    CHECK(synced(*journal).ok());
    fs::remove(folder / "journal.db");
    if (replaced) std::ofstream(folder / "journal.db") << "another";
    const auto status = synced(*journal);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().message.find("journal.db was removed or replaced") != std::string::npos);
    CHECK_FALSE(journal->begin().ok());
  }
}

TEST_CASE("journal: a sync after the -wal was removed from outside is an error") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  stored(*journal, make_event("event-1"));
  CHECK(synced(*journal).ok());
  fs::remove(folder / "journal.db-wal");
  const auto status = synced(*journal);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message.find("was removed") != std::string::npos);
}

TEST_CASE("journal: a sync holds across checkpoints and after the -wal was cut back") {
  const TemporaryFolder folder;
  JournalOptions options;
  options.checkpoint_pages = 5;
  auto journal = opened(folder / "journal.db", options);
  for (int count = 0; count < 100; ++count) {
    stored(*journal, make_event("event-" + std::to_string(count), "\"" + std::string(10'000, 'x') + "\""));
    if (count == 50) execute(folder / "journal.db", "PRAGMA wal_checkpoint(TRUNCATE)");
    CHECK(synced(*journal).ok());
  }
}

// Adds one event a second from kNow on, each routed, with a decision; `unfinished` ones have a run that waits.
void fill(Journal& journal, int from, int until, const std::function<bool(int)>& unfinished, std::size_t size = 100) {
  in_transaction(journal, [&] {
    for (int number = from; number < until; ++number) {
      auto event = make_event("event-" + std::to_string(number), "\"" + std::string(size, 'x') + "\"");
      event.time = kNow - 100000h;  // the sender's clock is wrong
      const auto sequence = *journal.add_event(event);
      REQUIRE(journal.set_routed(sequence).ok());
      REQUIRE(journal.add_decision(make_decision(sequence, "because", kNow + std::chrono::seconds(number))).ok());
      auto run = make_run("run-" + std::to_string(number), sequence);
      run.state = unfinished(number) ? RunState::queued : RunState::succeeded;
      const auto added = journal.add_run(run, kOwner);
      REQUIRE(added.ok());
      REQUIRE(journal.add_step(*added, 1, 0, StepResult{}).ok());
    }
  });
}
bool none(int) { return false; }

TEST_CASE("journal: retention by age takes the oldest first, in batches, with all that belongs to them") {
  const TemporaryFolder folder;
  const auto file = folder / "journal.db";
  auto journal = opened(file);
  fill(*journal, 0, 100, none);
  const auto prune = [&](int before, std::uint64_t keep, std::size_t batch) {
    const auto pruned = journal->prune({kNow + std::chrono::seconds(before), keep, {}}, batch);
    REQUIRE(pruned.ok());
    return pruned->events;
  };
  CHECK(prune(0, 1000, 50) == 0);
  CHECK(prune(30, 1000, 20) == 20);
  CHECK(number(file, "SELECT min(seq) FROM events") == 21);
  CHECK(prune(30, 1000, 20) == 10);
  CHECK(prune(30, 1000, 20) == 0);
  for (const char* table : {"events", "decisions", "runs", "steps"}) {
    CAPTURE(table);
    CHECK(number(file, std::string("SELECT count(*) FROM ") + table) == 70);
  }
  CHECK(prune(0, 25, 1000) == 45);  // by number
  CHECK(number(file, "SELECT count(*) FROM events") == 25);
  CHECK(prune(0, 25, 1000) == 0);
}

TEST_CASE("journal: retention never takes what is unrouted or has a run that is not finished, however old") {
  const TemporaryFolder folder;
  const auto file = folder / "journal.db";
  auto journal = opened(file);
  fill(*journal, 0, 3000, [](int number) { return number < 2500 && number % 100 != 0; });
  in_transaction(*journal, [&] { REQUIRE(journal->add_event(make_event("unrouted")).ok()); });
  // More wait at the front than one call looks at; the calls go on behind them and come round again.
  std::size_t removed = 0;
  for (int call = 0; call < 60; ++call) removed += journal->prune({kNow + 9999h, 0, {}}, 100).value().events;
  CHECK(removed == 25 + 500);
  CHECK(number(file, "SELECT count(*) FROM events") == 2500 - 25 + 1);
  CHECK(waiting_runs(*journal).size() == 2500 - 25);
  CHECK(journal->unrouted_events()->size() == 1);

  // One ends: the next round finds it.
  auto run = **journal->run_at(waiting_runs(*journal)[0].sequence);
  run.state = RunState::interrupted;
  in_transaction(*journal, [&] { REQUIRE(journal->update_run(run, kOwner).ok()); });
  removed = 0;
  for (int call = 0; call < 10; ++call) removed += journal->prune({kNow + 9999h, 0, {}}, 100).value().events;
  CHECK(removed == 1);
}

TEST_CASE("journal: numbers go on rising when everything was pruned, also after a restart") {
  const TemporaryFolder folder;
  {
    auto journal = opened(folder / "journal.db");
    fill(*journal, 0, 10, none);
    CHECK(journal->prune({kNow + 1h, 0, {}}, 1000).value().events == 10);
  }
  auto journal = opened(folder / "journal.db");
  in_transaction(*journal, [&] {
    CHECK(*journal->add_event(make_event("event-next")) == 11);
    CHECK(*journal->add_run(make_run("run-next", 11), kOwner) == 11);
  });
}

TEST_CASE("journal: retention forgets dedupe keys whose window has ended, and no others") {
  const TemporaryFolder folder;
  const auto file = folder / "journal.db";
  auto journal = opened(file);
  in_transaction(*journal, [&] {
    for (int hour = 0; hour < 10; ++hour) {
      REQUIRE(journal->remember("key-" + std::to_string(hour), {"event", 1}, kNow + std::chrono::hours(hour)).ok());
    }
  });
  CHECK_FALSE(journal->seen("other", kNow + 4h)->has_value());
  REQUIRE(journal->prune({kNow - 24h, 1000, {}}, 3).ok());
  CHECK(number(file, "SELECT count(*) FROM dedupe") == 7);
  REQUIRE(journal->prune({kNow - 24h, 1000, {}}, 3).ok());
  CHECK(number(file, "SELECT count(*) FROM dedupe") == 5);
  REQUIRE(journal->prune({kNow - 24h, 1000, {}}, 3).ok());
  CHECK(number(file, "SELECT count(*) FROM dedupe") == 5);
}

TEST_CASE("journal: pruning gives the room back to the file system, a little a call") {
  const TemporaryFolder folder;
  const auto file = folder / "journal.db";
  auto journal = opened(file);
  for (int part = 0; part < 15; ++part) fill(*journal, part * 100, part * 100 + 100, none, 6000);
  const auto before = number(file, "PRAGMA page_count");
  while (journal->prune({kNow + 9999h, 0, {}}, 2000).value().more) {
  }
  const auto after = number(file, "PRAGMA page_count");
  CAPTURE(before);
  CHECK(after < before / 2);
  CHECK(after < 1100);
  journal.reset();
  CHECK(fs::file_size(file) < 1100 * 4096);
}

TEST_CASE("journal: one that a newer hark wrote is refused, by daemon and reader, and left as it is") {
  const TemporaryFolder folder;
  const auto file = folder / "journal.db";
  stored(*opened(file), make_event("event-1"));
  execute(file, "PRAGMA user_version = 13");
  const auto journal = open_journal(file);
  REQUIRE_FALSE(journal.ok());
  CHECK(journal.error().message == file.string() + " was written by a newer hark (schema 13, this one knows 12)");
  CHECK_FALSE(journal.error().cure.empty());
  CHECK_FALSE(open_journal_reader(file).ok());
  execute(file, "PRAGMA user_version = 12");
  CHECK(opened(file)->event("event-1")->has_value());
}

TEST_CASE("journal: somebody else's SQLite database is refused and left as it is") {
  const TemporaryFolder folder;
  const auto file = folder / "journal.db";
  std::ofstream(file).close();
  execute(file, "CREATE TABLE theirs (x)");
  const auto journal = open_journal(file);
  REQUIRE_FALSE(journal.ok());
  CHECK(journal.error().message.find("no journal of hark") != std::string::npos);
  CHECK_FALSE(open_journal_reader(file).ok());
  CHECK(number(file, "SELECT count(*) FROM sqlite_schema") == 1);
}

TEST_CASE("journal: damage is an error, never a crash") {
  const TemporaryFolder folder;
  {
    auto journal = opened(folder / "whole.db");
    fill(*journal, 0, 200, [](int number) { return number % 2 == 0; });
  }
  std::ifstream whole(folder / "whole.db", std::ios::binary);
  const std::string content(std::istreambuf_iterator<char>(whole), {});
  const auto seed = std::random_device()();
  MESSAGE(std::string("damage: seed ") << seed);
  std::mt19937_64 random(seed);
  int refused = 0;
  for (int round = 0; round < 150; ++round) {
    auto damaged = content;
    if (round % 3 == 0) damaged.resize(random() % damaged.size());
    for (int hit = 0; hit < 40 && !damaged.empty(); ++hit) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (round % 3 == 1) damaged.replace(random() % (damaged.size() - 5000), 4096, 4096, '\xff');
    std::ofstream(folder / "journal.db", std::ios::binary) << damaged;
    for (const char* beside : {"journal.db-wal", "journal.db-shm"}) fs::remove(folder / beside);
    auto journal = open_journal(folder / "journal.db");
    if (!journal) {
      ++refused;
      CHECK_FALSE(journal.error().message.empty());
      continue;
    }
    auto& opened = **journal;
    bool fine = opened.runs({.limit = 1000}).ok();
    fine &= opened.unrouted_events().ok() && opened.running_runs().ok() && opened.last_successes().ok();
    fine &= opened.event("event-7").ok() && opened.run("run-77").ok() && opened.decisions(3).ok();
    fine &= opened.begin().ok();
    fine &= opened.add_event(make_event("new")).ok() && opened.add_run(make_run("new", 1), kOwner).ok();
    fine &= opened.commit().ok();
    opened.rollback();
    fine &= opened.prune({kNow + 9999h, 0, {}}, 1000).ok();
    if (!fine) ++refused;
  }
  CHECK(refused > 10);
}

TEST_CASE("journal: when the kernel takes no more bytes, the error says so, and it goes on when it does again") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  stored(*journal, make_event("event-1"));
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{300'000, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  Status status;
  int committed = 1;
  while (status) {
    status = journal->begin();
    const auto id = "event-" + std::to_string(committed + 1);
    if (status) {
      const auto event = journal->add_event(make_event(id, "\"" + std::string(20'000, 'x') + "\""));
      if (!event) status = event.error();
    }
    if (status) status = journal->commit();
    if (status) ++committed;
  }
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  INFO(status.error().text());
  CHECK(status.error().cure.find("free space") == 0);
  journal->rollback();
  stored(*journal, make_event("event-last"));
  CHECK(number(folder / "journal.db", "SELECT count(*) FROM events") == committed + 1);
}

TEST_CASE("journal: a writer waits for another process's transaction instead of failing") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  auto other = opened(folder / "journal.db");
  REQUIRE(other->begin().ok());
  REQUIRE(other->add_event(make_event("event-1")).ok());
  auto waiting = std::async(std::launch::async, [&] { return stored(*journal, make_event("event-2")); });
  REQUIRE(other->commit().ok());
  CHECK(waiting.get() == 2);
  CHECK(stored(*other, make_event("event-3")) == 3);
}

}  // namespace
TEST_CASE("prune: an event with a dead letter stays until that is old itself, or gone") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  for (int i = 0; i < 3; ++i) {
    const auto event = stored(*journal, make_event("event-" + std::to_string(i)));
    in_transaction(*journal, [&] {
      auto run = make_run("run-" + std::to_string(i), event);
      run.state = RunState::failed;
      if (i > 0) run.dead_since = kNow + std::chrono::hours(i);
      run.sequence = *journal->add_run(run, kOwner);
      REQUIRE(journal->add_attempt(run.sequence, {1, RunState::failed, {}, {}, {}, "why", {}}).ok());
    });
  }
  const Retention retention{kNow + 9999h, 0, kNow + std::chrono::minutes(90)};
  CHECK(journal->prune(retention, 100).value().events == 2);
  CHECK(journal->run("run-2")->has_value());
  CHECK(number(folder / "journal.db", "SELECT count(*) FROM attempts") == 1);
  CHECK(journal->prune({kNow + 9999h, 0, kNow + 3h}, 100).value().events == 1);
}

// Made by the first version that had a journal: an event, a run of two steps that succeeded in its second attempt, one that failed.
TEST_CASE("journal: one of an older hark is brought up to date with all it knows") {
  const TemporaryFolder folder;
  std::filesystem::copy_file(std::filesystem::path(HARK_SOURCE_DIR) / "tests/golden/journal_v1.db", folder / "journal.db");
  CHECK_FALSE(open_journal_reader(folder / "journal.db").ok());  // by a reader it is left alone
  auto journal = opened(folder / "journal.db");
  const auto runs = journal->runs({});
  REQUIRE(runs.ok());
  REQUIRE(runs->size() == 2);
  for (const auto& run : *runs) {
    CHECK(run.source == "s");
    const auto whole = journal->run(run.id);
    REQUIRE(whole.ok());
    CHECK((**whole).steps.size() == (run.handler == "two" ? 2 : 1));
  }
  in_transaction(*journal, [&] { REQUIRE(journal->add_event(make_event("new")).ok()); });
  journal.reset();
  CHECK(opened(folder / "journal.db")->event("new")->has_value());
}

}  // namespace hark
