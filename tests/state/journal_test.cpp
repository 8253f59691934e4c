#include "state/journal.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <future>
#include <thread>

#include "tests/state/journal_samples.h"

namespace hark {
namespace {

using namespace std::chrono_literals;
using namespace test;
namespace fs = std::filesystem;

int mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return static_cast<int>(status.st_mode & 07777);
}

using namespace std::string_literals;

const Owner kOwner{"boot", 4711, 99};

TEST_CASE("journal: an event comes back as it was, bytes that are no UTF-8 included") {
  const TemporaryFolder folder;
  auto event = make_event("01K7ABCDEFGHJKMNPQRSTVWXYZ", R"({"text": "\u00e4\n", "list": [1, 2.50, null]})");
  event.subject = "src/\xff\xfe caf\xe9 '\"; DROP TABLE events; --\0tail"s;
  event.topic = "deploys";
  event.causation_id = "01K7ABCDEFGHJKMNPQRSTVWXY0";
  event.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  event.dedupe_key = "delivery/1";
  event.priority = -7;
  event.ttl = 90s;
  {
    auto journal = opened(folder / "journal.db");
    CHECK(stored(*journal, event) == 1);
  }
  auto journal = opened(folder / "journal.db");
  const auto read = journal->event(event.id);
  REQUIRE(read.ok());
  REQUIRE(read->has_value());
  const Event& found = **read;
  CHECK(found.sequence == 1);
  CHECK(found.id == event.id);
  CHECK(found.type == event.type);
  CHECK(found.source == event.source);
  CHECK(found.subject == event.subject);
  CHECK(found.time == event.time);
  CHECK(found.data.text() == event.data.text());
  CHECK(found.topic == event.topic);
  CHECK(found.correlation_id == event.correlation_id);
  CHECK(found.causation_id == event.causation_id);
  CHECK(found.traceparent == event.traceparent);
  CHECK(found.dedupe_key == event.dedupe_key);
  CHECK(found.priority == -7);
  CHECK(found.ttl == 90s);
}

TEST_CASE("journal: a run with its steps comes back as it was, with what it takes from its event") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  const auto event = stored(*journal, make_event("01K7ABCDEFGHJKMNPQRSTVWXYZ"));
  auto run = make_run("01K7ABCDEFGHJKMNPQRSTVWXY1", event);
  run.priority = 3;
  StepResult first;
  first.name = "test";
  first.state = StepState::failed;
  first.attempts = 3;
  first.exit_code = 137;
  first.output = std::string("binary \0\xff\xfe", 10);
  first.error_output = std::string(200'000, 'e');
  first.output_bytes = 1ull << 40;
  first.error_bytes = 200'000;
  first.output_file = "/x/out";
  first.error_file = "/x/err";
  first.error = "killed";
  first.started = kNow + 1s;
  first.duration = 1500ms;
  first.part = StepPart::gate;
  first.iteration = 3;
  first.usage = Usage{1200, 34, 0.125};
  StepResult second;
  second.usage = Usage{1, 2, std::nullopt};
  second.name = "tell";
  second.state = StepState::skipped;
  in_transaction(*journal, [&] {
    const auto added = journal->add_run(run, kOwner);
    REQUIRE(added.ok());
    run.sequence = *added;
    REQUIRE(journal->add_step(run.sequence, 2, 1, second).ok());
    REQUIRE(journal->add_step(run.sequence, 2, 0, second).ok());
    REQUIRE(journal->add_step(run.sequence, 2, 0, first).ok());  // a resumed run says it again
    run.state = RunState::failed;
    run.attempt = 2;
    run.started = kNow + 1s;
    run.finished = kNow + 3s;
    run.exit_code = 137;
    run.error = "step test was killed";
    REQUIRE(journal->update_run(run, kOwner).ok());
  });
  const auto read = journal->run(run.id);
  REQUIRE(read.ok());
  REQUIRE(read->has_value());
  const Run& found = **read;
  CHECK(found.sequence == run.sequence);
  CHECK(found.id == run.id);
  CHECK(found.handler == "on-push");
  CHECK(found.event_id == "01K7ABCDEFGHJKMNPQRSTVWXYZ");
  CHECK(found.event_sequence == event);
  CHECK(found.event_type == "webhook");
  CHECK(found.source == "deploy");
  CHECK(found.correlation_id == "01K7ABCDEFGHJKMNPQRSTVWXYZ");
  CHECK(found.state == RunState::failed);
  CHECK(found.attempt == 2);
  CHECK(found.priority == 3);
  CHECK(found.queued == kNow);
  CHECK(found.started == kNow + 1s);
  CHECK(found.finished == kNow + 3s);
  CHECK(found.exit_code == 137);
  CHECK(found.error == "step test was killed");
  REQUIRE(found.steps.size() == 2);
  const auto& step = found.steps[0];
  CHECK(step.name == "test");
  CHECK(step.state == StepState::failed);
  CHECK(step.attempts == 3);
  CHECK(step.exit_code == 137);
  CHECK(step.part == StepPart::gate);
  CHECK(step.iteration == 3);
  REQUIRE(step.usage.has_value());
  CHECK(step.usage->input_tokens == 1200);
  CHECK(step.usage->output_tokens == 34);
  CHECK(step.usage->cost == 0.125);
  REQUIRE(found.steps[1].usage.has_value());
  CHECK_FALSE(found.steps[1].usage->cost.has_value());
  CHECK(found.steps[1].part == StepPart::step);
  CHECK(step.output == first.output);
  CHECK(step.error_output == first.error_output);
  CHECK(step.output_bytes == 1ull << 40);
  CHECK(step.error_bytes == 200'000);
  CHECK(step.output_file == "/x/out");
  CHECK(step.error_file == "/x/err");
  CHECK(step.error == "killed");
  CHECK(step.started == kNow + 1s);
  CHECK(step.duration == 1500ms);
  CHECK(found.steps[1].state == StepState::skipped);
  CHECK_FALSE(found.steps[1].exit_code.has_value());
}

TEST_CASE("journal: an id may be shortened to what is unique, in either case") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  stored(*journal, make_event("01K7AAAAAAGHJKMNPQRSTVWXYZ"));
  stored(*journal, make_event("01K7AAAAAAGHJKMNPQRSTVWXZZ"));
  stored(*journal, make_event("01K7BBBBBB"));
  stored(*journal, make_event("01K7BBBBBBGHJKMNPQRSTVWXYZ"));
  stored(*journal, make_event("order-Äpfel-42"));
  const auto id_of = [&](std::string_view prefix) {
    const auto found = journal->event(prefix);
    return !found ? "error: " + found.error().text() : *found ? (*found)->id : "none";
  };
  CHECK(id_of("01K7AAAAAAGHJKMNPQRSTVWXYZ") == "01K7AAAAAAGHJKMNPQRSTVWXYZ");
  CHECK(id_of("01k7aaaaaaghjkmnpqrstvwxz") == "01K7AAAAAAGHJKMNPQRSTVWXZZ");
  CHECK(id_of("01K7BBBBBB") == "01K7BBBBBB");  // whole, though another begins with it
  CHECK(id_of("01K7BBBBBBG") == "01K7BBBBBBGHJKMNPQRSTVWXYZ");
  CHECK(id_of("order-Äpfel-42") == "order-Äpfel-42");
  CHECK(id_of("order-") == "order-Äpfel-42");
  CHECK(id_of("\xff\xff\xff\xff\xff\xff\xff") == "none");
  CHECK(id_of("01K7AAAAAA").find("error: more than one id begins with '01K7AAAAAA'") == 0);
  CHECK(id_of("01K7b").find("error: '01K7b' is too short") == 0);
  CHECK(id_of("01K7AAAAAX") == "none");
  CHECK(id_of("xy") == "none");
  CHECK(id_of("") == "none");
  CHECK(id_of("%") == "none");
  CHECK(id_of(std::string(100'000, 'A')) == "none");
  CHECK(id_of("' OR 1=1 --") == "none");
}

TEST_CASE("journal: the short form of an id is one that no other event or run has, and keeps the time whole") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  const auto event = stored(*journal, make_event("01K7AAAAAAGHJKMNPQRSTVWXYZ"));
  stored(*journal, make_event("01K7BBBBBBGHJKMNPQRSTVWXYZ"));
  in_transaction(*journal, [&] {
    REQUIRE(journal->add_run(make_run("01K7AAAAAAGHXXXXXXXXXXXXXX", event), kOwner).ok());
    REQUIRE(journal->add_run(make_run("01K7AAAAAAGHXYYYYYYYYYYYYY", event), kOwner).ok());
  });
  CHECK(journal->short_id("01K7AAAAAAGHJKMNPQRSTVWXYZ").value() == "01K7AAAAAAGHJ");
  CHECK(journal->short_id("01K7AAAAAAGHXXXXXXXXXXXXXX").value() == "01K7AAAAAAGHXX");
  CHECK(journal->short_id("01K7AAAAAAGHXYYYYYYYYYYYYY").value() == "01K7AAAAAAGHXY");
  CHECK(journal->short_id("01K7BBBBBBGHJKMNPQRSTVWXYZ").value() == "01K7BBBBBB");
  CHECK(journal->short_id("x").value() == "x");
  CHECK(journal->run("01K7AAAAAAGHXY").value()->id == "01K7AAAAAAGHXYYYYYYYYYYYYY");
}

TEST_CASE("journal: events are listed newest first, page by page, and handlers by name") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  CHECK(journal->events({}).value().empty());
  std::uint64_t last = 0;
  for (const char* id : {"event-1", "event-2", "event-3"}) last = stored(*journal, make_event(id));
  in_transaction(*journal, [&] {
    for (const char* handler : {"test", "deploy", "test"}) REQUIRE(journal->add_run(make_run(std::string("run-of-") + handler + std::to_string(++last), 1, handler), kOwner).ok());
  });
  const auto page = journal->events({2, {}}).value();
  REQUIRE(page.size() == 2);
  CHECK(page[0].id == "event-3");
  CHECK(page[1].id == "event-2");
  const auto rest = journal->events({2, page[1].sequence}).value();
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].id == "event-1");
  CHECK(rest[0].data.text() == R"({"a":1})");
  CHECK(journal->handlers().value() == std::vector<std::string>{"deploy", "test"});
}

