// The engine: the way of an event from offer to result, one turn of the loop at a time.
//
// A turn gathers what arrived (offers, reports of runs, debounces that are due), decides all of it, and writes all of it in one
// transaction; only then does it start runs, answer and notify. When the write fails nothing of the turn happened: offers are
// refused, and what memory holds of waiting work is read again from the journal, which is the truth.
// Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/event_pattern.h"
#include "core/event_sink.h"
#include "core/ids.h"
#include "core/lifecycle.h"
#include "daemon/settings.h"
#include "executor/executor.h"
#include "queue/breaker.h"
#include "queue/run_queue.h"
#include "reporters/hook_desk.h"
#include "router/own_changes.h"
#include "router/router.h"
#include "sources/marks.h"
#include "state/journal.h"
#include "state/last_run.h"

namespace hark {

class Clock;
class FileSystem;
class Loop;
class Timer;
class Workers;

struct EngineParts {
  Loop& loop;
  const Clock& clock;
  Journal& journal;
  FileSystem& files;
  Workers& background;                  // for writing state.json
  lifecycle::Emitter& emitter;
  std::function<bool()> runs_did_anything{};  // their processes, since it was asked last? Empty: not known, perhaps
  HookDesk* hooks = nullptr;                  // where the hooks of the settings are asked; null: there are none that could be
  std::function<void(const std::vector<EventPtr>&)> durable{};  // told of events that arrived, in order, once they survive a power loss
  std::function<void(bool)> hurry{};          // processes that are ended are to be gone at once, or have their time again
};

// Among the handlers that are paused: hark as a whole, by an emergency stop. No handler has such a name.
inline constexpr std::string_view kHalted = "!halted";

class Engine final : public EventSink, public Marks {
  struct Turn;
  class Steering;

 public:
  // `seed`: of the ids.
  Engine(Settings settings, EngineParts parts, LastRun last_run, std::uint64_t seed);
  ~Engine() override;

  // Before the first turn: where runs are carried out. (The runner reports back to this engine.)
  void set_runner(Runner& runner) { runner_ = &runner; }
  // From now on by these settings; what runs keeps the handler it began with, what waits goes by the new ones. journal_file, state_file
  // and persist_last_run are those of before.
  void reconfigure(Settings settings);
  RunReports reports();

  // Last runs that state.json lacks (cut off, or put aside) are read from the journal. recover() does so, too.
  Status learn_last_runs();

  // Beside those of the settings, until reconfigure().
  void use_signal(std::string type, std::shared_ptr<const Signal> signal) { signals_[std::move(type)] = std::move(signal); }

  // Takes up what an earlier process left: waiting events and runs, and runs that were cut off. `end_leftovers` ends processes of a run
  // that was cut off.
  Status recover(const std::function<std::size_t(const std::string& run_id)>& end_leftovers);

  void offer(Event event, Answer answer) override { offer_to({}, std::move(event), std::move(answer)); }
  void offer_to(Router::Target target, Event event, Answer answer);

  Result<MarkSet> marks_of(const std::string& source) override { return parts_.journal.marks(source); }
  void replace_marks(const std::string& source, MarkSet marks) override;
  void note_marks(const std::string& source, std::vector<std::pair<std::string, std::string>> marks) override;

  void when_ended(const std::string& event_id, RunsEnded callback) override;

  // A lifecycle event becomes one of its own, offered to the source that the hook names. Called by whoever tells hooks.
  void publish(const Hook& hook, const lifecycle::Any& any);
  const std::vector<HookPtr>& hooks() const { return hooks_; }
  std::size_t held_by_hooks() const { return held_.size(); }
  std::size_t waiting() const { return waits_.size(); }  // runs, for events
  bool busy() const { return executor_.active() > 0 || queue_.size() > 0 || router_.held() > 0 || !held_.empty() || !reports_.empty() || !offers_.empty(); }

  // A success of this handler is expected, and there was none yet: from when on is kept with the last runs.
  void expect_from_now(const std::string& handler);

  // Deletes one batch of what is beyond the retention. The engine does so by itself as long as the loop runs.
  Result<Journal::Pruned> prune();

