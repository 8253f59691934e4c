#include "cli/command_line.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "core/limits.h"
#include "core/nearest.h"
#include "core/time.h"
#include "core/version.h"

namespace hark {

namespace {

struct Parsed {
  CommonOptions common;
  DaemonCommand daemon;
  PauseCommand pause;
  TriggerCommand trigger;
  HistoryCommand history;
  EventCommand event;
  ConfigCheckCommand check;
  CronCommand cron;
  HookCommand hook;
  InitCommand init;
  DeadLettersCommand dead_letters;
  ReplayCommand replay;
  PublishCommand publish;
  WaitCommand wait;
  TokenCommand token;
  std::string timeout, ttl, expires, interval, session;
  std::string cancelled;
  std::string explained;
  bool refused = false;
  RefusalsCommand refusals;
  AuditCommand audit;
  StatusCommand status;
  std::function<int()> run;
};

void add_configuration(CLI::App& command, CommonOptions& common, const std::string& names = "-c,--config") {
  auto* config = command.add_option(names, common.config, "Configuration file (default: ./hark.toml, then the user's, then /etc/hark/hark.toml)")->option_text("FILE");
  command.add_option("-p,--profile", common.profile, "In its place: configuration by name, from ./profiles and the installed ones")->option_text("NAME")->excludes(config);
}
void add_json(CLI::App& command, bool& json) { command.add_flag("--json", json, "Print JSON"); }
void add_socket(CLI::App& command, CommonOptions& common) {
  command.add_option("--socket", common.socket, "The daemon's control socket (default: beside the journal)")->option_text("PATH");
}
void add_journal(CLI::App& command, CommonOptions& common) {
  command.add_option("--journal", common.journal, "The journal's file (default: where the configuration says)")->option_text("FILE");
}
void example(CLI::App& command, const std::string& text) { command.footer("\nExample:\n  " + text); }

// What asks a running daemon.
CLI::App& control(CLI::App& parent, Parsed& p, const std::string& name, const std::string& help, const std::string& shown) {
  auto& command = *parent.add_subcommand(name, help);
  add_configuration(command, p.common);
  add_socket(command, p.common);
  add_json(command, p.common.json);
  example(command, shown);
  return command;
}

void add_history_options(CLI::App& command, Parsed& p) {
  auto* id = command.add_option("id", p.history.id, "One run, by its id or the beginning of it: with its steps and what they wrote. Of an event: its runs")->option_text(" ");
  command.add_option("-n,--limit", p.history.limit, "How many, newest first (default: " + std::to_string(p.history.limit) + ")")->option_text("COUNT")->check(CLI::Range(1, 1'000'000));
  command.add_option("--handler", p.history.handler, "Only runs of this handler")->option_text("NAME");
  command.add_flag("-f,--follow", p.history.follow, "Runs as they end from now on, one a line, until interrupted")->option_text(" ")->excludes(id);
  command.add_option("--filter", p.history.filter, "Only runs that match, for example 'state:failed|state:timed_out'")->option_text("FILTER");
}

void add_daemon(CLI::App& app, Parsed& p) {
  auto& daemon = *app.add_subcommand("daemon", "Run the daemon, or ask a running one");
  daemon.require_subcommand(0, 1);
  add_configuration(daemon, p.common);
  add_socket(daemon, p.common);
  daemon.add_option("--sources", p.daemon.sources, "Start only these sources: a,b")->option_text("NAMES")->delimiter(',');
  daemon.add_flag("-b,--background", p.daemon.background, "Return as soon as the daemon is ready; it logs to log_file, or hark.log beside the journal");
  daemon.add_option("--pid-file", p.daemon.pid_file, "Write the process id here when ready")->option_text("FILE");
  example(daemon, "hark daemon --config hark.toml\n  hark daemon --background --pid-file /run/hark.pid\n  hark daemon status");
  daemon.callback([&p, &daemon] {
    if (!daemon.get_subcommands().empty()) return;
    p.run = [&p] {
      p.daemon.common = p.common;
      return daemon_command(p.daemon);
    };
  });

  auto& status = control(daemon, p, "status", "What runs, what waits, how each source is", "hark daemon status --json");
  auto* watch = status.add_flag("-w,--watch", p.status.watch, "Again and again, in place, until interrupted; a daemon that goes is waited for");
  status.add_option("--interval", p.interval, "With --watch: how often (default: 1s)")->option_text("DURATION")->needs(watch)->each([&p](const std::string& given) {
    const auto parsed = parse_duration(given);
    if (!parsed || *parsed < std::chrono::milliseconds(100)) throw CLI::ValidationError(given + " is no duration of 100ms or more, such as 2s");
    p.status.interval = *parsed;
  });
  status.callback([&p] {
    p.run = [&p] {
      p.status.common = p.common;
      return status_command(p.status);
    };
  });

  auto& stop = control(daemon, p, "stop", "Stop it: no more is accepted, running handlers may finish; returns when it is gone", "hark daemon stop");
  stop.alias("drain");
  stop.callback([&p] { p.run = [&p] { return stop_command(p.common); }; });

  auto& emergency = control(daemon, p, "emergency-stop", "End all that runs at once and take nothing in, until `hark daemon resume`; what was ended goes on then", "hark daemon emergency-stop");
  emergency.callback([&p] { p.run = [&p] { return emergency_stop_command(p.common); }; });

  auto& cancel = control(daemon, p, "cancel", "End a run that is under way, or that waits", "hark daemon cancel 01KAJ4X0Z7C1");
  cancel.add_option("run", p.cancelled, "Its id, or the beginning of it")->option_text("RUN")->required();
  cancel.callback([&p] { p.run = [&p] { return cancel_command(p.common, p.cancelled); }; });

  auto& reload = control(daemon, p, "reload", "Read the configuration again: all of it is taken over, or nothing with every error", "hark daemon reload");
  reload.callback([&p] { p.run = [&p] { return reload_command(p.common); }; });

  auto& trigger = control(daemon, p, "trigger", "Run a handler now", "hark daemon trigger deploy --payload '{\"ref\": \"main\"}' --wait");
  trigger.add_option("--handler,handler", p.trigger.handler, "Which handler (required)")->option_text("NAME")->required();
  trigger.add_option("--payload", p.trigger.payload, "The event's data: JSON, @FILE, or - for standard input")->option_text("JSON");
  trigger.add_flag("--wait", p.trigger.wait, "Wait for the run; its result is the exit status");
  trigger.callback([&p] {
    p.run = [&p] {
      p.trigger.common = p.common;
      return trigger_command(p.trigger);
    };
  });

  auto& history = control(daemon, p, "history", "What ran, asked of the running daemon", "hark daemon history --limit 5");
  add_history_options(history, p);
  history.callback([&p] {
    p.run = [&p] {
      p.history.common = p.common;
      p.history.from_daemon = true;
      return history_command(p.history);
    };
  });

  for (const bool pause : {true, false}) {
    auto& command = control(daemon, p, pause ? "pause" : "resume", pause ? "Start no more runs; events are still accepted and wait" : "Go on after a pause",
                            pause ? "hark daemon pause --handler deploy" : "hark daemon resume");
    command.add_option("--handler", p.pause.handler, "Only this handler")->option_text("NAME");
    command.callback([&p, pause] {
      p.run = [&p, pause] {
        p.pause.common = p.common;
        p.pause.pause = pause;
        return pause_command(p.pause);
      };
    });
  }
}

void add_event(CLI::App& app, Parsed& p) {
  auto& event = *app.add_subcommand("event", "Process one event here, without a daemon; the exit status tells the result");
  add_configuration(event, p.common);
  add_json(event, p.common.json);
  event.add_option("-t,--type", p.event.type, "The event's type: file_change, git_push, git_pr, webhook, schedule, manual or your own (default: " + p.event.type + ")")->option_text("TYPE");
  event.add_option("--payload", p.event.payload, "The event's data: JSON, @FILE, or - for standard input")->option_text("JSON");
  event.add_option("--subject", p.event.subject, "What it is about: GitHub's X-GitHub-Event, a branch, a path (default: none)")->option_text("SUBJECT");
  auto* source = event.add_option("--source", p.event.source, "As if it came from this source (default: the only one of its type)")->option_text("NAME");
  event.add_option("--handler", p.event.handler, "In its place: run this handler, whatever the sources say")->option_text("NAME")->excludes(source);
  event.add_flag("--dry-run", p.event.dry_run, "Show which handlers match and what their steps would be; run nothing");
  example(event, "hark event --type webhook --payload '{\"ref\": \"main\"}' --dry-run");
  event.callback([&p] {
    p.run = [&p] {
      p.event.common = p.common;
      return event_command(p.event);
    };
  });
}

void add_history(CLI::App& app, Parsed& p) {
  auto& history = *app.add_subcommand("history", "What ran: from the journal, with or without a daemon");
  add_configuration(history, p.common);
  add_journal(history, p.common);
  add_json(history, p.common.json);
  add_history_options(history, p);
  auto* events = history.add_flag("--events", p.history.events, "What arrived, and what became of each event; --filter is then about events");
  events->excludes("--handler")->excludes("id")->excludes("--follow")->option_text(" ");
  example(history, "hark history --limit 5\n  hark history --filter 'state:failed|state:timed_out'\n  hark history --events --filter 'type:webhook'\n  hark history 01KAJ4X0Z7C1");
  history.callback([&p] {
    p.run = [&p] {
      p.history.common = p.common;
      return history_command(p.history);
    };
  });

  auto& explain = *app.add_subcommand("explain", "Every decision on an event's way: why it did, or did not, run");
  add_configuration(explain, p.common);
  add_journal(explain, p.common);
  add_json(explain, p.common.json);
  auto* id = explain.add_option("id", p.explained, "An event's id (`hark history --events` lists them) or one of its runs', or the beginning of it")->option_text(" ");
  auto* refused = explain.add_flag("--refused", p.refused, "What the running daemon's sources refused before it was an event, newest first")->excludes(id)->excludes("--journal")->option_text(" ");
  add_socket(explain, p.common);
  explain.add_option("--source", p.refusals.source, "With --refused: only by this source")->option_text("NAME")->needs(refused);
  explain.add_option("-n,--limit", p.refusals.limit, "With --refused: how many (default: " + std::to_string(p.refusals.limit) + ")")->option_text("COUNT")->check(CLI::Range(1, 1'000'000))->needs(refused);
  example(explain, "hark explain 01KAJ4X0Z7C1\n  hark explain --refused --source deploy");
  explain.callback([&p] {
    if (p.explained.empty() && !p.refused) throw CLI::RequiredError("id, or --refused,");
    p.run = [&p] {
      p.refusals.common = p.common;
      return p.refused ? refusals_command(p.refusals) : explain_command(p.common, p.explained);
    };
  });
}

// Which of the dead letters: some by their ids, or all that match.
void add_audit(CLI::App& app, Parsed& p) {
  auto& audit = *app.add_subcommand("audit", "Who asked the daemon to trigger, cancel, replay, reload, pause, stop");
  add_configuration(audit, p.common);
  add_journal(audit, p.common);
  add_json(audit, p.common.json);
  audit.add_option("-n,--limit", p.audit.limit, "How many, newest first (default: " + std::to_string(p.audit.limit) + ")")->option_text("COUNT")->check(CLI::Range(1, 1'000'000));
  audit.add_option("--action", p.audit.action, "Only this: trigger, cancel, retry, discard, replay, reload, pause, ...")->option_text("NAME");
  audit.add_option("--who", p.audit.who, "Only by a token of this subject, or from there where no token was asked for")->option_text("NAME");
  example(audit, "hark audit --action cancel\n  hark audit --who ci --json");
  audit.callback([&p] {
    p.run = [&p] {
      p.audit.common = p.common;
      return audit_command(p.audit);
    };
  });
}

void add_settling(CLI::App& parent, Parsed& p, bool retry) {
  auto& command = control(parent, p, retry ? "retry" : "discard", retry ? "Run them again, as often as their handlers grant" : "Take them out; what ran stays in the history",
                          retry ? "hark dead-letters retry 01KAJ4X0Z7C1\n  hark dead-letters retry --filter handler:deploy --dry-run" : "hark dead-letters discard 01KAJ4X0Z7C1");
  auto* ids = command.add_option("id", p.dead_letters.ids, "Runs, by their ids or the beginnings of them")->option_text("ID...");
  auto* filter = command.add_option("--filter", p.dead_letters.filter, "All that match, for example 'handler:deploy'")->option_text("FILTER")->excludes(ids);
  auto* all = command.add_flag("--all", p.dead_letters.all, "All of them")->excludes(ids)->excludes(filter)->option_text(" ");
  command.add_flag("--dry-run", p.dead_letters.dry_run, "With --filter or --all: show which, and leave them alone")->excludes(ids)->option_text(" ");
  command.callback([&p, retry, ids, filter, all] {
    if (ids->empty() && filter->empty() && all->empty()) throw CLI::RequiredError("An id, --filter or --all");
    p.run = [&p, retry] {
      p.dead_letters.common = p.common;
      return settle_dead_letters_command(p.dead_letters, retry);
    };
  });
}

void add_dead_letters(CLI::App& app, Parsed& p) {
  auto& letters = *app.add_subcommand("dead-letters", "Runs that failed for good: look at them, retry or discard them");
  letters.require_subcommand(1);
  example(letters, "hark dead-letters list\n  hark dead-letters retry --filter handler:deploy");

  auto& list = *letters.add_subcommand("list", "Those there are, newest first; with or without a daemon");
  add_configuration(list, p.common);
  add_journal(list, p.common);
  add_json(list, p.common.json);
  list.add_option("-n,--limit", p.dead_letters.limit, "How many (default: " + std::to_string(p.dead_letters.limit) + ")")->option_text("COUNT")->check(CLI::Range(1, 1'000'000));
  list.add_option("--handler", p.dead_letters.handler, "Only of this handler")->option_text("NAME");
  list.add_option("--filter", p.dead_letters.filter, "Only those that match, for example 'event.type:webhook'")->option_text("FILTER");
  example(list, "hark dead-letters list --handler deploy");
  list.callback([&p] {
    p.run = [&p] {
      p.dead_letters.common = p.common;
      return list_dead_letters_command(p.dead_letters);
    };
  });

  auto& show = *letters.add_subcommand("show", "One of them: its attempts, what the last one wrote, its event");
  add_configuration(show, p.common);
  add_journal(show, p.common);
  add_json(show, p.common.json);
  show.add_option("id", p.explained, "The run's id, or the beginning of it")->option_text("ID")->required();
  example(show, "hark dead-letters show 01KAJ4X0Z7C1");
  show.callback([&p] { p.run = [&p] { return show_dead_letter_command(p.common, p.explained); }; });

  for (const bool retry : {true, false}) add_settling(letters, p, retry);
}

void add_replay(CLI::App& app, Parsed& p) {
  auto& replay = control(app, p, "replay", "Put stored events through today's configuration as new ones",
                         "hark replay 01KAJ4X0Z7C1\n  hark replay --since 2h --source hook --handler deploy --dry-run");
  auto* ids = replay.add_option("id", p.replay.ids, "Events, by their ids (`hark history --events` lists them) or the beginnings of them")->option_text("ID...");
  auto* since = replay.add_option("--since", p.replay.since, "All that arrived from outside since then, oldest first: 2h, or 2026-11-21T07:00:00Z")->option_text("WHEN")->excludes(ids);
  replay.add_option("--until", p.replay.until, "With --since: up to then (default: now)")->option_text("WHEN")->needs(since);
  replay.add_option("--source", p.replay.source, "With --since: only those of this source")->option_text("NAME")->needs(since);
  replay.add_option("--filter", p.replay.filter, "With --since: only those that match, for example 'payload.ref:main'")->option_text("FILTER")->needs(since);
  replay.add_option("--handler", p.replay.handler, "Only this one of the handlers that their sources name")->option_text("NAME");
  replay.add_option("--rate", p.replay.rate, "At most so many (default: " + p.replay.rate + ")")->option_text("RATE");
  replay.add_flag("--dry-run", p.replay.dry_run, "Show what each would do; replay none. Needs no daemon");
  replay.callback([&p, ids, since] {
    if (ids->empty() && since->empty()) throw CLI::RequiredError("An event's id, or --since,");
    p.run = [&p] {
      p.replay.common = p.common;
      return replay_command(p.replay);
    };
  });
}

// A duration such as 30s; CLI11 says of which option it is.
void duration_option(CLI::App& command, const std::string& name, std::string& text, std::optional<std::chrono::nanoseconds>& value, const std::string& help) {
  command.add_option(name, text, help)->option_text("DURATION")->each([&value](const std::string& given) {
    const auto parsed = parse_duration(given);
    if (!parsed) throw CLI::ValidationError(given + " is no duration, such as 30s, 5m or 24h");
    value = *parsed;
  });
}

void add_bus(CLI::App& app, Parsed& p) {
  auto& publish = control(app, p, "publish", "Publish an event on the bus; prints its id once it is durable",
                          "hark publish implementation_complete --topic implementation --data '{\"branch\": \"x\"}'");
  publish.add_option("type", p.publish.type, "Its type")->option_text("TYPE")->required();
  publish.add_option("-t,--topic", p.publish.topic, "Its topic (default: none)")->option_text("TOPIC");
  publish.add_option("--data", p.publish.data, "Its data: JSON, @FILE, or - for standard input")->option_text("JSON");
  publish.add_option("--subject", p.publish.subject, "What it is about")->option_text("TEXT");
  publish.add_option("--publisher", p.publish.publisher, "Who says so (default: local)")->option_text("NAME");
  publish.add_option("--correlation-id", p.publish.correlation_id, "The session it belongs to (default: in a handler's command that of its run, else a new one)")->option_text("ID");
  publish.add_option("--key", p.publish.key, "Your own key of it: sent again with that it is the same event")->option_text("KEY");
  publish.add_option("--priority", p.publish.priority, "Of the runs that it starts; higher goes first (default: 0)")->option_text("NUMBER")->check(CLI::Range(-1000, 1000));
  duration_option(publish, "--ttl", p.ttl, p.publish.ttl, "After that nobody gets it any more");
  publish.callback([&p] {
    p.run = [&p] {
      p.publish.common = p.common;
      return publish_command(p.publish);
    };
  });

  auto& wait = control(app, p, "wait", "Wait for events of the bus; prints each as a line of JSON",
                       "hark wait review_complete --filter 'payload.pull_request:17' --timeout 10m\n  hark wait 'build_*' --topic deployment --follow\n  hark wait task --subscriber worker-1");
  wait.add_option("type", p.wait.types, "Types of events; globs")->option_text("TYPE...")->required();
  wait.add_option("-t,--topic", p.wait.topics, "Only of these topics; globs")->option_text("TOPIC...");
  wait.add_option("--filter", p.wait.filter, "Only those that match, for example 'payload.ref:main'")->option_text("FILTER");
  duration_option(wait, "--timeout", p.timeout, p.wait.timeout, "How long (default: until they come)");
  auto* count = wait.add_option("-n,--count", p.wait.count, "How many (default: 1)")->option_text("COUNT")->check(CLI::Range(1, 1'000'000));
  wait.add_flag("-f,--follow", p.wait.follow, "All that come, until interrupted")->option_text(" ")->excludes(count);
  wait.add_option("--after", p.wait.after, "Those after the event of this sequence number as well; 0: all that are kept (default: from now on)")->option_text("NUMBER");
  wait.add_option("--subscriber", p.wait.subscriber, "A name of your own: the daemon remembers how far it has read, and the next time it goes on there")->option_text("NAME");
  wait.callback([&p] {
    p.run = [&p] {
      p.wait.common = p.common;
      return wait_command(p.wait);
    };
  });

  auto& session = *app.add_subcommand("session", "A whole story: events, the runs that came of them, and what those published");
  add_configuration(session, p.common);
  add_journal(session, p.common);
  add_json(session, p.common.json);
  session.add_option("id", p.session, "Its correlation id, or an event or a run of it (or the beginning of its id)")->option_text("ID")->required();
  example(session, "hark session 01KAJ4X0Z7C1");
  session.callback([&p] { p.run = [&p] { return session_command(p.common, p.session); }; });
}

void add_token(CLI::App& app, Parsed& p) {
  auto& token = *app.add_subcommand("token", "Tokens with which programs call the API over TCP");
  token.require_subcommand(1);
  example(token, "hark token create --subject ci --scope events:publish:deployment");
  auto& create = *token.add_subcommand("create", "Sign one with the key of [api]; prints it");
  add_configuration(create, p.common);
  add_json(create, p.common.json);
  create.add_option("--subject", p.token.subject, "Who it is for: its publisher's name, and whose rate is limited")->option_text("NAME")->required();
  create.add_option("--scope", p.token.scopes, "What it allows: runs:read, runs:write, control, events:publish[:TOPIC], events:read[:TOPIC]")->option_text("SCOPE...");
  create.add_option("--agent-type", p.token.agent_type, "Which topics of [subscriptions] it may read")->option_text("TYPE");
  create.add_option("--audience", p.token.audience, "Whom it is shown to (default: the first of [api] audience)")->option_text("NAME");
  create.add_option("--key-file", p.token.key_file, "A private key in PEM, or a secret (default: the first of [api] that signs)")->option_text("FILE");
  create.add_option("--expires", p.expires, "How long it is good, at most 366d (default: 30d)")->option_text("DURATION")->each([&p](const std::string& given) {
    const auto parsed = parse_duration(given);
    if (!parsed || *parsed <= std::chrono::nanoseconds(0) || *parsed > limits::kTokenLongest) throw CLI::ValidationError(given + " is no duration up to 366d, such as 24h");
    p.token.expires = *parsed;
  });
  example(create, "hark token create --subject ci --scope events:publish:deployment --scope runs:read --expires 90d");
  auto& show = *token.add_subcommand("show", "What one says, and whether the daemon would take it");
  add_configuration(show, p.common);
  add_json(show, p.common.json);
  show.add_option("token", p.token.token, "The token, or - for standard input")->option_text("TOKEN")->required();
  example(show, "hark token show - < token");
  for (auto* command : {&create, &show}) {
    command->callback([&p, create = command == &create] {
      p.run = [&p, create] {
        p.token.common = p.common;
        return create ? token_create_command(p.token) : token_show_command(p.token);
      };
    });
  }
}

void add_config(CLI::App& app, Parsed& p) {
  auto& config = *app.add_subcommand("config", "Check or show the configuration, or what a reload of it would change");
  config.require_subcommand(1);
  example(config, "hark config check --config hark.toml");
  auto& check = *config.add_subcommand("check", "Is it right? Every error, with its place");
  add_configuration(check, p.common, "-c,--config,file");
  add_json(check, p.common.json);
  example(check, "hark config check --config hark.toml");
  check.add_flag("--online", p.check.online, "Ask each provider for a word, too");
  check.callback([&p] {
    p.check.common = p.common;
    p.run = [&p] { return config_check_command(p.check); };
  });
  auto& show = *config.add_subcommand("show", "Every value in force and where it came from; secrets are masked");
  add_configuration(show, p.common, "-c,--config,file");
  add_json(show, p.common.json);
  example(show, "hark config show");
  show.callback([&p] { p.run = [&p] { return config_show_command(p.common); }; });
  auto& plan = control(config, p, "plan", "What `hark daemon reload` would change in the running daemon", "hark config plan");
  plan.callback([&p] { p.run = [&p] { return config_plan_command(p.common); }; });
}

void add_init(CLI::App& app, Parsed& p) {
  auto& init = *app.add_subcommand("init", "Write a configuration to begin with, from a profile, with comments");
  auto* profile = init.add_option("profile", p.init.profile, "Which (default: " + p.init.profile + ")")->option_text(" ");
  auto* output = init.add_option("-o,--output", p.init.output, "The file, which must not be there yet; - prints it (default: " + p.init.output + ")")->option_text("FILE");
  auto* list = init.add_flag("-l,--list", p.init.list, "Which profiles there are, and what each does")->excludes(profile)->excludes(output)->option_text(" ");
  init.add_flag("--json", p.init.json, "With --list: print JSON")->needs(list);
  example(init, "hark init\n  hark init --list\n  hark init backup --output backup.toml");
  init.callback([&p] { p.run = [&p] { return init_command(p.init); }; });
}

void add_hook(CLI::App& app, Parsed& p) {
  auto& hook = *app.add_subcommand("hook", "Have a git repository hand its pushes over to the daemon at once");
  hook.require_subcommand(1);
  auto& install = *hook.add_subcommand("install", "Write its post-receive hook, which never fails a push nor waits for a daemon that is away");
  install.add_option("repository", p.hook.repositories, "The repositories (default: .)")->option_text("REPO ...");
  add_configuration(install, p.common);
  add_socket(install, p.common);
  example(install, "hark hook install /srv/git/*.git");
  auto& uninstall = *hook.add_subcommand("uninstall", "Take it out again");
  uninstall.add_option("repository", p.hook.repositories, "The repositories (default: .)")->option_text("REPO ...");
  auto& receive = *hook.add_subcommand("receive", "What the hook calls")->group("");
  add_socket(receive, p.common);
  const auto run = [&p](CLI::App& command, int (*what)(const HookCommand&)) {
    command.callback([&p, what] {
      p.run = [&p, what] {
        p.hook.common = p.common;
        return what(p.hook);
      };
    });
  };
  run(install, install_hook_command);
  run(uninstall, uninstall_hook_command);
  run(receive, receive_hook_command);
}

void add_cron(CLI::App& app, Parsed& p) {
  auto& cron = *app.add_subcommand("cron", "Schedules");
  cron.require_subcommand(1);
  example(cron, "hark cron next '0 9 * * MON'");
  const auto add = [&](const char* name, const char* what) -> CLI::App& {
    auto& command = *cron.add_subcommand(name, what);
    command.add_option("expression", p.cron.words, "Five fields, six with seconds first, or @daily and the like")->option_text(" ")->required();
    command.add_option("-n,--count", p.cron.count, "How many times (default: " + std::to_string(p.cron.count) + ")")->option_text("COUNT")->check(CLI::Range(1, 1000));
    command.add_option("--timezone", p.cron.timezone, "IANA name, for example Europe/Berlin (default: local)")->option_text("ZONE");
    command.add_option("--from", p.cron.from, "Times after this one: 2026-03-29, '2026-03-29 01:30' or RFC 3339 (default: now)")->option_text("TIME");
    command.add_option("--dst", p.cron.dst, "What becomes of times that daylight saving skips or repeats, as the source's key `dst`: cron, skip, all (default: cron)")
        ->option_text("RULE")
        ->check(CLI::IsMember({"cron", "skip", "all"}));
    add_json(command, p.cron.json);
    return command;
  };
  auto& next = add("next", "When an expression fires next");
  example(next, "hark cron next '0 9 * * MON' --timezone Europe/Berlin");
  auto& explain = add("explain", "What an expression means, field by field, and when it fires next");
  example(explain, "hark cron explain '0 9 15W * *' --from 2026-01-01");
  explain.callback([&p] { p.run = [&p] { return cron_explain_command(p.cron); }; });
  next.callback([&p] { p.run = [&p] { return cron_next_command(p.cron); }; });
}

std::string path_of(const CLI::App& app) { return app.get_parent() == nullptr ? app.get_name() : path_of(*app.get_parent()) + " " + app.get_name(); }

std::vector<const CLI::App*> subcommands_of(const CLI::App& app) { return app.get_subcommands([](const CLI::App*) { return true; }); }

std::string listed(const std::vector<const CLI::App*>& commands) {
  std::string names;
  for (const auto* command : commands) {
    if (!command->get_group().empty()) names += (names.empty() ? "" : ", ") + command->get_name();  // what only hark itself calls has none
  }
  return names;
}

// An option of its commands that was said to the program itself. `words`: what follows, the command among it as a rule.
std::string misplaced(const CLI::App& app, const std::string& option, const std::vector<std::string>& words) {
  if (app.get_option_no_throw(option) != nullptr) return {};
  const CLI::App* meant = nullptr;
  for (const auto* command : subcommands_of(app)) {
    if (command->get_option_no_throw(option) == nullptr) continue;
    const bool named = std::any_of(words.begin(), words.end(), [&](const std::string& word) { return command->check_name(word); });
    if (meant == nullptr || named) meant = command;
  }
  return meant == nullptr ? std::string{} : "'" + option + "' stands behind the command: `" + path_of(*meant) + " " + option + " ...`";
}

// CLI11 2.1 says only that something is required or was not expected: name the first word that is at fault, and the nearest known one.
// `at` becomes the command that it was said to.
std::string hint(const CLI::App*& at, int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.starts_with("--")) {
      const auto option = word.substr(0, word.find('='));
      if (const auto* known = at->get_option_no_throw(option)) {
        if (known->get_items_expected_min() > 0 && option == word) ++i;  // its value
        continue;
      }
      if (auto later = misplaced(*at, option, {argv + i + 1, argv + argc}); !later.empty()) return later;
      std::vector<std::string> names;
      for (const auto* known : at->get_options()) names.push_back(known->get_name());
      return "'" + option + "' is no option of '" + path_of(*at) + "'" + did_you_mean(option, names);
    }
    std::vector<std::string> names;
    const CLI::App* next = nullptr;
    for (const auto* sub : subcommands_of(*at)) {
      names.push_back(sub->get_name());
      if (sub->check_name(word)) next = sub;
    }
    if (names.empty() || word.empty()) return {};
    if (word.front() == '-') return misplaced(*at, word, {argv + i + 1, argv + argc});
    if (next == nullptr) return "'" + word + "' is no command of '" + path_of(*at) + "'" + did_you_mean(word, names);
    at = next;
  }
  if (const auto commands = subcommands_of(*at); !commands.empty() && at->get_name() != "daemon") return "'" + path_of(*at) + "' needs a command: " + listed(commands);
  return {};
}

