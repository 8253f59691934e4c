#include "daemon/daemon.h"

#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "daemon/api.h"
#include "daemon/api_access.h"
#include "daemon/bus.h"
#include "daemon/containment.h"
#include "daemon/engine.h"
#include "daemon/places.h"
#include "daemon/engine_settings.h"
#include "daemon/overdue.h"
#include "daemon/owners.h"
#include "daemon/reload.h"
#include "daemon/source_supervisor.h"
#include "daemon/sources.h"
#include "executor/pool_runner.h"
#include "platform/clock.h"
#include "platform/file_system.h"
#include "platform/http_client.h"
#include "platform/http_server.h"
#include "platform/lock_file.h"
#include "platform/loop.h"
#include "platform/process.h"
#include "platform/process_activity.h"
#include "platform/secrets.h"
#include "platform/signals.h"
#include "platform/tls.h"
#include "platform/workers.h"
#include "sources/push_desk.h"
#include "sources/remote_reader.h"
#include "reporters/detached.h"
#include "reporters/hook_desk.h"
#include "reporters/hooks.h"
#include "reporters/log.h"
#include "reporters/metrics.h"
#include "reporters/pings.h"
#include "reporters/trace_export.h"
#include "state/journal.h"
#include "state/last_run.h"

namespace hark {

namespace {

// What blocks and is no run: libgit2, state.json. Two, so that one slow repository does not hold up the state.
constexpr std::size_t kBackgroundThreads = 2;
constexpr std::size_t kNetworkThreads = 4;  // questions to other machines at a time

constexpr std::initializer_list<int> kSignals = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t(device()) << 32) | device();
}

// Of what came to no route. Nobody who only looks around by GET brings an event.
std::optional<Refusal> refusal_of(const HttpRefused& refused) {
  Refusal refusal;
  refusal.peer = refused.peer;
  const auto where = refused.method + " " + refused.path;
  if (refused.status == 404 || refused.status == 405) {
    if (refused.method == "GET" || refused.method == "HEAD") return std::nullopt;
    refusal.cause = Refusal::Cause::path;
    refusal.reason = "path: " + where + ": " + refused.reason;
  } else if (refused.status == 503) {
    refusal.cause = Refusal::Cause::unavailable;
    refusal.reason = "not taken: " + refused.reason;
  } else {
    refusal.cause = Refusal::Cause::request;
    refusal.reason = "request: " + refused.reason + (refused.path.empty() ? "" : " (" + where + ")");
  }
  return refusal;
}

class Daemon {
 public:
  Daemon(const Settings& settings, const DaemonOptions& options, Secrets& secrets, std::unique_ptr<Log> log, std::unique_ptr<Journal> journal, LastRun last_run)
      : settings_(settings),
        options_(options),
        secrets_(secrets),
        log_(std::move(log)),
        journal_(std::move(journal)),
        log_thread_([this](const lifecycle::Any& event) { return log_->wants(event); }, [this](const lifecycle::Any& event) { log_->report(event); },
                    [this](std::uint64_t count) {
                      metrics_.lost("log", count);
                      log_->report(lifecycle::Note{"warn", std::to_string(count) + " lines of the log were left out: it does not keep up"});
                    }),
        engine_(settings_, {loop_, clock_, *journal_, files_, background_, emitter_, [this] { return activity_.any(); }, &hook_desk_, [this](const std::vector<EventPtr>& events) { bus_.durable(events); },
                 [this](bool hurry) { processes_.set_grace(hurry ? Duration(limits::kEmergencyGrace) : Duration(limits::kTerminationGrace)); }}, std::move(last_run), random_seed()),
        runner_(loop_, std::size_t(settings_.max_concurrent_handlers), PipelineTools{processes_, http_client_, clock_, output_folder(settings_), workspaces_folder(settings_), &secrets_, traces_ != nullptr},
                engine_.reports()),
        server_(loop_),
        sources_(loop_, clock_, engine_, emitter_),
        signals_(loop_, kSignals, [this](int signal) { on_signal(signal); }),
        reload_({loop_, clock_, emitter_, settings_, options_.load, [this](Settings wanted) { return apply(std::move(wanted)); },
                 [this](const ReloadOutcome& outcome) { record_reload("file", outcome); }}, options_.files),
        api_{settings_, server_, engine_, bus_, *journal_, sources_, metrics_, emitter_, background_, loop_, clock_, clock_.now(), processes_, listener_fault_, reload_, ended_, live_, pushes_, secrets_, access_, [this] { stop("hark daemon stop"); }} {
    journal_->measure({clock_, [this](Duration took) { metrics_.committed(took); }, [this](Duration took, std::size_t group) { metrics_.synced(took, group); }});
    metrics_.use(plain_handlers(settings_));
    emitter_.subscribe("metrics", [this](const lifecycle::Any& event) { metrics_.report(event); });
    if (traces_) emitter_.subscribe("traces", [this](const lifecycle::Any& event) { (*traces_)(event); });
    emitter_.subscribe("ended runs", [this](const lifecycle::Any& event) { ended_.note(event); });
    emitter_.subscribe("live steps", [this](const lifecycle::Any& event) { live_.note(event, clock_.now().wall); });
    emitter_.subscribe("log", [this](const lifecycle::Any& event) { log_thread_(event); });
    emitter_.subscribe("pings", [this](const lifecycle::Any& event) { pings_(event); });
    pings_.use(pings_of(settings_));
    emitter_.subscribe("hooks", [this](const lifecycle::Any& event) { hooks_(event); });
    hooks_.use(hooks_of(settings_));
    emitter_.subscribe("bus", [this](const lifecycle::Any& event) { bus_.tell(event); });
    emitter_.subscribe("start", [this](const lifecycle::Any& event) { note_warning(event); });
    engine_.set_runner(runner_);
    add_api_routes(api_);
  }

