// Random histories of the engine, on a journal whose disk loses its power or is full, and what must be true after each of them:
// nothing accepted is lost, nothing runs twice at once or again after its end, each dedupe key is one event, runs of one key keep their
// order through retries, restarts, hooks and waits for events, and no run is left over.
//
// Everything follows from the seed: the clock is fake, and the thread that syncs the journal works only when a history lets it.
// HARK_TEST_SEED=N runs the history of that seed alone, and says what it did; HARK_TEST_HISTORIES=N runs so many (20 ms each).
#include <doctest/doctest.h>

#include <cstdlib>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include <nlohmann/json.hpp>

#include "daemon/engine.h"
#include "platform/file_system.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "state/sqlite.h"
#include "state/sqlite_journal.h"
#include "tests/state/power_cut_disk.h"
#include "tests/support/fake_clock.h"
#include "tests/support/rounds.h"
#include "tests/support/temporary_folder.h"

using namespace hark;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kHistories = test::rounds(300u);

// In memory where the system has such a folder: what survives is the disk's to decide, and it is faster.
std::filesystem::path place() {
  return std::filesystem::is_directory("/dev/shm") ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
}

struct Machine {
  test::TemporaryFolder folder{place()};
  test::PowerCutDisk disk;
};

class History final : private Runner, private HookDesk {
 public:
  explicit History(std::uint64_t seed) : random_(seed) {
    settings_.persist_last_run = false;
    settings_.max_concurrent_handlers = 1 + static_cast<int>(below(3));
    settings_.queue_overflow =
        std::array{QueueOverflow::queue, QueueOverflow::queue, QueueOverflow::drop, QueueOverflow::error}[below(4)];
    settings_.queue_limit = 2 + below(6);
    for (const char* name : {"h", "other"}) {
      Handler handler;
      handler.name = name;
      handler.steps.push_back({"only", RunStepOptions{}, {}, {}, {}});
      if (chance(0.5)) handler.max_concurrent = 1;
      handler.retry = {1 + static_cast<int>(below(3)), {1s, 4s}};
      handler.on_interrupt = std::array{OnInterrupt::resume, OnInterrupt::restart}[below(2)];
      if (chance(0.2)) handler.breaker = {2, 5s};
      settings_.handlers.push_back(std::move(handler));
    }
    add_source("now", {"h"}, {});
    add_source("both", {"h", "other"}, {});
    add_source("held", {"other"}, 10s);
    add_source("keyed", {"h"}, {});
    settings_.sources.back().rule.key = Template::parse("{payload.k}");
    for (auto& source : settings_.sources) {
      if (chance(0.3)) source.rule.throttle = Rate{1 + static_cast<int>(below(2)), std::array<Duration, 2>{1s, 1min}[below(2)]};
    }
    if (chance(0.5)) add_hook("gate", lifecycle::EventReceived::kName);
    if (chance(0.5)) add_hook("door", lifecycle::EventQueued::kName);
  }
  ~History() override { close(); }

  void play() {
    open(std::make_unique<Machine>());
    for (auto left = 10 + below(60); left > 0; --left) step();
    rest();
    judge();
  }

  const std::vector<std::string>& faults() const { return faults_; }
  const std::vector<std::string>& told() const { return told_; }
  std::size_t accepted() const { return accepted_.size(); }
  std::size_t lives() const { return lives_; }

