#include "daemon/signal.h"

#include <array>
#include <functional>

#include <nlohmann/json.hpp>

namespace hark {

namespace {

std::string text_of(const Event& event, const char* name) {
  const auto& data = event.data.json();
  if (!data.is_object()) return {};
  const auto found = data.find(name);
  return found != data.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Without a session of its own an event is of the one that it begins, in which there is nothing yet.
bool names_session(const Event& event) { return event.correlation_id != event.id; }

// All but the last act on a session.
class SessionSignal : public Signal {
 public:
  Status act(const Event& event, SignalDesk& desk) const final {
    if (!names_session(event)) return desk.say("the signal names no session: its event has no correlation_id");
    return act_on(event.correlation_id, event, desk);
  }
  virtual Status act_on(const std::string& session, const Event& event, SignalDesk& desk) const = 0;
};

class Pause final : public SessionSignal {
 public:
  explicit Pause(const SignalOptions& options) : escalate_(options.escalate) {}
  Status act_on(const std::string& session, const Event&, SignalDesk& desk) const override {
    if (auto done = desk.pause(session); !done) return done;
    return escalate_.empty() ? Status() : desk.start(escalate_);
  }

 private:
  std::string escalate_;
};

class Resume final : public SessionSignal {
 public:
  explicit Resume(const SignalOptions&) {}
  Status act_on(const std::string& session, const Event&, SignalDesk& desk) const override { return desk.resume(session); }
};

class Release final : public SessionSignal {
 public:
  explicit Release(const SignalOptions&) {}
  Status act_on(const std::string& session, const Event& event, SignalDesk& desk) const override { return desk.release(session, text_of(event, "gate")); }
};

class TryAgain final : public SessionSignal {
 public:
  explicit TryAgain(const SignalOptions& options) : attempts_(options.attempts), escalate_(options.escalate) {}
  Status act_on(const std::string& session, const Event& event, SignalDesk& desk) const override {
    const auto named = text_of(event, "run");
    return desk.try_again(session, named.empty() ? event.causation_id : named, attempts_, escalate_);
  }

 private:
  int attempts_;
  std::string escalate_;
};

class Halt final : public Signal {
 public:
  explicit Halt(const SignalOptions&) {}
  Status act(const Event&, SignalDesk& desk) const override { return desk.halt(); }
};

template <class Kind>
std::shared_ptr<const Signal> make(const SignalOptions& options) {
  return std::make_shared<const Kind>(options);
}

struct Row {
  std::string_view action;
  bool escalates;
  std::shared_ptr<const Signal> (*make)(const SignalOptions&);
};
constexpr std::array kSignals = {
    Row{"pause", true, make<Pause>}, Row{"resume", false, make<Resume>}, Row{"release", false, make<Release>}, Row{"retry", true, make<TryAgain>}, Row{"halt", false, make<Halt>},
};

const Row* row_of(std::string_view action) {
  for (const auto& row : kSignals) {
    if (row.action == action) return &row;
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> signal_actions() {
  std::vector<std::string> names;
  for (const auto& row : kSignals) names.emplace_back(row.action);
  return names;
}

bool halts(std::string_view action) { return action == "halt"; }
bool escalates(std::string_view action) {
  const auto* row = row_of(action);
  return row != nullptr && row->escalates;
}

std::shared_ptr<const Signal> make_signal(const SignalOptions& options) {
  const auto* row = row_of(options.action);
  return row == nullptr ? nullptr : row->make(options);
}

}  // namespace hark