TEST_CASE("journal: what a filter matches is found in pages of any size, in the order asked for") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  const std::size_t many = limits::kFilterPage + 10;
  in_transaction(*journal, [&] {
    for (std::size_t i = 1; i <= many; ++i) {
      auto event = make_event("event-" + std::to_string(i));
      event.type = i % 2 == 0 ? "even" : "odd";
      const auto sequence = *journal->add_event(event);
      auto run = make_run("run-" + std::to_string(i), sequence, i % 500 == 0 ? "rare" : "usual");
      run.sequence = *journal->add_run(run, kOwner);
      run.state = i == 3 ? RunState::timed_out : i == 5 || i == 900 ? RunState::failed : RunState::succeeded;
      run.error = i == 900 ? "the disk is full" : "";
      REQUIRE(journal->update_run(run, kOwner).ok());
    }
  });
  const auto found = [&](const char* filter, std::size_t limit, bool oldest_first = false) {
    RunQuery query;
    query.filter = *Filter::parse(filter);
    query.limit = limit;
    if (oldest_first) query.after = 0;
    std::vector<std::string> ids;
    const auto runs = journal->runs(query);
    REQUIRE(runs.ok());
    for (const auto& run : *runs) ids.push_back(run.id);
    return ids;
  };
  using Ids = std::vector<std::string>;
  CHECK(found("state:failed", 10) == Ids{"run-900", "run-5"});
  CHECK(found("state:failed", 1) == Ids{"run-900"});
  CHECK(found("state:failed|state:timed_out", 10, true) == Ids{"run-3", "run-5", "run-900"});
  CHECK(found("state:failed,!error:*disk*", 10) == Ids{"run-5"});
  CHECK(found("error:*disk*", 10) == Ids{"run-900"});  // beyond the first page of rows
  CHECK(found("event.id:event-3", 10) == Ids{"run-3"});
  CHECK(found("handler:rare", 10) == Ids{"run-1000", "run-500"});
  CHECK(found("handler:rare,handler:usual", 10).empty());
  CHECK(found("state:queued", 10).empty());
  CHECK(found("state:nonsense", 10).empty());
  CHECK(found("attempt:1", 2) == Ids{"run-" + std::to_string(many), "run-" + std::to_string(many - 1)});
  CHECK(found("attempt:1", 5000).size() == many);
  CHECK(journal->events({.limit = 5000, .filter = *Filter::parse("type:odd")}).value().size() == many / 2);
  const auto one = journal->events({.limit = 5, .filter = *Filter::parse("id:event-1,source:" + make_event("e").source)}).value();
  REQUIRE(one.size() == 1);
  CHECK(one[0].id == "event-1");
}