  Result<int> run() {
    const auto socket = options_.socket.empty() ? socket_path(settings_.journal_file) : options_.socket;
    if (auto prepared = prepare_socket_folder(socket); !prepared) return prepared.error();
    if (auto listening = server_.listen_unix(socket); !listening) return listening.error();
    contain(settings_);
    for (const auto& warning : trace_wish_.warnings) say("warn", warning);
    if (auto begun = bus_.begin(); !begun) return begun.error();
    if (auto recovered = engine_.recover([this](const std::string& run_id) { return processes_.end_marked(run_id); }); !recovered) {
      return recovered.error();
    }
    auto certificate = certificate_of(settings_);
    if (!certificate) return certificate.error();
    server_.use_certificate(std::move(*certificate));
    if (settings_.listen) {
      // Webhook sources say for themselves that they cannot work without it, and try again.
      if (auto listening = server_.listen(settings_.webhook_host, settings_.webhook_port); !listening) {
        listener_fault_ = listening.error();
        say("warn", "no HTTP over TCP: " + listening.error().text());
      }
    }
    server_.on_refused([this](const HttpRefused& refused) {
      if (auto refusal = refusal_of(refused)) sources_.refused(std::move(*refusal));
    });
    sources_.run(wanted_sources(settings_, nullptr, options_.only_sources, source_parts()));
    overdue_.check();
    reload_.watch();
    say("info", "hark is ready: " + counted(settings_.sources.size(), "source") + ", " + counted(settings_.handlers.size(), "handler") + ", " +
                    address());
    if (options_.ready) options_.ready(start_warnings_);
    starting_ = false;
    loop_.run();
    say("info", exit_code_ == 0 ? "hark has stopped" : "hark was ended");
    return exit_code_;
  }

  void say(std::string_view level, std::string message) { emitter_.emit(lifecycle::Note{level, std::move(message)}); }

 private:
  SourceParts source_parts() { return {loop_, clock_, background_, network_, remotes_, http_client_, server_, engine_, pushes_, engine_.last_run(), schedules_since_}; }

  // First what may fail, which is one thing; then all the rest, in one go.
  Status apply(Settings wanted) {
    if (engine_.draining()) return Error{"hark is shutting down", ""};
    const auto is_empty = [](const Settings& settings) { return settings.sources.empty() && settings.handlers.empty(); };
    if (is_empty(wanted) && !is_empty(settings_)) {
      return Error{"there is no source and no handler in it any more", "a file looks so while it is written anew; `hark daemon stop` ends them all"};
    }
    auto certificate = certificate_of(wanted);  // another one may stand in the same file
    if (!certificate) return certificate.error();
    if (auto listening = listen_as(wanted); !listening) return listening;
    server_.use_certificate(std::move(*certificate));
    secrets_.add(wanted.secrets);
    const auto before = std::exchange(settings_, std::move(wanted));
    log_->set_level(settings_.log_level);
    log_->set_repeats(settings_.log_repeats);
    runner_.set_threads(std::size_t(settings_.max_concurrent_handlers));
    contain(settings_);
    hooks_.use(hooks_of(settings_));
    engine_.reconfigure(settings_);
    pings_.use(pings_of(settings_));
    metrics_.use(plain_handlers(settings_));
    overdue_.check();
    sources_.run(wanted_sources(settings_, &before, options_.only_sources, source_parts()));
    return {};
  }

