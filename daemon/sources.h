// Makes the sources a configuration names, an overload a type (docs/adding-a-source.md).
#pragma once

#include <memory>

#include "daemon/settings.h"
#include "sources/source.h"

namespace hark {

class Clock;
class HttpServer;
class Loop;
class Workers;
struct LastRun;

struct SourceParts {
  Loop& loop;
  const Clock& clock;
  Workers& workers;
  HttpServer& server;
  const LastRun& last_run;
};

// nullptr: a source that only a person offers to (`manual`).
std::unique_ptr<Source> make_source(const SourceSettings& settings, const SourceParts& parts);

}  // namespace hark
