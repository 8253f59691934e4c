#include "daemon/engine_settings.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string_view>

namespace hark {

namespace {

// The handlers that sources of these types start.
std::set<std::string> named_by(const Settings& settings, std::initializer_list<std::string_view> types) {
  std::set<std::string> names;
  for (const auto& source : settings.sources) {
    if (std::find(types.begin(), types.end(), source.type) != types.end()) names.insert(source.rule.handlers.begin(), source.rule.handlers.end());
  }
  return names;
}

}  // namespace

std::vector<Rule> rules_of(const Settings& settings) {
  std::vector<Rule> rules;
  for (const auto& source : settings.sources) rules.push_back(source.rule);
  return rules;
}

Handlers handlers_of(const Settings& settings) {
  Handlers handlers;
  const auto tracing = named_by(settings, {"git_push"});
  for (auto handler : settings.handlers) {
    handler.traces_git = tracing.contains(handler.name) && !handler.allow_self_trigger;
    handlers.emplace(handler.name, std::make_shared<const Handler>(handler));
  }
  return handlers;
}

std::map<std::string, Rate> throttles_of(const Settings& settings) {
  std::map<std::string, Rate> throttles;
  for (const auto& source : settings.sources) {
    if (source.rule.throttle) throttles.emplace(source.name, *source.rule.throttle);
  }
  return throttles;
}

std::set<std::string> watching_of(const Settings& settings) {
  auto names = named_by(settings, {"file_change", "git_push"});
  for (const auto& handler : settings.handlers) {
    if (handler.allow_self_trigger) names.erase(handler.name);
  }
  return names;
}

std::map<std::string, PingUrls> pings_of(const Settings& settings) {
  std::map<std::string, PingUrls> pings;
  for (const auto& handler : settings.handlers) {
    if (handler.ping != PingUrls{}) pings.emplace(handler.name, handler.ping);
  }
  return pings;
}

std::set<std::string> plain_handlers(const Settings& settings) {
  std::set<std::string> names;
  for (const auto& handler : settings.handlers) {
    const bool one_step = handler.steps.size() == 1 && !handler.steps.front().foreach && !std::holds_alternative<GroupStepOptions>(handler.steps.front().kind);
    if (one_step && handler.gates.empty() && handler.delivery.empty() && handler.iterations.most == 1) names.insert(handler.name);
  }
  return names;
}

std::vector<HookPtr> hooks_of(const Settings& settings) {
  std::vector<HookPtr> hooks;
  for (const auto& hook : settings.hooks) hooks.push_back(std::make_shared<const Hook>(hook));
  return hooks;
}

std::map<std::string, std::shared_ptr<const Signal>> signals_of(const Settings& settings) {
  std::map<std::string, std::shared_ptr<const Signal>> signals;
  for (const auto& options : settings.signals) signals.emplace(options.type, make_signal(options));
  return signals;
}

std::set<std::string> restarting_of(const Settings& settings) {
  std::set<std::string> names;
  for (const auto& handler : settings.handlers) {
    if (handler.on_busy == OnBusy::restart) names.insert(handler.name);
  }
  return names;
}

}  // namespace hark
