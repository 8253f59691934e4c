// Makes the sources a configuration names, an overload a type (docs/adding-a-source.md).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/time.h"
#include "daemon/settings.h"
#include "daemon/source_supervisor.h"
#include "sources/source.h"

namespace hark {

class Clock;
class HttpClient;
class HttpServer;
class Loop;
class RemoteReader;
class Workers;
class Marks;
class PushDesk;
struct LastRun;

struct SourceParts {
  Loop& loop;
  const Clock& clock;
  Workers& workers;
  Workers& network;  // for what waits for others
  RemoteReader& remotes;
  HttpClient& client;
  HttpServer& server;
  Marks& marks;
  PushDesk& pushes;
  const LastRun& last_run;
  std::map<std::string, WallTime>& schedules_since;  // by name: no slot before is wanted, as nobody had asked for it then
};

// nullptr: a source that only a person offers to (`manual`).
std::unique_ptr<Source> make_source(const SourceSettings& settings, const SourceParts& parts);

// Those of `settings` that are to run, with a new object for each that `running` does not have just so. `running`: null at the start.
// `only`: names; empty: all. Starts nothing.
std::vector<SourceSupervisor::Wanted> wanted_sources(const Settings& settings, const Settings* running, const std::vector<std::string>& only, const SourceParts& parts);

}  // namespace hark