 private:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }
  bool chance(double part) { return std::uniform_real_distribution<double>(0, 1)(random_) < part; }
  void tell(std::string what) { told_.push_back(std::move(what)); }
  void check(bool holds, const std::string& otherwise) {
    if (holds) return;
    faults_.push_back(otherwise);
    tell("FAULT: " + otherwise);
  }

  void add_source(const std::string& name, std::vector<std::string> handlers, Duration debounce) {
    SourceSettings source;
    source.name = name;
    source.type = "manual";
    source.rule.source = name;
    source.rule.handlers = std::move(handlers);
    source.rule.debounce = debounce;
    source.rule.debounce_max = debounce * 3;
    settings_.sources.push_back(std::move(source));
  }

  void add_hook(const std::string& name, std::string_view on) {
    Hook hook;
    hook.name = name;
    hook.on.insert(std::string(on));
    if (chance(0.5)) hook.where = *Filter::parse("payload.k:0|payload.n:>20");
    hook.action = Hook::Command{{name}, {}, {}};
    settings_.hooks.push_back(std::move(hook));
  }

  // A life of the daemon.

  void open(std::unique_ptr<Machine> machine) {
    machine_ = std::move(machine);
    ++lives_;
    settings_.journal_file = machine_->folder / "journal.db";
    JournalOptions options;
    options.vfs = machine_->disk.name();
    options.checkpoint_pages = 4 + static_cast<int>(below(60));
    options.sync = [this](int fd) {
      std::lock_guard lock(syncing_);
      return machine_->disk.sync(fd);
    };
    forget_owners();
    auto journal = open_journal(settings_.journal_file, options);
    if (!journal) FAIL(journal.error().text());
    journal_ = std::move(*journal);
    held_back_.lock();
    engine_ = std::make_unique<Engine>(settings_, EngineParts{loop_, clock_, *journal_, files_, background_, emitter_, {}, this}, LastRun{},
                                       random_());
    engine_->set_runner(*this);
    const auto recovered = engine_->recover([](const std::string&) { return std::size_t{0}; });
    if (!recovered) FAIL(recovered.error().text());
  }

  // The engine takes runs of this very process for its own: those of an earlier life must have another owner.
  void forget_owners() {
    if (!std::filesystem::exists(settings_.journal_file)) return;
    auto connection =
        sqlite::Connection::open(settings_.journal_file, sqlite::Connection::Mode::read_write, machine_->disk.name());
    if (connection) (void)(*connection)->execute("UPDATE runs SET owner_boot = 'an earlier one' WHERE state = 'running'");
  }

  void close() {
    engine_.reset();
    if (held_back_.owns_lock()) held_back_.unlock();
    journal_.reset();
    under_way_.clear();
    questions_.clear();
    ended_.clear();  // perhaps nobody knows of it
    waiting_for_answer_ = 0;
    work();  // what was posted for the engine that is gone
  }

  void die(bool power) {
    tell(power ? "the power goes" : "killed");
    auto next = std::make_unique<Machine>();
    if (power) {
      machine_->disk.cut_now(random_()).write_to(next->folder.path());
    } else {
      for (const char* name : {"journal.db", "journal.db-wal"}) {
        if (std::filesystem::exists(machine_->folder / name)) std::filesystem::copy(machine_->folder / name, next->folder / name);
      }
    }
    if (power) last_of_key_.clear();        // the numbers that it took are given again
    if (power) begun_of_throttle_.clear();  // what began last may be unknown
    close();
    open(std::move(next));
  }

  void stop_and_start() {
    tell("stop and start");
    machine_->disk.space_is_back();
    clock_.advance(2s);
    bool drained = false;
    engine_->drain(1h, [&] { drained = true; });
    settle();
    if (chance(0.5)) finish_all();
    if (!drained) engine_->drain(1h, [&] { drained = true; });  // the second signal: what runs is cut off
    for (int tries = 0; !drained && tries < 20; ++tries) {
      finish_all();
      clock_.advance(2s);
      settle();
    }
    check(drained, "the drain never ended");
    close();
    open(std::move(machine_));
  }

  // All that is ready, and what comes of it.
  void work() {
    loop_.post([] {});  // so that there is something to wait for
    loop_.run_once(1h);
  }

  // All that is under way is decided, written, synced and answered.
  void settle() {
    work();
    held_back_.unlock();
    std::promise<void> synced;
    journal_->sync([&](const Status&) { synced.set_value(); });
    synced.get_future().wait();
    held_back_.lock();
    work();
    if (engine_->journal_fault()) return;
    for (const auto& [id, assignment] : under_way_) begun_for_good_[id] = stage_of(assignment.run);
    ended_for_good_.merge(ended_);
    ended_.clear();
  }

  // What happens in it.

  void step() {
    const auto what = below(100);
    if (what < 34) return offer();
    if (what < 40) return answer_any();
    if (what < 62) return finish_any();
    if (what < 70) return work();
    if (what < 80) return settle();
    if (what < 86) return pass_time();
    if (what < 89) return pause_or_resume();
    if (what < 91) return cancel_any();
    if (what < 93) return fill_disk();
    if (what < 95) return make_space();
    if (what < 98) return die(chance(0.5));
    stop_and_start();
  }

  void offer() {
    const int number = offered_++;
    Event event;
    event.type = "manual";
    event.source = std::array{"now", "both", "held", "keyed", "nobody"}[below(100) < 95 ? below(4) : 4];
    if (chance(0.5)) event.dedupe_key = "key-" + std::to_string(below(8));
    event.priority = static_cast<int>(below(3));
    event.data = Payload::parse("{\"n\":" + std::to_string(number) + ",\"k\":" + std::to_string(below(2)) + "}").value();
    tell("offer " + std::to_string(number) + " to " + event.source + " " + event.dedupe_key);
    ++waiting_for_answer_;
    engine_->offer(event, [this, number, key = event.dedupe_key](const Acceptance& answer) {
      --waiting_for_answer_;
      if (!answer.taken()) return tell("refused " + std::to_string(number) + ": " + answer.reason);
      tell("taken " + std::to_string(number) + " as " + answer.event_id);
      const auto [known, first] = accepted_.emplace(answer.event_id, number);
      check(first != (answer.outcome == Acceptance::Outcome::duplicate) || !key.empty(),
            "the id " + answer.event_id + " was given twice");
      if (key.empty()) return;
      const auto [holder, is_new] = holders_.emplace(key, answer.event_id);
      check(holder->second == answer.event_id, key + " was accepted as " + holder->second + " and as " + answer.event_id);
    });
  }

  void start(Assignment assignment) override {
    const auto& run = assignment.run;
    tell("begin " + run.id + " attempt " + std::to_string(run.attempt));
    check(!ended_.contains(run.id) && !ended_for_good_.contains(run.id), run.id + " began again after its end");
    parked_.erase(run.id);
    const auto before = begun_for_good_.find(run.id);
    check(before == begun_for_good_.end() || stage_of(run) > before->second,
          run.id + " began twice as attempt " + std::to_string(run.attempt));
    int of_handler = 0;
    for (const auto& [id, other] : under_way_) {
      if (other.run.handler == run.handler && !other.run.key) ++of_handler;
      check(!run.key || other.run.handler != run.handler || other.run.key != run.key || assignment.handler->max_concurrent > 1,
            "two runs of the key " + run.key.value_or("") + " at once");
      check(other.run.event_id != run.event_id || other.run.handler != run.handler,
            "event " + run.event_id + " runs twice at once");
    }
    const auto cap = assignment.handler->max_concurrent;
    check(run.key || cap == 0 || of_handler < cap, "more of '" + run.handler + "' at once than it may");
    check(under_way_.size() < static_cast<std::size_t>(settings_.max_concurrent_handlers),
          "more at once than max_concurrent_handlers");
    check_throttle(run);
    if (run.key) {
      auto& last = last_of_key_[run.handler + "/" + *run.key];
      check(last <= run.event_sequence, run.id + " of the key " + *run.key + " begins after a later one");
      last = run.event_sequence;
    }
    under_way_.emplace(run.id, std::move(assignment));
  }

  // No more first attempts of a source, handler and key within any unit than the source's throttle says.
  void check_throttle(const Run& run) {
    const auto* rule = engine_->router().rule(run.source);
    if (rule == nullptr || !rule->throttle || run.attempt > 1 || run.direct || !run.steps.empty()) return;
    auto& begun = begun_of_throttle_[run.source + "/" + run.handler + "/" + run.key.value_or("")];
    begun.push_back(clock_.now().steady);
    const auto most = static_cast<std::size_t>(rule->throttle->count);
    check(begun.size() <= most || begun.back() - begun[begun.size() - 1 - most] >= rule->throttle->unit,
          run.id + " begins before its throttle lets it");
  }

  void ask(HookPtr hook, lifecycle::Any, WallTime, Answered answered) override { questions_.emplace_back(hook->name, std::move(answered)); }
  void answer_any() {
    if (questions_.empty()) return;
    const auto at = std::next(questions_.begin(), static_cast<std::ptrdiff_t>(below(questions_.size())));
    const auto [hook, answered] = std::move(*at);
    questions_.erase(at);
    const auto what = below(10);
    tell(hook + (what == 0 ? " fails" : what == 1 ? " skips" : " lets go on"));
    answered(what == 0 ? Result<HookAnswer>(Error{"it failed", ""}) : HookAnswer{what == 1, ""});
  }

  // What begins only once: an attempt, and within it what follows each wait.
  static std::pair<int, std::size_t> stage_of(const Run& run) { return {run.attempt, run.steps.size()}; }

  void park(const std::string& id, Run run) {
    Wait wait;
    wait.index = run.steps.size();
    wait.step = "wait" + std::to_string(wait.index);
    wait.types = {"manual"};
    if (chance(0.5)) wait.where = "payload.k:1";
    wait.since = clock_.now().wall;
    wait.until = clock_.now().wall + std::chrono::seconds(1 + below(30));
    wait.tolerated = chance(0.5);
    tell("wait " + id);
    run.state = RunState::waiting;
    run.wait = std::move(wait);
    parked_.insert(id);
    under_way_.erase(id);
    engine_->reports().finished(std::move(run));
  }
  void finish(const std::string& id) {
    auto& assignment = under_way_.at(id);
    auto run = assignment.run;
    if (run.steps.size() < 3 && chance(0.2)) return park(id, std::move(run));
    StepResult step;
    step.name = "only";
    if (chance(0.5)) engine_->reports().step_finished(run, 0, step);
    run.state = assignment.stop.stop_requested() ? RunState::cancelled : chance(0.2) ? RunState::failed : RunState::succeeded;
    run.finished = clock_.now().wall;
    tell("end " + id + " " + std::string(to_string(run.state)));
    if (run.state == RunState::failed) step.state = StepState::failed;
    run.steps = {step};
    const bool again = run.state == RunState::failed && run.failures + 1 < assignment.handler->retry.attempts;
    if (run.state != RunState::cancelled && !again) ended_.insert(id);  // what a stop cut off goes on
    under_way_.erase(id);
    engine_->reports().finished(std::move(run));
  }
  void finish_any() {
    if (!under_way_.empty()) finish(std::next(under_way_.begin(), static_cast<std::ptrdiff_t>(below(under_way_.size())))->first);
  }
  void finish_all() {
    while (!under_way_.empty()) finish(under_way_.begin()->first);
  }

  void pass_time() {
    const auto passed = std::chrono::seconds(1 + below(15));
    tell(std::to_string(passed.count()) + " s pass");
    clock_.advance(passed);
    engine_->resume("nobody", {});  // a turn that notices it
  }
  void pause_or_resume() {
    const std::string handler = std::array{"", "h", "other"}[below(3)];
    tell("pause or resume " + handler);
    chance(0.5) ? engine_->pause(handler, {}) : engine_->resume(handler, {});
  }
  void cancel_any() {
    const auto runs = journal_->runs({.limit = 10});
    if (!runs || runs->empty()) return;
    const auto& id = (*runs)[below(runs->size())].id;
    tell("cancel " + id);
    const bool waits = !under_way_.contains(id) && !parked_.contains(id);  // one that waits for an event goes on, to clean up
    engine_->cancel(id, [this, id, waits](const Status& done) {
      tell("cancelled " + id + (done ? "" : ": " + done.error().message));
      if (done && waits) ended_.insert(id);
    });
  }

  void fill_disk() {
    tell("the disk is full, or nearly");
    machine_->disk.full_after(below(12));
  }
  void make_space() {
    tell("there is space");
    machine_->disk.space_is_back();
  }

  // The end: all that waits runs, and then nothing is left.

  void rest() {
    tell("rest");
    machine_->disk.space_is_back();
    for (const char* handler : {"", "h", "other"}) engine_->resume(handler, {});
    for (int tries = 0; tries < 200; ++tries) {
      clock_.advance(20s);
      engine_->resume("nobody", {});
      settle();
      if (under_way_.empty() && waiting_for_answer_ == 0 && engine_->queue().size() == 0 && engine_->router().held() == 0 && engine_->held_by_hooks() == 0 && engine_->waiting() == 0) return;
      finish_all();
      while (!questions_.empty()) answer_any();
    }
    check(false, "it never comes to rest: " + std::to_string(engine_->queue().size()) + " wait, " +
                     std::to_string(waiting_for_answer_) + " are not answered, " + std::to_string(engine_->router().held()) +
                     " are held, " + std::to_string(engine_->held_by_hooks()) + " wait for hooks");
  }

  void judge() {
    check(engine_->executor().active() == 0, "the executor holds slots of no run");
    const auto unrouted = journal_->unrouted_events();
    const auto running = journal_->running_runs();
    REQUIRE((unrouted.ok() && running.ok()));
    check(unrouted->empty(), "an event was never routed");
    const auto held = journal_->held();
    check(held.ok() && held->empty(), "the journal says that a hook holds something");
    const auto waits = journal_->waits();
    check(waits.ok() && waits->empty(), "the journal says that a run waits for an event");
    for (const auto& [run, owner] : *running) check(false, run.id + " is left running");
    CHECK(journal_->each_waiting_run(clock_.now().wall, [&](const WaitingRun& run, const Owner&) { check(false, "run " + std::to_string(run.sequence) + " is left waiting"); }).ok());
    for (const auto& [id, number] : accepted_) {
      const auto event = journal_->event(id);
      check(event.ok() && event->has_value(), id + " was accepted and is lost");
      if (event.ok() && event->has_value()) check_accepted(**event);
    }
    auto connection = sqlite::Connection::open(settings_.journal_file, sqlite::Connection::Mode::read_only);
    REQUIRE(connection.ok());
    check(
        (*connection)
                ->integer(
                    "SELECT count(*) FROM (SELECT 1 FROM events WHERE dedupe_key <> '' GROUP BY dedupe_key HAVING count(*) > 1)")
                .value() == 0,
        "a key is in the journal more than once");
    check((*connection)
                  ->integer("SELECT count(*) FROM (SELECT 1 FROM runs GROUP BY event_seq, handler HAVING count(*) > 1)")
                  .value() == 0,
          "a handler has two runs of one event");
  }

  // It has its runs, or the last decision, but for those of runs that waited for it, says why it has none: an accepted event that stands
  // for it, a full queue, or nobody wants it.
  void check_accepted(const Event& event) {
    const auto runs = journal_->runs({.limit = 10, .event_id = event.id});
    const auto decisions = journal_->decisions(event.sequence);
    REQUIRE((runs.ok() && decisions.ok()));
    if (!runs->empty()) {
      const auto dropped = std::count_if(decisions->begin(), decisions->end(),
                                         [](const Decision& decision) { return (decision.stage == Stage::queue || decision.stage == Stage::hook) && decision.verdict == Verdict::dropped; });
      const auto wanted = event.source == "both" ? 2 : 1;
      return check(static_cast<std::ptrdiff_t>(runs->size()) + dropped == wanted,
                   event.id + " has " + std::to_string(runs->size()) + " runs");
    }
    const auto why = std::find_if(decisions->rbegin(), decisions->rend(),
                                  [](const Decision& decision) { return decision.stage != Stage::dedupe && decision.stage != Stage::executor; });
    for (const auto& each : *decisions) tell(event.id + " " + std::string(to_string(each.stage)) + " " + std::string(to_string(each.verdict)) + " " + each.handler + ": " + each.reason);
    check(why != decisions->rend() && why->verdict == Verdict::dropped,
          event.id + " has neither a run nor a reason to have none");
  }

  std::mt19937_64 random_;
  test::FakeClock clock_;
  Loop loop_;
  RealFileSystem files_;
  Workers background_{"test", 1};
  lifecycle::Emitter emitter_;
  Settings settings_;
  std::unique_ptr<Machine> machine_;
  std::mutex syncing_;
  std::unique_lock<std::mutex> held_back_{syncing_, std::defer_lock};  // the sync thread, but in settle()
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Engine> engine_;

  std::vector<std::pair<std::string, Answered>> questions_;
  int offered_ = 0;
  int waiting_for_answer_ = 0;
  std::size_t lives_ = 0;
  std::map<std::string, int> accepted_;           // event id -> its number
  std::map<std::string, std::string> holders_;    // dedupe key -> event id
  std::map<std::string, Assignment> under_way_;   // by run id
  std::set<std::string> ended_, ended_for_good_;  // run ids; for good: also after a power cut
  std::map<std::string, std::pair<int, std::size_t>> begun_for_good_;  // by run id
  std::set<std::string> parked_;                  // wait for events, or are about to
  std::map<std::string, std::uint64_t> last_of_key_;  // of the runs that began, the last one's sequence
  std::map<std::string, std::vector<SteadyTime>> begun_of_throttle_;
  std::vector<std::string> told_, faults_;
};

}  // namespace

TEST_CASE(
    "engine: after any history nothing accepted is lost, nothing ran twice at once, each key is one, and no run is left over") {
  const char* given = std::getenv("HARK_TEST_SEED");
  const char* wanted = std::getenv("HARK_TEST_HISTORIES");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  const std::uint64_t count = given != nullptr ? 1 : wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : kHistories;
  std::size_t accepted = 0, lives = 0;
  int failed = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    History history(seed);
    history.play();
    accepted += history.accepted();
    lives += history.lives();
    if (given != nullptr) {
      for (const auto& line : history.told()) MESSAGE(line);
    }
    if (history.faults().empty()) continue;
    if (++failed <= 5) FAIL_CHECK(history.faults().front() << "; the history: HARK_TEST_SEED=" << seed);
  }
  CHECK(failed == 0);
  MESSAGE(std::string("histories from HARK_TEST_SEED=")
          << first << ": " << accepted << " events accepted in " << lives << " lives");
}