  void contain(const Settings& settings) {
    const auto socket = options_.socket.empty() ? socket_path(settings.journal_file) : options_.socket;
    for (auto& line : prepare_containment(settings, socket, options_.files, processes_)) say("warn", std::move(line));
  }

  static Result<std::shared_ptr<const TlsCertificate>> certificate_of(const Settings& settings) {
    if (settings.webhook_tls.certificate.empty()) return std::shared_ptr<const TlsCertificate>();
    return TlsCertificate::load(settings.webhook_tls.certificate, settings.webhook_tls.key);
  }

  Status listen_as(const Settings& wanted) {
    const bool as_before = wanted.listen == settings_.listen && wanted.webhook_host == settings_.webhook_host && wanted.webhook_port == settings_.webhook_port;
    if (as_before) return {};
    if (wanted.listen) {
      // Only host or port may be new, and it may have failed until now.
      const bool there = server_.port() != 0 && wanted.webhook_host == settings_.webhook_host && wanted.webhook_port == server_.port();
      if (auto moved = there ? Status{} : server_.move_to(wanted.webhook_host, wanted.webhook_port); !moved) return moved;
    } else {
      server_.stop_listening();
    }
    listener_fault_.reset();
    return {};
  }

  std::string address() const {
    return server_.port() == 0 ? "control socket only" : (settings_.webhook_tls.certificate.empty() ? "http://" : "https://") + settings_.webhook_host + ":" + std::to_string(server_.port());
  }

  std::unique_ptr<TraceExport> trace_export() {
    if (!trace_wish_.options) return nullptr;
    return std::make_unique<TraceExport>(*trace_wish_.options, TraceExport::Parts{http_client_, clock_, secrets_, [this](std::uint64_t spans) { metrics_.lost("traces", spans); }, [this](const Error& error) {
                                           loop_.post([this, text = error.text()] { say("warn", "traces are not taken by the collector: " + text + "; this is said once, until it takes some again"); });
                                         }}, TraceExport::Pace());
  }

  // Until the daemon is ready, for whoever started it and sees no log.
  void note_warning(const lifecycle::Any& event) {
    if (!starting_) return;
    if (const auto* note = std::get_if<lifecycle::Note>(&event); note != nullptr && note->level != "info") {
      start_warnings_.push_back(secrets_.mask().text(note->message));
    } else if (const auto* error = std::get_if<lifecycle::SourceError>(&event)) {
      start_warnings_.push_back(secrets_.mask().text("source '" + error->source + "' is degraded: " + Error{error->message, error->cure}.text()));
    }
  }

  void on_signal(int signal) {
    if (signal == SIGCHLD) return processes_.reap_orphans();
    if (signal == SIGHUP) {
      return record_reload("SIGHUP", reload_.run("SIGHUP"));
    }
    if (engine_.draining()) {
      exit_code_ = 128 + signal;
      say("info", std::string(signal == SIGINT ? "SIGINT" : "SIGTERM") + " again: what runs is ended; it runs again at the next start");
      return engine_.drain({}, [this] { close(); });  // ends what runs; it goes on at the next start
    }
    stop(signal == SIGINT ? "SIGINT" : "SIGTERM");
  }

  // One that nobody asked for over the API.
  void record_reload(std::string from, const ReloadOutcome& outcome) {
    AuditEntry entry{0, clock_.now().wall, {}, std::move(from), "reload", {}, outcome.good(), {}};
    if (!outcome.good()) entry.outcome = secrets_.mask().text(outcome.errors.front());
    engine_.record(std::move(entry), nullptr);
  }

  void stop(const std::string& why) {
    if (engine_.draining()) return;
    const auto active = engine_.executor().active();
    std::string rest;
    if (active > 0) {
      rest = "; " + counted(active, "running handler") + (active == 1 ? " has " : " have ") + to_string(settings_.drain_timeout) +
             " to finish, a second signal ends at once; what is cut off runs again at the next start";
    }
    say("info", why + ": stopping" + rest);
    // Sources stay until the end: a webhook is to be told 503 and come again, not 404.
    engine_.drain(settings_.drain_timeout, [this] { close(); });
  }

