// A handler as configured: a named pipeline with its limits. Values, made by daemon/config, read by every thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/backoff.h"
#include "core/filter.h"
#include "core/ping_urls.h"
#include "core/template.h"
#include "core/time.h"
#include "platform/containment.h"
#include "platform/forge.h"

namespace hark {

struct RunStepOptions {
  bool shell = true;                 // `run` as a string: /bin/sh -c; as a list: no shell
  Template script;                   // shell
  std::vector<Template> arguments;   // no shell
  friend bool operator==(const RunStepOptions&, const RunStepOptions&) = default;
};

// A JSON document whose strings are templates.
// A field of a form: a text, or a file of the handler's folder.
struct FormField {
  std::string name;
  Template value;  // of a file: its path
  struct File {
    std::string type;                   // its media type
    std::optional<Template> file_name;  // that the other side is told; not said: the last part of the path
    friend bool operator==(const File&, const File&) = default;
  };
  std::optional<File> file;
  friend bool operator==(const FormField&, const FormField&) = default;
};

struct HttpStepOptions {
  std::string method = "GET";
  Template url;
  std::vector<std::pair<std::string, Template>> headers;
  // What is sent: at most one of these.
  std::optional<nlohmann::json> json;    // strings inside are templates, parsed when rendered
  std::optional<Template> body;
  std::vector<FormField> form;
  std::optional<Template> file;          // of the handler's folder (platform/confined_folder.h)
  std::optional<Template> save;          // where the answer's body goes besides, in the same folder
  int follow = 0;                        // redirects that are gone after
  std::vector<int> expect;               // statuses that are a success; empty: 200 to 299
  friend bool operator==(const HttpStepOptions&, const HttpStepOptions&) = default;
};

// A file of the handler's folder, which no path leads out of.
struct FileStepOptions {
  enum class Action { read, write, append, glob } action = Action::read;
  Template path;     // glob: the pattern
  Template content;  // write, append
  friend bool operator==(const FileStepOptions&, const FileStepOptions&) = default;
};

// A repository, by the user's own git.
struct GitStepOptions {
  enum class Action { log, diff, show, commit, branch, push, worktree } action = Action::log;
  std::string repository;                      // absolute; empty: the folder that the step works in
  std::optional<Template> since, until;        // log
  std::optional<Template> from, to;            // log: what `to` has and `from` has not; diff: between them; branch: where a new one begins
  std::optional<Template> ref;                 // show, worktree
  std::optional<std::vector<Template>> paths;  // log, diff, commit: only these. One that is a list is as many
  int most = 100;                              // log: commits
  bool json = false;                           // log
  bool stat = false;                           // diff, show: a line a file in place of the patch
  bool merge_base = false;                     // diff: from where `from` and `to` parted
  Template message;                            // commit
  std::optional<Template> author;              // commit: "Name <mail>"
  bool allow_empty = false;                    // commit
  std::optional<Template> branch;              // branch, push
  bool force = false;                          // branch: begins anew where it is already; push: --force-with-lease
  Template remote;                             // push
  Template path;                               // worktree: where it is, in the handler's folder
  bool remove = false;                         // worktree: taken away
  friend bool operator==(const GitStepOptions&, const GitStepOptions&) = default;
};

// Something written to a forge, over its API.
struct ForgeStepOptions {
  enum class Action { comment, open_pull_request, status } action = Action::comment;
  Forge forge = Forge::github;
  std::string api;                       // as ForgeApi::base
  std::string token;
  Template repository;                   // "owner/name"
  Template number;                       // comment: of the pull request
  Template body;                         // comment, open_pull_request
  std::optional<Template> update_key;    // comment: later ones of the same key take the place of the first
  Template title, head, base;            // open_pull_request
  bool draft = false;
  Template commit, state, context, description, url;  // status; the last two may be empty
  friend bool operator==(const ForgeStepOptions&, const ForgeStepOptions&) = default;
};
bool is_commit_state(std::string_view text);  // pending, success, failure or error

// A message to Slack: by a webhook, or with a token to a channel.
struct SlackStepOptions {
  std::string url;                       // where it is posted; a webhook's is a secret
  std::string token;                     // empty: it is a webhook
  Template channel;                      // with a token
  std::optional<Template> text;
  nlohmann::json blocks;                 // strings inside are templates; null: none
  friend bool operator==(const SlackStepOptions&, const SlackStepOptions&) = default;
};

// Who answers prompts. Its texts go out as they are; none of it but `command` and `system` is a template.
struct ProviderOptions {
  enum class Type { openai, anthropic, command } type = Type::openai;
  std::string name;
  std::string base_url;                  // without a slash at its end
  std::string model;
  std::string api_key;                   // empty: none is sent
  std::string key_cure;                  // how it is given one: "set LLM_KEY"
  bool needs_key = false;                // its maker's own address, which answers nobody without
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<double> temperature;
  std::optional<int> max_tokens;
  struct Price {                         // USD per million tokens
    double input = 0, output = 0;
    std::optional<double> cached_input{}, cache_write{};  // input that a cache answers, that goes into one; nullopt: as `input`
    friend bool operator==(const Price&, const Price&) = default;
  };
  std::optional<Price> price;
  RunStepOptions command;
  Template system;
  friend bool operator==(const ProviderOptions&, const ProviderOptions&) = default;
};

struct PromptStepOptions {
  ProviderOptions provider;  // with what the step says otherwise: the model, say
  Template system;
  Template prompt;
  nlohmann::json schema;     // a JSON Schema (core/json_schema.h) that the answer must fit; null: it is any text
  friend bool operator==(const PromptStepOptions&, const PromptStepOptions&) = default;
};

// Values under names, for the steps behind it: {vars.NAME}.
struct SetStepOptions {
  std::vector<std::pair<std::string, Template>> values;
  friend bool operator==(const SetStepOptions&, const SetStepOptions&) = default;
};

// An event of its own, which the run has caused.
struct PublishStepOptions {
  std::string type;
  Template topic;
  Template subject;
  nlohmann::json data = nlohmann::json::object();  // strings inside are templates, parsed when rendered
  std::string source;                              // whose rule hands it to handlers; empty: none does
  friend bool operator==(const PublishStepOptions&, const PublishStepOptions&) = default;
};

// For an event that comes after what the run has published or waited for last, else after its own.
struct WaitStepOptions {
  std::vector<std::string> types;  // globs: one of them
  std::string topic;               // a glob; empty: any
  Template where;                  // a filter of the event; values in it are quoted
  friend bool operator==(const WaitStepOptions&, const WaitStepOptions&) = default;
};

struct StepOptions;

// Steps within a step: a recipe, one after the other and by names of its own, or several at once.
struct GroupStepOptions {
  enum class Kind { recipe, parallel } kind = Kind::recipe;
  std::string recipe;                                            // the file, as errors and a dry run name it
  std::vector<std::pair<std::string, Template>> parameters;      // of a recipe: every one of them
  std::vector<StepOptions> steps;
  friend bool operator==(const GroupStepOptions&, const GroupStepOptions&) = default;
};

// Another attempt after one that failed. Empty lists: what is worth another one as a rule (handlers/retry.h).
struct Retry {
  int attempts = 1;
  Backoff backoff;
  std::vector<int> exit_codes{};  // of commands: only these
  std::vector<int> statuses{};    // of http steps: only these
  bool timeouts = true;
  friend bool operator==(const Retry&, const Retry&) = default;
};

// What becomes of a run whose daemon ended before it did.
enum class OnInterrupt {
  resume,   // at its first unfinished step
  restart,  // at its first step
  fail,     // not at all: it goes to the dead letters
};

// What becomes of an event whose handler (and key) has as much to do as it may at once.
enum class OnBusy {
  queue,    // it waits
  drop,     // it does not run
  latest,   // it waits, in place of those that waited
  restart,  // it runs in place of those that wait or run
};

struct BreakerOptions {
  int failures = 0;      // attempts in a row that failed, after which the handler is left alone; 0: never
  Duration cooldown = std::chrono::minutes(1);
  friend bool operator==(const BreakerOptions&, const BreakerOptions&) = default;
};

// What a step is done for: the elements of one list, or these.
struct Foreach {
  Template list;                 // of nothing but the list's name: "{files}"
  std::vector<Template> items;
  friend bool operator==(const Foreach&, const Foreach&) = default;
};

struct StepOptions {
  std::string name;                                         // unique within the handler
  std::variant<RunStepOptions, HttpStepOptions, FileStepOptions, GitStepOptions, ForgeStepOptions, SlackStepOptions, PromptStepOptions, SetStepOptions, PublishStepOptions, WaitStepOptions, GroupStepOptions> kind;
  std::optional<Duration> timeout;                          // of one attempt
  Retry retry;
  Filter condition;                                         // `if`: not met: skipped
  bool continue_on_error = false;                           // one that fails for good does not end the run
  bool always = false;                                      // runs also when the run has failed, has no time left or was cancelled
  std::optional<Foreach> foreach{};                         // it is done once for each, which is {item}
  friend bool operator==(const StepOptions&, const StepOptions&) = default;
};

// The folder of its own that each run has (handlers/workspace.h).
struct WorkspaceOptions {
  enum class Kind { none, temporary, path, git_worktree } kind = Kind::none;
  enum class Keep { never, on_failure, always } keep = Keep::never;
  Template path;           // of kind path
  std::string base;        // what a relative one is relative to
  std::string repository;  // of a worktree: absolute
  Template ref;            // the same: what names its commit
  bool restore = false;    // an iteration that did not pass is undone
  friend bool operator==(const WorkspaceOptions&, const WorkspaceOptions&) = default;
};

// How often the steps are repeated, and what for. Without gates an iteration always passes.
struct IterationOptions {
  enum class Strategy {
    until_gates_pass,
    fixed,    // all of them; the gates of the last one count
    best_of,  // all of them, each from the same beginning; the one that passed most gates is taken
  } strategy = Strategy::until_gates_pass;
  int most = 1;
  bool stop_on_no_progress = false;  // one that leaves the workspace as it was is the last
  friend bool operator==(const IterationOptions&, const IterationOptions&) = default;
};

// What a run may use up, all its iterations together.
struct Budget {
  std::optional<std::uint64_t> tokens;
  std::optional<Duration> time;
  friend bool operator==(const Budget&, const Budget&) = default;
};

struct Handler {
  std::string name;
  std::vector<StepOptions> steps;
  std::vector<StepOptions> gates;                           // checked after the steps of an iteration
  std::vector<StepOptions> delivery;                        // once, after the gates have passed
  IterationOptions iterations;
  Budget budget;
  int max_concurrent = 0;                                   // of each key, where runs have one; 0: only the daemon's cap (one a key)
  Retry retry;                                              // of the whole run
  OnInterrupt on_interrupt = OnInterrupt::resume;
  OnBusy on_busy = OnBusy::queue;
  BreakerOptions breaker;
  std::string on_failure;                                   // the handler to run when this one failed for good; empty: none
  std::optional<Duration> expect_every;                     // it is overdue when it has not succeeded for so long
  std::string on_overdue;                                   // the handler to run then; empty: none
  PingUrls ping;
  bool allow_self_trigger = false;                          // what its own runs change may start it again
  std::optional<Duration> timeout;                          // of the whole run
  WorkspaceOptions workspace;
  std::string working_directory;                            // absolute; within a workspace relative to that
  std::vector<std::pair<std::string, Template>> environment;
  Containment containment;                                  // of its commands
  bool traces_git = false;                                  // its git commands tell of themselves (handlers/git_trace.h)
  friend bool operator==(const Handler&, const Handler&) = default;
};

}  // namespace hark