TEST_CASE("journal: an event counts as unrouted until it is said to be routed, across transactions and restarts") {
  const TemporaryFolder folder;
  std::uint64_t second = 0;
  {
    auto journal = opened(folder / "journal.db");
    in_transaction(*journal, [&] {
      const auto first = journal->add_event(make_event("event-1"));
      second = *journal->add_event(make_event("event-2"));
      REQUIRE(journal->add_event(make_event("event-3")).ok());
      REQUIRE(journal->set_routed(*first).ok());
    });
  }
  auto journal = opened(folder / "journal.db");
  auto unrouted = journal->unrouted_events();
  REQUIRE(unrouted.ok());
  REQUIRE(unrouted->size() == 2);
  CHECK((*unrouted)[0].event->id == "event-2");
  CHECK((*unrouted)[1].event->id == "event-3");
  in_transaction(*journal, [&] { REQUIRE(journal->set_routed(second).ok()); });
  unrouted = journal->unrouted_events();
  REQUIRE(unrouted->size() == 1);
  CHECK((*unrouted)[0].event->sequence == 3);
}

TEST_CASE("journal: decisions come back in the order they were made, over several transactions") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  std::uint64_t event = 0;
  in_transaction(*journal, [&] {
    event = *journal->add_event(make_event("event-1"));
    const auto other = *journal->add_event(make_event("event-2"));
    REQUIRE(journal->add_decision(make_decision(event, "one", kNow + 9s)).ok());
    REQUIRE(journal->add_decision(make_decision(other, "other")).ok());
    REQUIRE(journal->add_decision(make_decision(event, "two")).ok());
  });
  in_transaction(*journal, [&] {
    Decision decision{event, kNow, Stage::executor, Verdict::dropped, "on-push", "three"};
    REQUIRE(journal->add_decision(decision).ok());
    decision.stage = Stage::queue;
    decision.verdict = Verdict::held;
    decision.reason = "four";
    REQUIRE(journal->add_decision(decision).ok());
  });
  const auto decisions = journal->decisions(event);
  REQUIRE(decisions.ok());
  REQUIRE(decisions->size() == 4);
  CHECK((*decisions)[0].reason == "one");
  CHECK((*decisions)[0].time == kNow + 9s);
  CHECK((*decisions)[0].event_sequence == event);
  CHECK((*decisions)[1].reason == "two");
  CHECK((*decisions)[2].reason == "three");
  CHECK((*decisions)[2].stage == Stage::executor);
  CHECK((*decisions)[2].verdict == Verdict::dropped);
  CHECK((*decisions)[2].handler == "on-push");
  CHECK((*decisions)[3].verdict == Verdict::held);
  CHECK(journal->decisions(77)->empty());
  CHECK(journal->decisions(~0ull)->empty());
}

