#include "core/lifecycle.h"

#include <algorithm>
#include <exception>

namespace hark::lifecycle {

OfRun of(const Run& run) { return {run.id, run.handler, run.correlation_id, run.attempt, run.traceparent}; }

std::string_view name(const Any& any) {
  return std::visit([](const auto& event) { return std::decay_t<decltype(event)>::kName; }, any);
}

namespace {

template <class... Events>
std::vector<std::string> names_of(const std::variant<Events...>*) {
  return {std::string(Events::kName)...};
}

}  // namespace

std::vector<std::string> names() { return names_of(static_cast<const Any*>(nullptr)); }

void Emitter::subscribe(std::string subscriber_name, Subscriber subscriber) {
  subscribers_.push_back({std::move(subscriber_name), std::move(subscriber)});
}

void Emitter::emit(const Any& event) {
  for (const auto& subscriber : subscribers_) {
    std::string what;
    try {
      subscriber.call(event);
      continue;
    } catch (const std::exception& failure) {
      what = failure.what();
    } catch (...) {
      what = "an exception of unknown type";
    }
    auto fault = std::find_if(faults_.begin(), faults_.end(), [&](const Fault& f) { return f.subscriber == subscriber.name; });
    if (fault == faults_.end()) fault = faults_.insert(faults_.end(), {subscriber.name, {}, 0});
    fault->what = std::move(what);
    ++fault->count;
  }
}

}  // namespace hark::lifecycle
