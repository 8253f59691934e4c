// Offers the changes a file watcher found: gathers them for a while if asked to, keeps what is refused and offers it again.
// Nothing is forgotten between stop and start. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/event_sink.h"
#include "core/time.h"
#include "core/change_set.h"
#include "sources/stable_files.h"

namespace hark {

class Clock;
class Loop;
class Marks;
class Timer;

class ChangeOffers {
 public:
  struct Options {
    std::string source;           // the name of the source
    std::set<std::string> kinds;  // what is offered; other changes are dropped
    Duration gather{};            // 0: offered at the end of each turn
    Duration still_for{};         // a file has to stand still for so long before its change counts (StableFiles); 0: it need not
    Marks* marks = nullptr;       // keeps what was told, with the files' stamps; null: nobody asks for it
  };
  // What is to be known of the tree when an offer is made.
  struct Tree {
    std::function<bool(std::string_view path)> knows;
    std::function<std::string(std::string_view path)> absolute;  // "": the root
    std::function<FileStamp(std::string_view path)> stamp;       // of one that is known
  };

  ChangeOffers(Options options, Tree tree, Loop& loop, const Clock& clock);
  ~ChangeOffers();

  void start(EventSink& sink);  // what was kept is offered from the loop
  void stop();

  ChangeSet& changes() { return stable_ ? found_ : changes_; }  // to add to
  void mark_rescan();                        // what has been added was found by a scan

  void end_turn();  // offers, or lets the window run
  void flush();     // offers now, unless a refusal has to be waited out
  void hand_over();  // offers all there is, also what does not stand still yet

 private:
  struct Batch {
    std::vector<Change> changes;
    bool rescan = false;
    bool again = false;  // was refused before
  };

  void sort_out();
  void on_still();
  void set_timer(Duration in);
  void on_timer();
  void merge_refused();
  void offer(Batch batch);
  void on_answer(const Acceptance& acceptance, std::uint64_t number, const Batch& batch);
  std::vector<Change> still_true(std::vector<Change> changes) const;
  void add_marks(const std::vector<Change>& changes, Event& event) const;
  Event event_of(const std::vector<Change>& changes, bool rescan) const;

  Options options_;
  Tree tree_;
  Loop& loop_;
  const Clock& clock_;
  std::optional<StableFiles> stable_;
  ChangeSet found_;  // not yet with stable_
  std::unique_ptr<Timer> still_timer_;
  ChangeSet changes_;
  bool rescan_ = false;
  bool again_ = false;                      // some of changes_ were refused before
  std::map<std::uint64_t, Batch> refused_;  // by the number of the offer: the order in which they happened
  std::uint64_t offers_ = 0;
  EventSink* sink_ = nullptr;  // null: stopped
  std::unique_ptr<Timer> timer_;
  bool gathering_ = false;  // the timer ends a window
  bool pausing_ = false;    // the timer ends a pause after a refusal
  int refusals_ = 0;
  std::shared_ptr<ChangeOffers*> self_;  // an answer may come after the end
};

}  // namespace hark