  void close() {
    sources_.stop();
    bus_.end();
    closing_->at(clock_.now().steady + limits::kLastAnswers, [this] { loop_.stop(); });
    server_.stop_accepting([this] { loop_.stop(); });
  }

  Settings settings_;
  const DaemonOptions& options_;
  Secrets& secrets_;
  std::unique_ptr<Log> log_;
  Loop loop_;
  SystemClock clock_;
  RealFileSystem files_;
  Metrics metrics_;                   // the journal's sync thread tells it what it takes
  std::unique_ptr<Journal> journal_;
  lifecycle::Emitter emitter_;
  Detached log_thread_;
  Workers background_{"hark-background", kBackgroundThreads};
  ProcessActivity activity_;
  RealProcessSpawner processes_;
  RealHttpClient http_client_;
  ChildRemoteReader remotes_{processes_, clock_, "/proc/self/exe", remotes_folder(settings_)};
  Workers network_{"hark-network", kNetworkThreads};
  TraceWish trace_wish_ = trace_wish([](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
  std::unique_ptr<TraceExport> traces_ = trace_export();  // null: nobody is to be told
  Pings pings_{http_client_, [this](const std::string& handler, const Error& error) {
                 loop_.post([this, text = "'" + handler + "': " + error.text()] { say("warn", text); });
               }, limits::kPingPause};
  RealHookDesk hook_desk_{loop_, {processes_, http_client_, clock_, &secrets_}, asker_name(this_process())};
  Hooks hooks_{{processes_, http_client_, clock_, &secrets_}, asker_name(this_process()), [this](const HookPtr& hook, const lifecycle::Any& event) { engine_.publish(*hook, event); },
               [this](const std::string& hook, const Error& error) {
                 loop_.post([this, text = "hook '" + hook + "' failed: " + error.text() + "; this is said once, until it works again"] { say("warn", text); });
               }};
  Bus bus_{loop_, clock_, *journal_};
  Engine engine_;
  PoolRunner runner_;
  HttpServer server_;
  PushDesk pushes_;
  SourceSupervisor sources_;
  OverdueWatch overdue_{loop_, clock_, engine_, emitter_};
  Signals signals_;
  EndedRuns ended_{std::to_string(clock_.now().wall.time_since_epoch().count())};
  LiveSteps live_;
  std::optional<Error> listener_fault_;
  std::map<std::string, WallTime> schedules_since_;  // SourceParts
  Reload reload_;
  ApiAccess access_{settings_, clock_};
  ApiParts api_;
  bool starting_ = true;
  std::vector<std::string> start_warnings_;
  std::unique_ptr<Timer> closing_ = loop_.timer();
  int exit_code_ = 0;
};

}  // namespace

Result<int> run_daemon(const Settings& settings, const DaemonOptions& options) {
  block_signals(kSignals);  // before the first thread
  if (auto prepared = prepare_state_folder(settings); !prepared) return prepared.error();
  auto lock = LockFile::take(lock_path(settings));
  if (!lock) return lock.error();
  const SystemClock clock;
  Secrets secrets;
  secrets.add(settings.secrets);
  auto log = Log::open({settings.log_level, settings.log_format, settings.log_file, settings.log_repeats}, clock, secrets);
  if (!log) return log.error();
  auto journal = open_journal(settings.journal_file);
  if (!journal) return journal.error();
  LastRun last_run;
  std::string warning;
  if (settings.persist_last_run) {
    RealFileSystem files;
    auto loaded = LastRun::load(files, settings.state_file, SystemClock().now().wall);
    if (!loaded) return loaded.error();
    warning = std::move(loaded->warning);
    last_run = std::move(loaded->state);
  }
  try {
    Daemon daemon(settings, options, secrets, std::move(*log), std::move(*journal), std::move(last_run));
    if (!warning.empty()) daemon.say("warn", std::move(warning));
    if (auto open = open_folder_warning(settings); !open.empty()) daemon.say("warn", std::move(open));
    return daemon.run();
  } catch (const std::system_error& failure) {  // what the standard library says where there is no thread to be had
    return Error{std::string("this process may not start a thread: ") + failure.what(), "raise the limit on processes (ulimit -u, TasksMax= of a service)"};
  }
}

}  // namespace hark