TEST_CASE("journal: what is rolled back is gone, and the numbers go on as if it had not been") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  stored(*journal, make_event("event-1"));
  REQUIRE(journal->begin().ok());
  CHECK(*journal->add_event(make_event("event-2")) == 2);
  REQUIRE(journal->add_decision(make_decision(2, "gone")).ok());
  journal->rollback();
  journal->rollback();  // nothing to undo: nothing happens
  in_transaction(*journal, [&] {
    CHECK(*journal->add_event(make_event("event-2")) == 2);
    CHECK(*journal->add_event(make_event("event-3")) == 3);
  });
  CHECK(journal->decisions(2)->empty());
  CHECK(journal->unrouted_events()->size() == 2);
}

TEST_CASE("journal: an id that is there already, and writing outside a transaction, are errors") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  CHECK_FALSE(journal->add_event(make_event("event-1")).ok());
  CHECK_FALSE(journal->remember("key", {"event-1", 1}, kNow).ok());
  CHECK_FALSE(journal->commit().ok());
  stored(*journal, make_event("event-1"));
  REQUIRE(journal->begin().ok());
  CHECK_FALSE(journal->begin().ok());
  journal->rollback();
  REQUIRE(journal->begin().ok());
  const auto again = journal->add_event(make_event("event-1"));
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().message == "an event with the id event-1 is in the journal already");
  auto nowhere = make_run("run-1", 1);
  nowhere.sequence = 5;
  CHECK_FALSE(journal->update_run(nowhere, kOwner).ok());
  journal->rollback();
}

