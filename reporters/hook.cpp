#include "reporters/hook.h"

#include <algorithm>

#include "core/lifecycle_json.h"

namespace hark {

bool can_be_vetoed(std::string_view lifecycle_event) {
  return lifecycle_event == lifecycle::EventReceived::kName || lifecycle_event == lifecycle::EventQueued::kName;
}

bool Hook::wants(const lifecycle::Any& any) const {
  return on.contains(std::string(lifecycle::name(any))) && (where.empty() || evaluate(where, any).matches);
}

bool Hook::answers() const { return std::holds_alternative<Command>(action) || std::holds_alternative<Request>(action); }

HookPtr skipped_by(const std::vector<HookPtr>& hooks, const lifecycle::Any& any) {
  const auto first = std::find_if(hooks.begin(), hooks.end(), [&](const HookPtr& hook) { return std::holds_alternative<Hook::Skip>(hook->action) && hook->wants(any); });
  return first == hooks.end() ? nullptr : *first;
}

std::vector<HookPtr> asked_about(const std::vector<HookPtr>& hooks, const lifecycle::Any& any) {
  std::vector<HookPtr> asked;
  std::copy_if(hooks.begin(), hooks.end(), std::back_inserter(asked), [&](const HookPtr& hook) { return hook->answers() && hook->wants(any); });
  return asked;
}

}  // namespace hark