  // What a person asks for. `done` is called once, when it is durable, or with the reason why it is not so.
  using Done = std::function<void(const Status&)>;
  void pause(const std::string& handler, Done done);   // empty: all. It lasts until resume(), over restarts
  void resume(const std::string& handler, Done done);  // of a handler that is named the breaker as well
  void retry(const std::string& run_id, Done done);    // a run that has ended: another attempt, with as many more as its handler grants
  void discard(const std::string& run_id, Done done);  // takes it out of the dead letters
  void cancel(const std::string& run_id, Done done);   // running or waiting
  // All that runs is ended, to go on later, and nothing is taken in or begins before resume() of all handlers; over restarts.
  void emergency_stop(Done done);
  bool halted() const { return halted_; }
  std::size_t set_aside() const;  // runs of sessions that a signal has paused

  // Of who reads along under a name: up to where it has acknowledged. `done` once that is durable; null: nobody asks.
  void keep_subscriber(Subscriber subscriber, Done done);
  void forget_subscriber(const std::string& name, Done done);
  // Into the audit. `done` once it is durable; null: nobody asks.
  void record(AuditEntry entry, Done done);
  // Events that a source of type "topic" has taken from the bus since this process began.
  std::uint64_t taken_from_bus(const std::string& source) const;

  // Why a run that is queued has not begun: one sentence with the deciding value.
  std::string why_waiting(const Run& run) const;

  // No more offers; what runs may finish until `deadline`, then it is cut off, to go on at the next start. Then `done`.
  void drain(Duration patience, std::function<void()> done);
  bool draining() const { return draining_; }

  const RunQueue& queue() const { return queue_; }
  const Executor& executor() const { return executor_; }
  const Router& router() const { return router_; }
  const LastRun& last_run() const { return last_run_; }
  const Handlers& handlers() const { return executor_.handlers(); }
  const std::map<std::string, Breaker>& breakers() const { return breakers_; }
  std::optional<std::string> journal_fault() const { return journal_fault_; }

 private:
  struct Offered {
    Router::Target target;
    Event event;
    Answer answer;
  };
  struct StepReport {
    std::uint64_t run_sequence;
    int attempt;
    lifecycle::OfRun of;
    std::size_t index;
    StepResult step;
  };
  struct RunReport {
    Run run;
    std::optional<Executor::Finished> ended{};  // asked of the executor once, whatever becomes of the transaction
  };
  using Report = std::variant<StepReport, lifecycle::Any, RunReport>;
  // An event, or a start of a handler, that hooks hold back, or that waits behind one of those.
  struct Held {
    Journal::Held kept;
    EventPtr event;
    std::string lane;              // those of one go on in the order they came
    std::vector<HookPtr> hooks{};  // that have not answered yet: the first of them is asked, then the next. Empty: it may go on
    std::uint64_t question = 0;    // the number of the one under way; 0: none is
  };
  // A run that waits for an event.
  struct Waiting {
    Journal::KeptWait kept;
    EventPattern pattern;
    bool looked = true;  // whether it is there already; one that was read is asked for in the next turn
  };
  struct HookReply {
    std::uint64_t held;
    std::uint64_t question;
    Result<HookAnswer> answer;
  };
  struct Asked {
    std::function<Status(Turn&, Status& outcome)> act;  // within the transaction: an Error fails that, `outcome` only this
    Done done;
    Status outcome{};
  };