TEST_CASE("journal: a dedupe key is held until its window ends, and can be taken anew after") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  CHECK_FALSE(journal->seen("delivery", kNow)->has_value());
  in_transaction(*journal, [&] {
    REQUIRE(journal->remember("delivery", {"event-1", 1}, kNow + 1h).ok());
    CHECK((*journal->seen("delivery", kNow))->sequence == 1);
  });
  const auto seen = journal->seen("delivery", kNow + 59min);
  REQUIRE(seen->has_value());
  CHECK((*seen)->event_id == "event-1");
  CHECK_FALSE(journal->seen("Delivery", kNow)->has_value());
  CHECK_FALSE(journal->seen("delivery", kNow + 1h)->has_value());
  in_transaction(*journal, [&] { REQUIRE(journal->remember("delivery", {"event-2", 2}, kNow + 3h).ok()); });
  CHECK((*journal->seen("delivery", kNow + 2h))->event_id == "event-2");
}

TEST_CASE("journal: runs are listed newest first, page by page, and from a cursor oldest first") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  in_transaction(*journal, [&] {
    for (std::uint64_t number = 1; number <= 30; ++number) {
      const auto event = journal->add_event(make_event("event-number-" + std::to_string(100 + (number + 1) / 2) + (number % 2 ? "a" : "b")));
      REQUIRE(event.ok());
      auto run = make_run("run-" + std::to_string(number), *event, number % 3 == 0 ? "third" : "other");
      REQUIRE(*journal->add_run(run, kOwner) == number);
    }
  });
  const auto numbers = [&](const RunQuery& query) {
    std::vector<std::uint64_t> result;
    const auto runs = journal->runs(query);
    REQUIRE(runs.ok());
    for (const auto& run : *runs) result.push_back(run.sequence);
    return result;
  };
  using Numbers = std::vector<std::uint64_t>;
  CHECK(numbers({}).size() == 20);
  CHECK(numbers({.limit = 3}) == Numbers{30, 29, 28});
  CHECK(numbers({.limit = 3, .before = 28}) == Numbers{27, 26, 25});
  CHECK(numbers({.limit = 3, .before = 2}) == Numbers{1});
  CHECK(numbers({.limit = 3, .after = 0}) == Numbers{1, 2, 3});
  CHECK(numbers({.limit = 3, .after = 28}) == Numbers{29, 30});
  CHECK(numbers({.after = 30}).empty());
  CHECK(numbers({.limit = ~std::size_t{0}, .before = ~0ull}).size() == 30);
  CHECK(numbers({.limit = 2, .before = 28, .handler = "third"}) == Numbers{27, 24});
  CHECK(numbers({.limit = 2, .after = 28, .handler = "third"}) == Numbers{30});
  CHECK(numbers({.handler = "thi"}).empty());
  CHECK(numbers({.event_id = "event-number-101b"}) == Numbers{2});
  CHECK(numbers({.handler = "third", .event_id = "event-number-101b"}).empty());
  CHECK(numbers({.event_id = "no such event"}).empty());
  CHECK(numbers({.limit = 0}).empty());
  CHECK_FALSE(journal->runs({.event_id = "event-number-101"}).ok());
}

