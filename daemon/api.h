// The API's routes: what the command line and programs ask of a running daemon. The same on the control socket and on TCP;
// over TCP only where the listener is on loopback, and never for a page of another site.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"
#include "core/time.h"
#include "daemon/ended_runs.h"
#include "daemon/live_steps.h"
#include "daemon/settings.h"

namespace hark {

class ApiAccess;
class Bus;
class Clock;
class Engine;
class Workers;
namespace lifecycle {
class Emitter;
}
class HttpServer;
class Journal;
class Loop;
class PushDesk;
class Metrics;
class RealProcessSpawner;
class Reload;
class Secrets;
class SourceSupervisor;

struct ApiParts {
  const Settings& settings;
  HttpServer& server;
  Engine& engine;
  Bus& bus;
  Journal& journal;
  SourceSupervisor& sources;
  const Metrics& metrics;
  const lifecycle::Emitter& emitter;
  Workers& background;         // for what would hold up the loop
  Loop& loop;
  const Clock& clock;
  Now started;
  const RealProcessSpawner& processes;
  const std::optional<Error>& listener_fault;  // why the TCP listener could not begin
  Reload& reload;
  const EndedRuns& ended;
  const LiveSteps& live;
  PushDesk& pushes;
  const Secrets& secrets;      // no answer shows them
  ApiAccess& access;
  std::function<void()> stop;  // begins the drain
};

// `parts` outlives the server's routes.
void add_api_routes(const ApiParts& parts);

nlohmann::json status_json(const ApiParts& parts);

}  // namespace hark