  void schedule_turn();
  void turn(bool with_offers = true);  // without: they wait for the next one
  std::vector<Offered> next_offers();
  Status transact(Turn& turn);
  Status take_report(Turn& turn, StepReport& report);
  Status take_report(Turn& turn, lifecycle::Any& told);
  Status take_report(Turn& turn, RunReport& report);
  Status settle(Turn& turn, Run run, const Handler* handler, const EventPtr& event);
  Status try_again(Turn& turn, Run run, const Handler& handler, const EventPtr& event, Duration pause);
  Status interrupt(Turn& turn, Run run, const Handler* handler, const std::string& reason);
  Status take_published(Turn& turn, std::uint64_t run_sequence, const Event& event);
  Status park(Turn& turn, Run run, const Executor::Finished& ended);
  Result<EventPtr> what_came(const Run& run, const EventPattern& pattern, WallTime now);
  Status wake(Turn& turn, Run run, const EventPtr& event, const Wait& wait, const EventPtr& came);
  Status go_on(Turn& turn, Run run, const EventPtr& event, const Wait& wait, StepResult row);
  Status with_waiting(std::uint64_t run_sequence, const std::function<Status(Run, const Wait&)>& how);
  Status wake_for(Turn& turn, const EventPtr& event);
  Status end_waits(Turn& turn);
  Status end_wait(Turn& turn, std::uint64_t run_sequence, const std::string& why);
  Status read_waits();
  Status take_up_waits(Turn& turn);
  Status run_on_failure(Turn& turn, const Run& run, const Handler& handler, const Event& event);
  Status make_room(Turn& turn, const Router::Start& start, const Handler& handler, bool& drop);
  Status make_way(Turn& turn);
  Status supersede(Turn& turn, Run run, const Router::Start& start, const Handler& handler);
  void ask(std::function<Status(Turn&, Status& outcome)> act, Done done);
  void ask_about(const std::string& run_id, std::function<Status(Turn&, Run&, Status& outcome)> act, Done done);
  const Handler* handler(const std::string& name) const;
  void note_outcome(const std::string& handler, bool success, SteadyTime now);
  void wake_breakers(SteadyTime now);
  void apply_breaker(const std::string& handler, const Breaker& breaker);
  Status keep_breaker(const std::string& handler, Now now);
  Status recall_breakers(Now now);
  Status take_offer(Turn& turn, Offered& offered);
  Status tag_own_changes(Offered& offered);
  void note_activity();
  bool runs_were_active(WallTime then);
  void end_watching(const std::string& name, const std::string& run_id, const Handler* handler, WallTime now);
  void watch_activity();
  Result<bool> is_duplicate(Turn& turn, Offered& offered);
  Result<bool> is_duplicate_for(Turn& turn, const EventPtr& event, const Rule& rule);
  Result<EventPtr> add(Turn& turn, Event event);
  Status write_marks(const std::string& source, const std::vector<std::pair<std::string, std::string>>& marks);
  void forget_marks_of_others();
  Status fire_debounces(Turn& turn);
  Status store(Turn& turn, const Router::Routed& routed, const std::vector<EventPtr>& about);
  Status store_decided(Turn& turn, const Router::Routed& routed, const std::vector<EventPtr>& about);
  Status start_run(Turn& turn, const Router::Start& start);
  Status take_in(Turn& turn, const EventPtr& event, const Router::Target& target);
  Status take_start(Turn& turn, const Router::Start& start);
  Status hold(Turn& turn, Journal::Held kept, const EventPtr& event, std::string lane, std::vector<HookPtr> hooks);
  Status take_reply(Turn& turn, HookReply& reply);
  Status pass_over(Turn& turn, Held& held, const Error& error);
  Status pass_over_oldest(Turn& turn);
  Status release(Turn& turn, const std::string& lane);
  Status release_unasked(Turn& turn);
  Status skip(Turn& turn, const EventPtr& event, const std::string& handler, const Hook& hook, std::string reason);
  void forget_held(std::uint64_t id);
  void ask_hooks(Now now);
  void note_hook(const std::string& name, const Error* error, std::vector<lifecycle::Any>& notices);
  Status recover_held(const std::function<std::size_t(const std::string& mark)>& end_leftovers);
  Status reload_held();
  void watch_again(const std::string& event_id);
  Status decide(Turn& turn, const EventPtr& event, Decision decision);
  Status decide(const Run& run, WallTime now, Verdict verdict, std::string reason);
  void committed(Turn& turn);
  void failed(Turn& turn, const Error& error);
  void refuse(Answer answer, std::string reason);
  std::optional<std::string> reason_to_refuse(Now now) const;
  void run_ended(Turn& turn, Run run);
  void attempt_ended(Turn& turn, const RunPtr& run);
  Status take_up_again(Turn& turn, const std::string& run_id);
  Status begin_again(Turn& turn, Run run, const std::string& why);
  Status take_signal(Turn& turn, const EventPtr& event);
  Status dead_letter_of(Turn& turn, const EventPtr& event, const std::string& why);
  Status halt(Turn& turn);
  Status end_halt(Turn& turn);
  void let_go(Turn& turn, const std::string& session);
  Status put_aside(Turn& turn, std::vector<RunQueue::Waiting> waiting);
  bool take_from_aside(const Run& run);
  Status reload_waiting(Now now);
  Status refill_queue(Now now, const std::deque<Report>& reports);
  Status recall_starts(Now now);
  ThrottledSince throttled_since(WallTime now) const;
  Status route_unrouted(Now now);
  void arm_timer();
  void on_timer();
  void save_state();
  void prune_and_go_on();
  void prune_if_many();
  void remove_stray_outputs();
  void retire_workspaces();
  using WhenDurable = std::function<void(const Status& durable)>;
  void answer_when_durable(std::vector<WhenDurable> answers);
  Status route(Turn& turn, const EventPtr& event, Router::Target target);
  void cut_off();
  void check_drained();
  void say(std::string_view level, std::string message);