TEST_CASE("journal: after a start it names the runs that are not finished, with their owners, and the last successes") {
  const TemporaryFolder folder;
  {
    auto journal = opened(folder / "journal.db");
    const auto event = stored(*journal, make_event("event-1"));
    in_transaction(*journal, [&] {
      int unique = 0;
      for (const auto state : {RunState::succeeded, RunState::running, RunState::interrupted, RunState::queued, RunState::failed,
                               RunState::succeeded, RunState::timed_out, RunState::cancelled}) {
        auto run = make_run("run-" + std::string(to_string(state)) + std::to_string(unique++), event);
        run.sequence = *journal->add_run(run, kOwner);
        run.state = state;
        run.started = kNow + std::chrono::seconds(run.sequence);
        REQUIRE(journal->update_run(run, {"boot", 4712, run.sequence}).ok());
      }
    });
  }
  auto journal = opened(folder / "journal.db");
  const auto running = journal->running_runs();
  REQUIRE(running.ok());
  REQUIRE(running->size() == 1);
  CHECK((*running)[0].first.state == RunState::running);
  CHECK((*running)[0].first.event_id == "event-1");
  CHECK((*running)[0].second.boot_id == "boot");
  CHECK((*running)[0].second.pid == 4712);
  CHECK((*running)[0].second.start_time == 2);
  const auto waiting = waiting_runs(*journal);
  REQUIRE(waiting.size() == 1);
  CHECK(waiting[0].sequence == 4);
  CHECK(waiting[0].handler == "on-push");
  const auto successes = journal->last_successes();
  REQUIRE(successes.ok());
  REQUIRE(successes->size() == 1);
  CHECK((*successes)[0].first == "on-push");
  CHECK((*successes)[0].second == kNow + 6s);
}

TEST_CASE("journal: folder and files are the owner's alone, whatever the umask") {
  for (const mode_t mask : {mode_t{0}, mode_t{0077}}) {
    const TemporaryFolder folder;
    const auto before = umask(mask);
    auto journal = opened(folder / "state" / "journal.db");
    stored(*journal, make_event("event-1"));
    umask(before);
    CHECK(mode_of(folder / "state") == 0700);
    CHECK(mode_of(folder / "state" / "journal.db") == 0600);
    CHECK(mode_of(folder / "state" / "journal.db-wal") == 0600);
    CHECK(mode_of(folder / "state" / "journal.db-shm") == 0600);
  }
}

TEST_CASE("journal: a clean end leaves one file") {
  const TemporaryFolder folder;
  stored(*opened(folder / "state" / "journal.db"), make_event("event-1"));
  CHECK(std::distance(fs::directory_iterator(folder / "state"), fs::directory_iterator()) == 1);
}

TEST_CASE("journal: a path without a folder, with odd characters or like a URI is a plain file's name") {
  const TemporaryFolder folder;
  for (const char* name : {"file:x?mode=memory", "a b%20'\".db", "\xff\xfe", ":memory:"}) {
    CAPTURE(name);
    stored(*opened(folder / name), make_event("event-1"));
    CHECK(fs::exists(folder / name));
  }
}

TEST_CASE("journal: what is no journal is refused with the file's name and a cure, and left as it is") {
  const TemporaryFolder folder;
  std::string text = "SQLite format 4, not quite";
  text.resize(8192, '\n');
  std::ofstream(folder / "journal.db") << text;
  const auto journal = open_journal(folder / "journal.db");
  REQUIRE_FALSE(journal.ok());
  CHECK(journal.error().message.find((folder / "journal.db").string()) != std::string::npos);
  CHECK(journal.error().cure.find("move") == 0);
  std::ifstream file(folder / "journal.db");
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == text);
  CHECK_FALSE(open_journal_reader(folder / "journal.db").ok());
}

TEST_CASE("journal: a path below a file cannot be opened, and the error has a cure") {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  const auto journal = open_journal(folder / "file" / "journal.db");
  REQUIRE_FALSE(journal.ok());
  CHECK_FALSE(journal.error().cure.empty());
  const auto deep = open_journal(folder / "file" / "deeper" / "journal.db");
  REQUIRE_FALSE(deep.ok());
  CHECK_FALSE(deep.error().cure.empty());
  fs::create_directory(folder / "directory.db");
  CHECK_FALSE(open_journal(folder / "directory.db").ok());
}

TEST_CASE("journal: many that open a new journal at once all get it, and write side by side") {
  for (int round = 0; round < 10; ++round) {
    const TemporaryFolder folder;
    std::vector<std::future<std::string>> writers;
    for (int writer = 0; writer < 4; ++writer) {
      writers.push_back(std::async(std::launch::async, [&folder, writer]() -> std::string {
        for (int time = 0; time < 5; ++time) {
          auto journal = open_journal(folder / "journal.db");
          if (!journal) return journal.error().text();
          auto& opened = **journal;
          if (auto status = opened.begin(); !status) return status.error().text();
          const auto event = opened.add_event(make_event("event-" + std::to_string(writer) + "-" + std::to_string(time)));
          if (!event) return event.error().text();
          if (auto status = opened.commit(); !status) return status.error().text();
        }
        return "";
      }));
    }
    for (auto& writer : writers) CHECK(writer.get() == "");
    const auto events = opened(folder / "journal.db")->unrouted_events();
    REQUIRE(events->size() == 20);
    CHECK(events->back().event->sequence == 20);
  }
}

