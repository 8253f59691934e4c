// What one turn of the engine has decided and not yet done: effects wait here until its transaction is committed.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/event_sink.h"
#include "core/lifecycle.h"
#include "daemon/engine.h"

namespace hark {

struct Engine::Turn {
  Now now;
  std::vector<Offered> offers;
  std::deque<Report> reports;
  std::vector<Asked> asked;
  std::vector<HookReply> replies;
  std::vector<std::pair<Answer, Acceptance>> answers;
  std::vector<lifecycle::Any> notices;
  std::vector<Executor::Planned> launches;
  std::vector<std::pair<std::string, std::string>> ends;  // runs to be ended, and why
  std::vector<RunPtr> ended;
  std::vector<std::string> let_go;  // ids of events of which hooks hold less than before
  std::vector<std::pair<std::string, WallTime>> slots;  // of schedules that were accepted
  std::vector<EventPtr> stored;
  bool halts = false;  // all that runs is to be ended
};

// What holds a throttled run: one sentence, for a decision and for whoever asks why it waits.
std::string told(const RunQueue::Throttled& throttled, Now now);

}  // namespace hark