// CLI11 2.1 lists what is too much from the back.
std::string first_extra(const CLI::App& app, int argc, const char* const* argv) {
  const auto extra = app.remaining(true);
  const auto first = std::find_first_of(argv + 1, argv + argc, extra.begin(), extra.end(), [](const char* word, const std::string& one) { return one == word; });
  return first == argv + argc ? "" : "'" + std::string(*first) + "' is one word too many";
}

// A full disk or a closed descriptor must not look like success; a command that failed keeps its own status.
int finished(int status) {
  const auto written = output::finish();
  if (written) return status;
  output::complain(written.error());
  return status == exit_code::kOk ? exit_code::kOutput : status;
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  Parsed p;
  CLI::App app("hark: when X happens, do Y, and never lose one", "hark");
  app.set_version_flag("--version", std::string("hark ") + version());
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  app.footer("\nA first step: `hark init`, then `hark daemon`. `hark COMMAND --help` tells more; so do hark(1) and hark.toml(5).");
  add_init(app, p);
  add_daemon(app, p);
  add_event(app, p);
  add_history(app, p);
  add_audit(app, p);
  add_dead_letters(app, p);
  add_replay(app, p);
  add_bus(app, p);
  add_token(app, p);
  add_config(app, p);
  add_cron(app, p);
  add_hook(app, p);
  app.add_subcommand("ls-remote", "Ask a remote repository for the daemon")->group("")->callback([&p] { p.run = ls_remote_command; });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {
    if (stop.get_exit_code() == 0) {  // --help, --version
      std::ostringstream text;
      app.exit(stop, text);
      std::fputs(text.str().c_str(), stdout);
      return finished(exit_code::kOk);
    }
    const CLI::App* at = &app;
    auto better = hint(at, argc, argv);
    if (better.empty() && dynamic_cast<const CLI::ExtrasError*>(&stop) != nullptr) better = first_extra(app, argc, argv);
    output::complain(better.empty() ? std::string(stop.what()) : better);
    std::fprintf(stderr, "      `%s --help` tells more\n", path_of(*at).c_str());
    return exit_code::kUsage;
  }
  return finished(p.run());
}

}  // namespace hark