TEST_CASE("journal: readers on other threads see what is committed while the writer goes on") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  std::atomic<bool> done{false};
  std::vector<std::future<std::string>> readers;
  for (int count = 0; count < 2; ++count) {
    readers.push_back(std::async(std::launch::async, [&]() -> std::string {
      auto reader = open_journal_reader(folder / "journal.db");
      if (!reader) return reader.error().text();
      if (!*reader) return "no journal";
      std::uint64_t last = 0;
      while (!done) {
        const auto runs = (**reader)->runs({.limit = 5, .after = last});
        if (!runs) return runs.error().text();
        for (const auto& run : *runs) {
          if (run.sequence != last + 1) return "a run was passed by";
          if (run.event_id.empty()) return "a run without its event";
          last = run.sequence;
        }
      }
      return "";
    }));
  }
  for (int number = 0; number < 300; ++number) {
    in_transaction(*journal, [&] {
      const auto event = journal->add_event(make_event("event-" + std::to_string(number)));
      REQUIRE(journal->add_run(make_run("run-" + std::to_string(number), *event), kOwner).ok());
    });
  }
  done = true;
  for (auto& reader : readers) CHECK(reader.get() == "");
}

TEST_CASE("journal: a reader finds no journal, an empty file, and one that no daemon has open") {
  const TemporaryFolder folder;
  auto none = open_journal_reader(folder / "journal.db");
  REQUIRE(none.ok());
  CHECK_FALSE(none->has_value());
  CHECK_FALSE(fs::exists(folder / "journal.db"));
  CHECK_FALSE(open_journal_reader(folder / "nowhere" / "journal.db")->has_value());

  std::ofstream(folder / "empty.db");
  none = open_journal_reader(folder / "empty.db");
  REQUIRE(none.ok());
  CHECK_FALSE(none->has_value());

  const auto sequence = stored(*opened(folder / "journal.db"), make_event("event-1"));
  CHECK_FALSE(fs::exists(folder / "journal.db-shm"));
  auto reader = open_journal_reader(folder / "journal.db");
  REQUIRE(reader.ok());
  REQUIRE(reader->has_value());
  CHECK((*(**reader)->event("event-1"))->sequence == sequence);
  CHECK_FALSE((*(**reader)->run("run-none")).has_value());
}

}  // namespace
TEST_CASE("journal: a run's attempts are kept, and a new one takes over what was done") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  const auto event = stored(*journal, make_event("event-1"));
  auto run = make_run("run-number-1", event);
  run.source = "deploy";
  run.key = "k";
  StepResult done, tolerated, gate, failed;
  done.name = "one";
  done.output = "first";
  tolerated.name = "two";
  tolerated.state = StepState::tolerated;
  gate.name = "judge";
  gate.part = StepPart::gate;
  gate.state = StepState::failed;
  failed.name = "three";
  failed.state = StepState::cancelled;
  in_transaction(*journal, [&] {
    run.sequence = *journal->add_run(run, Owner{});
    REQUIRE(journal->add_step(run.sequence, 1, 0, done).ok());
    REQUIRE(journal->add_step(run.sequence, 1, 1, tolerated).ok());
    REQUIRE(journal->add_step(run.sequence, 1, 2, gate).ok());
    REQUIRE(journal->add_step(run.sequence, 1, 3, failed).ok());
    REQUIRE(journal->add_attempt(run.sequence, {1, RunState::interrupted, kNow, kNow + 1s, 7, "cut off", {}}).ok());
    REQUIRE(journal->carry_steps(run.sequence, 1, 2).ok());
    run.attempt = 2;
    run.failures = 3;
    run.interruptions = 4;
    run.not_before = kNow + 5s;
    run.dead_since = kNow + 6s;
    REQUIRE(journal->update_run(run, Owner{}).ok());
  });
  const auto whole = **journal->run("run-number-1");
  REQUIRE(whole.steps.size() == 3);
  CHECK(whole.steps[0].output == "first");
  CHECK(whole.steps[1].state == StepState::tolerated);
  CHECK(whole.steps[2].name == "judge");
  CHECK(whole.source == "deploy");
  CHECK(whole.key == "k");
  CHECK(whole.failures == 3);
  CHECK(whole.interruptions == 4);
  CHECK(whole.not_before == kNow + 5s);
  REQUIRE(whole.attempts.size() == 1);
  CHECK(whole.attempts[0].state == RunState::interrupted);
  CHECK(whole.attempts[0].started == kNow);
  CHECK(whole.attempts[0].finished == kNow + 1s);
  CHECK(whole.attempts[0].exit_code == 7);
  CHECK(whole.attempts[0].error == "cut off");
  CHECK(whole.attempts[0].steps.size() == 4);
  CHECK(waiting_runs(*journal)[0].key == "k");
  CHECK(waiting_runs(*journal)[0].not_before == kNow + 5s);
  const auto dead = journal->runs({.dead = true});
  REQUIRE(dead.ok());
  CHECK(dead->size() == 1);
  in_transaction(*journal, [&] {
    run.dead_since.reset();
    REQUIRE(journal->update_run(run, Owner{}).ok());
  });
  CHECK(journal->runs({.dead = true})->empty());
}