  Settings settings_;
  EngineParts parts_;
  Runner* runner_ = nullptr;
  IdGenerator ids_;
  Owner owner_;
  Router router_;
  std::set<std::string> watching_;    // handlers whose own changes are told apart
  std::set<std::string> restarting_;  // handlers whose on_busy is "restart"
  std::optional<SteadyTime> make_way_at_;  // when a run of one of them that waits might start, but for the one under way
  std::map<std::string, std::uint64_t> taken_from_bus_;  // by source
  OwnChanges own_changes_;
  SteadyTime last_active_{};          // when a process of a run was last seen to do something
  RunQueue queue_;
  Executor executor_;
  LastRun last_run_;

  // By source, each in the order they came: the sources take turns, so that a flood of one does not hold up the others.
  std::map<std::string, std::deque<Offered>> offers_;
  std::string last_offered_;          // the source that had its turn last
  std::deque<Asked> asked_;
  std::map<std::string, Breaker> breakers_;  // by handler, those that have one and failed since they last succeeded
  std::map<std::uint64_t, Waiting> waits_;   // by the number of the run
  std::map<std::string, std::shared_ptr<const Signal>> signals_;            // by the type of event
  std::set<std::string> paused_sessions_;
  std::map<std::string, std::vector<RunQueue::Waiting>> set_aside_;         // by session
  std::set<std::string> again_when_ended_;                                  // runs that a signal ends, to be tried again
  std::set<std::string> cut_short_;                                         // runs that an emergency stop ends, to go on afterwards
  bool halted_ = false;
  bool recovered_ = false;                   // what processes that ended have left is taken up
  bool waits_stale_ = false;                 // the journal may have others
  std::vector<HookPtr> hooks_;
  std::map<std::uint64_t, Held> held_;                          // by its number in the journal
  std::map<std::string, std::deque<std::uint64_t>> lanes_;      // of held_
  std::vector<std::uint64_t> to_ask_;                           // of held_, once that is written
  std::vector<HookReply> replies_;
  std::uint64_t last_question_ = 0;
  bool hooks_flooded_ = false;                                  // which was said
  std::map<std::string, std::uint64_t> hook_faults_;            // how many times in a row each failed, those that did
  std::deque<Report> reports_;        // stay until they are committed
  bool turn_scheduled_ = false;
  bool in_turn_ = false;
  std::optional<std::string> journal_fault_;
  SteadyTime journal_retry_{};        // offers are refused until then
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<Timer> prune_timer_;
  bool pruning_ = false;  // there is more to do, in a moment
  std::uint64_t stored_since_prune_ = 0;
  std::unique_ptr<Timer> state_timer_;
  std::unique_ptr<Timer> drain_timer_;
  std::unique_ptr<Timer> activity_timer_;

  struct Watch {
    std::size_t open_runs = 0;  // and what hooks hold of it
    std::vector<Run> ended;
    RunsEnded callback;
  };
  std::multimap<std::string, Watch> watches_;       // by event id

  bool draining_ = false;
  bool cut_off_ = false;                            // the drain ran out of patience
  std::function<void()> drained_;
  bool state_dirty_ = false;
  bool state_saving_ = false;
  bool state_timer_set_ = false;
  SteadyTime next_save_{};            // not before
  std::string state_fault_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for what comes back from other threads
};

}  // namespace hark
