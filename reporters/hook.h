// A hook as configured: who listens to lifecycle events, or is asked whether an event (a start of a handler) may go on. Values, made by
// daemon/config; shared by the loop and the threads that carry hooks out.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/filter.h"
#include "core/lifecycle.h"
#include "core/time.h"
#include "platform/containment.h"

namespace hark {

struct Hook {
  struct Skip {  // decides by its filter alone
    friend bool operator==(const Skip&, const Skip&) = default;
  };
  struct Command {
    std::vector<std::string> argv;
    std::string working_directory;  // absolute
    Containment containment{};
    friend bool operator==(const Command&, const Command&) = default;
  };
  struct Request {  // a POST
    std::string url;
    std::vector<std::pair<std::string, std::string>> headers;
    friend bool operator==(const Request&, const Request&) = default;
  };
  struct Publish {
    std::string type;
    std::string topic;
    std::string source;  // whose rule says who gets it; empty: the bus
    friend bool operator==(const Publish&, const Publish&) = default;
  };

  std::string name;          // unique
  std::set<std::string> on;  // names of lifecycle events
  Filter where;
  std::variant<Skip, Command, Request, Publish> action;
  Duration timeout = std::chrono::seconds(5);  // of a command or a request

  bool wants(const lifecycle::Any& any) const;
  bool answers() const;  // a command or a request: it can be asked

  friend bool operator==(const Hook&, const Hook&) = default;
};

using HookPtr = std::shared_ptr<const Hook>;

// Where something is still to be decided; all others only tell what has happened.
bool can_be_vetoed(std::string_view lifecycle_event);

// The first hook of these that skips it by its filter alone. nullptr: none does.
HookPtr skipped_by(const std::vector<HookPtr>& hooks, const lifecycle::Any& any);
// Those that are to be asked about it, in order.
std::vector<HookPtr> asked_about(const std::vector<HookPtr>& hooks, const lifecycle::Any& any);

}  // namespace hark