TEST_CASE("journal: it remembers which handlers a person paused") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  in_transaction(*journal, [&] {
    for (const char* handler : {"a", "b", "a"}) REQUIRE(journal->set_paused(handler, true).ok());
  });
  journal.reset();
  journal = opened(folder / "journal.db");
  CHECK(*journal->paused() == std::vector<std::string>{"a", "b"});
  in_transaction(*journal, [&] { REQUIRE(journal->set_paused("a", false).ok()); });
  CHECK(*journal->paused() == std::vector<std::string>{"b"});
  in_transaction(*journal, [&] { REQUIRE(journal->set_paused("", false).ok()); });
  CHECK(journal->paused()->empty());
}

TEST_CASE("journal: what hooks hold comes back whole and in order, and keeps its event from being pruned") {
  TemporaryFolder folder;
  const auto file = folder / "journal.db";
  const Owner owner{"boot", 7, 9};
  {
    auto journal = open_journal(file);
    REQUIRE(journal);
    REQUIRE((*journal)->begin());
    for (const char* id : {"A", "B"}) {
      const auto sequence = (*journal)->add_event(make_event(id));
      REQUIRE(sequence);
      REQUIRE((*journal)->set_routed(*sequence));
    }
    REQUIRE((*journal)->add_held({.event_sequence = 2, .handler = "h", .direct = true, .without = {"a\"b", "c"}}, owner));
    REQUIRE((*journal)->add_held({.event_sequence = 1, .start = true, .handler = "x", .priority = -3, .key = "", .not_before = kNow}, owner));
    const auto gone = (*journal)->add_held({.event_sequence = 1, .start = true, .handler = "y"}, owner);
    REQUIRE(gone);
    REQUIRE((*journal)->remove_held(*gone));
    REQUIRE((*journal)->commit());
  }
  auto journal = open_journal(file);
  REQUIRE(journal);
  const auto held = (*journal)->held();
  REQUIRE(held);
  REQUIRE(held->size() == 2);
  const auto& [whole, its] = (*held)[0];
  CHECK(whole.event_sequence == 2);
  CHECK_FALSE(whole.start);
  CHECK(whole.handler == "h");
  CHECK(whole.direct);
  CHECK(whole.without == std::vector<std::string>{"a\"b", "c"});
  CHECK_FALSE(whole.key);
  CHECK(its.pid == 7);
  const auto& start = (*held)[1].first;
  CHECK(start.start);
  CHECK(start.priority == -3);
  CHECK(start.key == "");
  CHECK(start.not_before == kNow);
  CHECK(whole.id < start.id);
  CHECK((*journal)->prune({kNow + std::chrono::hours(1), 0, kNow + std::chrono::hours(1), {}}, 10)->events == 0);
}

}  // namespace hark
