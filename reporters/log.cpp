#include "reporters/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include <nlohmann/json.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "core/limits.h"
#include "core/printable.h"
#include "platform/descriptor.h"
#include "platform/errno_text.h"
#include "platform/file_system.h"
#include "reporters/line_limit.h"

namespace hark {

namespace {

using Fields = std::vector<std::pair<std::string_view, std::string>>;

// As logfmt has it: quoted where a reader could take its end for the value's end.
std::string word(const std::string& value) {
  const std::string text = printable(value, limits::kLogText);
  if (text.find_first_of(" \"=") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string ids_text(const Fields& fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    if (value.empty()) continue;
    text += ' ';
    text += name;
    text += '=';
    text += word(value);
  }
  return text;
}

std::string milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + "ms";
}

Fields ids(const Event& event) {
  return {{"event", event.id}, {"source", event.source}, {"correlation", event.correlation_id == event.id ? "" : event.correlation_id}};
}
Fields ids(const Run& run) {
  return {{"run", run.id}, {"handler", run.handler}, {"event", run.event_id}, {"correlation", run.correlation_id == run.event_id ? "" : run.correlation_id}};
}

// For the owner only, as it names files and people. One that is there keeps its mode: whoever made it (logrotate's `create`) chose it.
Status make_own_file(const std::filesystem::path& file) {
  const auto fail = [&](const std::string& why) { return Error{"cannot write the log " + file.string() + ": " + why, "choose another log_file"}; };
  if (auto made = make_private_folder(file.has_parent_path() ? file.parent_path() : "."); !made) return fail(made.error().message);
  const Descriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd || errno == EEXIST) return {};
  return fail(errno_text(errno));
}

// systemd.exec(5), JOURNAL_STREAM: standard error is journald's when it has that device and inode.
bool is_journald(int descriptor) {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(descriptor, &status) != 0) return false;
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

// sd-daemon(3): the line's priority in front of it, which journald takes off.
std::string_view priority(std::string_view level) {
  if (level == "error") return "<3>";
  if (level == "warn") return "<4>";
  return level == "info" ? "<6>" : "<7>";
}

}  // namespace

struct Log::State {
  const Clock& clock;
  const Secrets& secrets;
  std::unique_ptr<spdlog::logger> logger;
  bool json = false;
  bool to_journald = false;
  LineLimit limit;                       // of the thread that reports
  std::atomic<std::size_t> repeats{0};   // what it is to be
};

Log::Log(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Log>> Log::open(const LogOptions& options, const Clock& clock, const Secrets& secrets) {
  if (!options.file.empty()) {
    if (auto made = make_own_file(options.file); !made) return made.error();
  }
  auto state = std::unique_ptr<State>(new State{clock, secrets, nullptr, options.format == "json", options.file.empty() && is_journald(STDERR_FILENO), LineLimit(options.repeats), options.repeats});
  try {
    spdlog::sink_ptr sink;
    if (options.file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file.string());
    }
    state->logger = std::make_unique<spdlog::logger>("hark", std::move(sink));
  } catch (const spdlog::spdlog_ex& failure) {
    return Error{std::string("cannot write the log: ") + failure.what(), "choose another log_file"};
  }
  state->logger->set_level(spdlog::level::from_str(options.level));
  state->logger->flush_on(spdlog::level::trace);
  state->logger->set_pattern(state->json || state->to_journald ? "%v" : "%Y-%m-%d %H:%M:%S.%e %v");  // journald has the time
  return std::unique_ptr<Log>(new Log(std::move(state)));
}

Log::~Log() { tell_left_out(true); }

