// `hark event`: one event, processed here, by the same engine as the daemon's, without sources and sockets.
#pragma once

#include <string>
#include <vector>

#include "core/decision.h"
#include "core/event.h"
#include "core/result.h"
#include "core/run.h"
#include "daemon/settings.h"
#include "router/router.h"
#include "handlers/pipeline.h"

namespace hark {

struct OneShotRequest {
  Event event;          // type, data; `source` names one of the configuration, or is empty
  std::string handler;  // or this one, whatever the rules say
};

struct OneShotOutcome {
  Event event;
  std::vector<Decision> decisions;
  std::vector<Run> runs;   // ended, with their steps, or waiting for an event, which a daemon sees to
  int ended_by = 0;        // the signal that cancelled them; 0: none did
};

// Journals the event, runs what it starts, waits for the end. SIGINT and SIGTERM cancel.
Result<OneShotOutcome> run_event(const Settings& settings, OneShotRequest request);

struct DryRun {
  Event event;
  std::vector<Decision> decisions;
  struct Matched {
    std::string handler;
    std::optional<Duration> timeout;  // of the whole run
    Retry retry;                      // of the whole run
    std::vector<RenderedStep> steps;
  };
  std::vector<Matched> handlers;
};
// What would happen: nothing is journaled, nothing is started.
Result<DryRun> dry_run_event(const Settings& settings, OneShotRequest request);
// The same of a replay of `original`. `handler`: only this one of those that the rules name; empty: all of them.
Result<DryRun> dry_run_replay(const Settings& settings, const Event& original, const Router::Target& target);

}  // namespace hark
