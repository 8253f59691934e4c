// What the engine's parts need to know of a configuration. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/settings.h"
#include "executor/executor.h"

namespace hark {

std::vector<Rule> rules_of(const Settings& settings);
Handlers handlers_of(const Settings& settings);
std::map<std::string, Rate> throttles_of(const Settings& settings);  // by source
std::set<std::string> watching_of(const Settings& settings);    // handlers that could start themselves by what they write, and do not want to
std::map<std::string, PingUrls> pings_of(const Settings& settings);  // of handlers that have any
std::set<std::string> plain_handlers(const Settings& settings);      // of one step and one iteration
std::vector<HookPtr> hooks_of(const Settings& settings);
std::map<std::string, std::shared_ptr<const Signal>> signals_of(const Settings& settings);  // by type of event
std::set<std::string> restarting_of(const Settings& settings);  // whose on_busy is "restart"

}  // namespace hark