namespace {

// What a line says of each lifecycle event.
struct Said {
  std::string message;
  Fields fields;
};

Said line(const lifecycle::EventReceived& e) {
  auto message = "received " + e.event->type;
  if (!e.event->subject.empty()) message += " " + e.event->subject;
  return {std::move(message), ids(*e.event)};
}
Said line(const lifecycle::EventQueued& e) { return {"'" + e.handler + "' is to run", ids(*e.event)}; }
Said line(const lifecycle::EventDropped& e) {
  return {std::string("stopped at ") + std::string(to_string(e.decision.stage)) + ": " + e.decision.reason, ids(*e.event)};
}
Said line(const lifecycle::EventRefused& e) {
  auto message = (e.refusal.source.empty() ? "refused: " : "source '" + e.refusal.source + "' refused: ") + e.refusal.reason;
  if (e.tells > 1) message += "; " + std::to_string(e.tells) + " of this cause since the last such line";
  return {std::move(message),
          {{"source", e.refusal.source}, {"cause", std::string(to_string(e.refusal.cause))}, {"peer", e.refusal.peer}, {"delivery", e.refusal.delivery}}};
}
Said line(const lifecycle::HandlerStart& e) { return {"handler '" + e.run->handler + "' begins", ids(*e.run)}; }
Said line(const lifecycle::HandlerEnd& e) { return {"handler '" + e.run->handler + "' has ended", ids(*e.run)}; }
Said line(const lifecycle::HandlerOverdue& e) {
  const auto last = e.last_success ? "its last success began at " + to_rfc3339(*e.last_success) : std::string("there was none yet");
  return {"'" + e.handler + "' is overdue: a success is expected every " + to_string(e.expect_every) + ", " + last, {{"handler", e.handler}}};
}
Said line(const lifecycle::SourceStarted& e) { return {"source '" + e.source + "' is running", {{"source", e.source}}}; }
Said line(const lifecycle::SourceStopped& e) { return {"source '" + e.source + "' stopped", {{"source", e.source}}}; }
Said line(const lifecycle::SourceError& e) {
  return {"source '" + e.source + "' is degraded: " + e.message + (e.cure.empty() ? "" : " (" + e.cure + ")"), {{"source", e.source}}};
}
Said line(const lifecycle::RunQueued& e) { return {"queued '" + e.run->handler + "'", ids(*e.run)}; }
Said line(const lifecycle::RunStarted& e) {
  return {"running '" + e.run->handler + "'" + (e.run->attempt > 1 ? ", attempt " + std::to_string(e.run->attempt) : ""), ids(*e.run)};
}
Said line(const lifecycle::RunComplete& e) {
  auto message = "'" + e.run->handler + "' succeeded";
  if (e.run->started && e.run->finished) message += " in " + milliseconds(*e.run->finished - *e.run->started);
  return {std::move(message), ids(*e.run)};
}
Said line(const lifecycle::RunRetry& e) {
  auto message = "'" + e.run->handler + "' attempt " + std::to_string(e.run->attempt) + " follows";
  if (!e.run->error.empty()) message += ": " + e.run->error;
  return {std::move(message), ids(*e.run)};
}
Said line(const lifecycle::RunWaiting& e) { return {"'" + e.run->handler + "' " + e.run->error, ids(*e.run)}; }
Said line(const lifecycle::RunResumed& e) { return {"'" + e.run->handler + "' goes on", ids(*e.run)}; }
Said line(const lifecycle::RunFailed& e) {
  auto message = "'" + e.run->handler + "' " + std::string(to_string(e.run->state));
  if (!e.run->error.empty()) message += ": " + e.run->error;
  return {std::move(message), ids(*e.run)};
}
Fields ids(const lifecycle::OfRun& e) { return {{"run", e.run_id}, {"handler", e.handler}, {"correlation", e.correlation_id}}; }
std::string iteration(int number) { return "iteration " + std::to_string(number); }

Said line(const lifecycle::IterationStarted& e) { return {iteration(e.iteration) + " begins", ids(e)}; }
Said line(const lifecycle::IterationComplete& e) {
  return {iteration(e.iteration) + (e.passed ? " passed in " : " did not pass, after ") + milliseconds(e.duration), ids(e)};
}
Said line(const lifecycle::PhaseStarted& e) { return {"step '" + e.phase + "' begins", ids(e)}; }
Said line(const lifecycle::PhaseComplete& e) {
  auto message = "step '" + e.step.name + "' " + std::string(to_string(e.step.state)) + " in " + milliseconds(e.step.duration);
  if (!e.step.error.empty()) message += ": " + e.step.error;
  return {std::move(message), ids(e)};
}
Said line(const lifecycle::VerificationStarted& e) { return {iteration(e.iteration) + ": " + counted(e.gates, "gate") + " to pass", ids(e)}; }
Said line(const lifecycle::GateChecked& e) {
  return {iteration(e.iteration) + ": gate '" + e.gate + "' " + (e.passed ? "passed" : "did not pass") + " in " + milliseconds(e.duration) + (e.why.empty() ? "" : ": " + e.why),
          ids(e)};
}
Said line(const lifecycle::VerificationComplete& e) {
  return {iteration(e.iteration) + ": " + std::to_string(e.passed) + " of " + counted(e.gates, "gate") + " passed in " + milliseconds(e.duration), ids(e)};
}
Said line(const lifecycle::StrategyDecision& e) {
  return {"after " + iteration(e.iteration) + ": " + std::string(e.decision) + (e.reason.empty() ? "" : ", " + e.reason), ids(e)};
}
Said line(const lifecycle::WorkspaceAcquired& e) { return {"workspace " + e.folder + " made in " + milliseconds(e.duration), ids(e)}; }
Said line(const lifecycle::WorkspaceReleased& e) { return {"workspace " + e.folder + (e.kept ? " is kept" : " given back in " + milliseconds(e.duration)), ids(e)}; }
Said line(const lifecycle::SnapshotCreated& e) { return {"snapshot '" + e.snapshot + "' made in " + milliseconds(e.duration), ids(e)}; }
Said line(const lifecycle::SnapshotRestored& e) { return {"snapshot '" + e.snapshot + "' restored in " + milliseconds(e.duration), ids(e)}; }
Said line(const lifecycle::DeliveryStarted& e) { return {"the delivery of " + iteration(e.iteration) + " begins", ids(e)}; }
Said line(const lifecycle::DeliveryComplete& e) { return {std::string(e.delivered ? "delivered in " : "not delivered, after ") + milliseconds(e.duration), ids(e)}; }
Said line(const lifecycle::AgentStarted& e) { return {"step '" + e.step + "' asks provider '" + e.provider + "'", ids(e)}; }
Said line(const lifecycle::AgentComplete& e) {
  auto message = "provider '" + e.provider + "': step '" + e.step + "' " + std::string(to_string(e.outcome)) + " in " + milliseconds(e.duration);
  if (e.usage) message += ", " + counted(e.usage->input_tokens + e.usage->output_tokens, "token");
  if (!e.why.empty()) message += ": " + e.why;
  return {std::move(message), ids(e)};
}
Said line(const lifecycle::PullRequestCreated& e) { return {"pull request of " + e.repository + " opened: " + e.url, ids(e)}; }
Said line(const lifecycle::Note& e) { return {e.message, {}}; }

// The level of a kind of event, without putting its line together.
std::string_view level(const lifecycle::Any& any) {
  return std::visit(
      [](const auto& event) -> std::string_view {
        using T = std::decay_t<decltype(event)>;
        if constexpr (std::is_same_v<T, lifecycle::Note>) {
          return event.level;
        } else if constexpr (std::is_same_v<T, lifecycle::EventRefused>) {
          return event.tells > 0 ? "warn" : "trace";
        } else if constexpr (std::is_same_v<T, lifecycle::SourceError> || std::is_same_v<T, lifecycle::HandlerOverdue> || std::is_same_v<T, lifecycle::RunFailed> || std::is_same_v<T, lifecycle::RunRetry>) {
          return "warn";
        } else if constexpr (std::is_same_v<T, lifecycle::IterationStarted> || std::is_same_v<T, lifecycle::IterationComplete>) {
          return "trace";
        } else if constexpr (std::is_same_v<T, lifecycle::StrategyDecision> || std::is_same_v<T, lifecycle::PullRequestCreated>) {
          return "info";
        } else if constexpr (std::is_same_v<T, lifecycle::EventQueued> || std::is_same_v<T, lifecycle::HandlerStart> ||
                             std::is_same_v<T, lifecycle::HandlerEnd> || std::is_same_v<T, lifecycle::RunQueued> ||
                             std::is_base_of_v<lifecycle::OfRun, T>) {
          return "debug";
        } else {
          return "info";
        }
      },
      any);
}

// What makes a line another one's like: its kind of event and whose it is; of what else there is to say, what it says.
std::string kind_of(std::string_view name, const Said& said) {
  if (name == lifecycle::Note::kName) return said.message;
  for (const auto& [field, value] : said.fields) {
    if ((field == "source" || field == "handler") && !value.empty()) return std::string(name) + " of '" + value + "'";
  }
  return std::string(name);
}

spdlog::level::level_enum severity(std::string_view level) { return spdlog::level::from_str(std::string(level)); }

}  // namespace

bool Log::wants(const lifecycle::Any& event) const { return state_->logger->should_log(severity(level(event))); }

void Log::set_level(const std::string& level) { state_->logger->set_level(spdlog::level::from_str(level)); }

void Log::set_repeats(std::size_t repeats) { state_->repeats = repeats; }

struct Log::Line {
  std::string_view level;
  std::string_view name;
  std::string message;
  Fields fields;
};

void Log::report(const lifecycle::Any& event) {
  if (!wants(event)) return;
  state_->limit.set(state_->repeats);
  tell_left_out(false);
  auto said = std::visit([](const auto& e) { return line(e); }, event);
  const auto name = lifecycle::name(event);
  if (!state_->limit.admit(kind_of(name, said), state_->clock.now().steady)) return;
  const auto mask = state_->secrets.mask();
  said.message = mask.text(std::move(said.message));
  for (auto& field : said.fields) field.second = mask.text(std::move(field.second));
  write({level(event), name, std::move(said.message), std::move(said.fields)});
}

void Log::tell_left_out(bool all) {
  if (state_ == nullptr) return;
  const auto now = all ? SteadyTime::max() : state_->clock.now().steady;
  for (const auto& left_out : state_->limit.left_out(now)) {
    write({"info", "log:repeats", counted(left_out.lines, "more line") + " like this in one second: " + state_->secrets.mask().text(left_out.kind) + " (log_repeats)", {}});
  }
}

void Log::write(Line line) {
  if (!state_->json) {
    const auto text = printable(line.message, limits::kLogText) + ids_text(line.fields);
    if (state_->to_journald) return state_->logger->log(severity(line.level), "{}{}", priority(line.level), text);
    return state_->logger->log(severity(line.level), "{:<5} {}", line.level, text);
  }
  nlohmann::ordered_json object;
  object["time"] = to_rfc3339(state_->clock.now().wall);
  object["level"] = line.level;
  object["name"] = line.name;
  object["message"] = line.message;
  for (const auto& [name, value] : line.fields) {
    if (!value.empty()) object[std::string(name)] = value;
  }
  state_->logger->log(severity(line.level), "{}{}", state_->to_journald ? priority(line.level) : "", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace hark
