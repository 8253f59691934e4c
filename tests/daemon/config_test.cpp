// Configurations that are right, and what becomes of them.
#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "daemon/config_difference.h"
#include "sources/webhook_provider.h"
#include "platform/launch_plan.h"
#include "tests/daemon/config_support.h"

using namespace hark;
using namespace hark::test;
using namespace std::chrono_literals;

namespace {

template <class T>
const T& options(const Settings& settings, std::size_t index = 0) {
  REQUIRE(settings.sources.size() > index);
  const T* found = std::get_if<T>(&settings.sources[index].options);
  REQUIRE(found != nullptr);
  return *found;
}

bool any_holds(const std::vector<std::string>& lines, const std::string& word) {
  return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(word) != std::string::npos; });
}

}  // namespace

TEST_CASE("config: an empty file is every default, and a warning") {
  ConfigFolder folder;
  const LoadedConfig loaded = folder.good("");
  const Settings& settings = loaded.settings;
  CHECK(settings.mode == "daemon");
  CHECK(settings.max_concurrent_handlers == 4);
  CHECK(settings.queue_limit == 10000);
  CHECK(settings.queue_overflow == QueueOverflow::queue);
  CHECK(settings.state_file == folder.path() / ".hark/state.json");
  CHECK(settings.journal_file == folder.path() / ".hark/journal.db");
  CHECK(settings.persist_last_run);
  CHECK(settings.retention == 24h);
  CHECK(settings.retention_events == 10000);
  CHECK(settings.webhook_host == "127.0.0.1");
  CHECK(settings.webhook_port == 8080);
  CHECK_FALSE(settings.listen);
  CHECK(settings.drain_timeout == 30s);
  CHECK(settings.log_level == "info");
  CHECK(settings.log_format == "text");
  CHECK(settings.log_file.empty());
  CHECK(settings.file == folder.path() / "hark.toml");
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(loaded.warnings[0].find("hark.toml:1:1: no handlers") == 0);
}

TEST_CASE("config: every key of the top level is taken") {
  ConfigFolder folder;
  const Settings settings = folder
                                .good(R"(
mode = "one-shot"
max_concurrent_handlers = 2
queue_limit = 7
queue_overflow = "error"
state_file = "/var/lib/hark/state.json"
journal_file = "data/../data/journal.db"
persist_last_run = false
retention = "7d"
retention_events = 5
webhook_host = "::1"
webhook_port = 0
log_level = "trace"
log_format = "json"
log_repeats = 7
log_file = "hark.log"
drain_timeout = "0s"
handlers.a.run = "true"
)")
                                .settings;
  CHECK(settings.mode == "one-shot");
  CHECK(settings.max_concurrent_handlers == 2);
  CHECK(settings.queue_limit == 7);
  CHECK(settings.queue_overflow == QueueOverflow::error);
  CHECK(settings.state_file == "/var/lib/hark/state.json");
  CHECK(settings.journal_file == folder.path() / "data/journal.db");
  CHECK_FALSE(settings.persist_last_run);
  CHECK(settings.retention == 168h);
  CHECK(settings.retention_events == 5);
  CHECK(settings.webhook_host == "::1");
  CHECK(settings.webhook_port == 0);
  CHECK(settings.listen);
  CHECK(settings.log_level == "trace");
  CHECK(settings.log_format == "json");
  CHECK(settings.log_repeats == 7);
  CHECK(settings.log_file == folder.path() / "hark.log");
  CHECK(settings.drain_timeout == 0s);
}

TEST_CASE("config: a watched folder") {
  ConfigFolder folder;
  const Settings settings = folder
                                .good(R"(
log_file = "hark.log"
[[sources]]
name = "code"
type = "file_change"
path = "./src/"
pattern = ["**/*.py", "!**/test_*"]
events = ["create", "modify"]
debounce_ms = 1000
debounce_max_ms = 10000
ignore_vcs = false
catch_up = true
settle = "stable"
stable_for = "3s"
backend = "fanotify"
poll_interval = "9s"
handlers = ["a", "b"]
where = ""
dedupe_window = "1h"
priority = -3
[handlers]
a.run = "true"
b.run = "true"
)")
                                .settings;
  const auto& watch = options<FileWatcherOptions>(settings);
  CHECK(watch.name == "code");
  CHECK(watch.path == folder.path() / "src");
  CHECK(watch.patterns == std::vector<std::string>{"**/*.py", "!**/test_*"});
  CHECK(watch.events == std::set<std::string>{"create", "modify"});
  CHECK_FALSE(watch.ignore_vcs);
  CHECK(watch.gather == 50ms);
  CHECK(watch.catch_up);
  CHECK(watch.still_for == 3s);
  CHECK(watch.backend == FileWatcherOptions::Backend::fanotify);
  CHECK(watch.poll_interval == 9s);
  for (const char* own : {".hark", ".hark/journal.db", ".hark/journal.db-wal", ".hark/state.json", "hark.log"}) {
    INFO(own);
    CHECK(std::find(watch.ignore.begin(), watch.ignore.end(), folder.path() / own) != watch.ignore.end());
  }
  const Rule& rule = settings.sources[0].rule;
  CHECK(rule.source == "code");
  CHECK(rule.handlers == std::vector<std::string>{"a", "b"});
  CHECK(rule.where.empty());
  CHECK(rule.debounce == 1s);
  CHECK(rule.debounce_max == Duration(10s));
  CHECK(rule.dedupe_window == 1h);
  CHECK(rule.priority == -3);
}

TEST_CASE("config: defaults of sources, and names from type and place") {
  ConfigFolder folder;
  const Settings settings = folder
                                .good(R"(
handlers.a.run = "true"
[[sources]]
type = "file_change"
path = "./src"
handler = "a"
[[sources]]
type = "file_change"
path = "./src"
pattern = "*.c"
debounce = "0s"
handler = "a"
[[sources]]
type = "git_push"
repository = "."
handler = "a"
[[sources]]
type = "schedule"
cron = "0 9 * * MON"
handler = "a"
[[sources]]
type = "manual"
)")
                                .settings;
  std::vector<std::string> names;
  for (const auto& source : settings.sources) names.push_back(source.name);
  CHECK(names == std::vector<std::string>{"file_change-src", "file_change-src-2", "git_push", "schedule-0-9-MON", "manual"});
  CHECK(options<FileWatcherOptions>(settings).gather == 50ms);
  CHECK(options<FileWatcherOptions>(settings).events.size() == 4);
  CHECK(settings.sources[0].rule.debounce == 200ms);
  CHECK(settings.sources[0].rule.debounce_max == Duration(2s));
  CHECK(settings.sources[0].rule.dedupe_window == 24h);
  CHECK(options<FileWatcherOptions>(settings, 1).gather == 0ms);
  CHECK(options<FileWatcherOptions>(settings, 1).patterns == std::vector<std::string>{"*.c"});
  CHECK_FALSE(settings.sources[1].rule.debounce_max.has_value());
  CHECK(options<GitRefsOptions>(settings, 2).repository == folder.path());
  CHECK(options<GitRefsOptions>(settings, 2).wanted == WantedRefs{});
  CHECK(settings.sources[2].rule.debounce == 0s);
  CHECK(options<ScheduleOptions>(settings, 3).timezone.empty());
  CHECK(options<ScheduleOptions>(settings, 3).catch_up == ScheduleOptions::CatchUp::none);
  CHECK(settings.sources[4].rule.handlers.empty());
  CHECK(options<ManualOptions>(settings, 4).name == "manual");
  CHECK_FALSE(settings.listen);
}

TEST_CASE("config: ten thousand sources, of one name if nobody gives them others, and no more") {
  const ConfigFolder folder;
  std::string text = "[handlers.a]\nrun = \"true\"\n";
  for (std::size_t i = 0; i < limits::kSources; ++i) text += "[[sources]]\ntype = \"schedule\"\ncron = \"@daily\"\nhandler = \"a\"\n";
  const auto settings = folder.good(text).settings;
  REQUIRE(settings.sources.size() == 10'000);
  CHECK(settings.sources[0].name == "schedule-daily");
  CHECK(settings.sources[1].name == "schedule-daily-2");
  CHECK(settings.sources[9'999].name == "schedule-daily-10000");
  CHECK(difference(settings, settings).empty());
  const auto one_more = folder.load(text + "[[sources]]\ntype = \"manual\"\nhandler = \"a\"\n");
  REQUIRE(one_more.errors.size() == 1);
  CHECK(one_more.errors[0].text().find("more than 10000 sources") != std::string::npos);
}

TEST_CASE("config: schedules and repositories") {
  ConfigFolder folder;
  const Settings settings = folder
                                .good(R"(
handlers.a.run = "true"
[[sources]]
name = "weekly"
type = "schedule"
cron = "0 9 * * MON"
timezone = "Europe/Berlin"
jitter = "90s"
catch_up = "all"
catch_up_limit = 3
handler = "a"
[[sources]]
name = "repo"
type = "git_push"
repository = "../other"
branches = ["main", "release/*"]
handler = "a"
)")
                                .settings;
  const auto& weekly = options<ScheduleOptions>(settings);
  CHECK(weekly.name == "weekly");
  CHECK(weekly.cron == "0 9 * * MON");
  CHECK(weekly.timezone == "Europe/Berlin");
  CHECK(weekly.jitter == 90s);
  CHECK(weekly.catch_up == ScheduleOptions::CatchUp::all);
  CHECK(weekly.catch_up_limit == 3);
  CHECK(options<GitRefsOptions>(settings, 1).repository == folder.path().parent_path() / "other");
  CHECK(options<GitRefsOptions>(settings, 1).wanted == WantedRefs{{{"main", "release/*"}}, std::nullopt});
}

TEST_CASE("config: a remote repository, and what is for such alone") {
  ConfigFolder folder;
  const LoadedConfig loaded = folder.good(R"(
[[sources]]
type = "git_push"
repository = "git@host.org:team/x.git"
ssh_key = "/nowhere/k"
interval = "30s"
tags = "*"
handler = "h"
[[sources]]
type = "git_push"
repository = "https://host.org/x.git"
username = "me"
token = "secret"
ssh_key = "/etc/passwd"
handler = "h"
[[sources]]
type = "git_push"
repository = "."
token = "t"
handler = "h"
[[sources]]
type = "git_push"
repository = "git/*.git"
interval = "1m"
handler = "h"
[handlers.h]
run = "true"
)");
  const auto& ssh = options<GitRemoteOptions>(loaded.settings, 0);
  CHECK(ssh.url == "git@host.org:team/x.git");
  CHECK(ssh.credentials == RemoteCredentials{"", "", "/nowhere/k"});
  CHECK(ssh.interval == 30s);
  CHECK(ssh.wanted == WantedRefs{std::nullopt, std::vector<std::string>{"*"}});
  const auto& web = options<GitRemoteOptions>(loaded.settings, 1);
  CHECK(web.credentials == RemoteCredentials{"me", "secret", "/etc/passwd"});
  CHECK(web.interval == 1min);
  const auto& many = options<GitFleetOptions>(loaded.settings, 3);
  CHECK(many.pattern == folder.path() / "git/*.git");
  CHECK(many.interval == 1min);
  REQUIRE(loaded.warnings.size() == 5);
  CHECK(loaded.warnings[0].find("ssh_key: \"/nowhere/k\" does not exist yet") != std::string::npos);
  CHECK(loaded.warnings[1].find("ssh_key: has no effect: it is for ssh") != std::string::npos);
  CHECK(loaded.warnings[2].find("is no git repository") != std::string::npos);
  CHECK(loaded.warnings[3].find("token: has no effect: a repository on this machine is watched") != std::string::npos);
  CHECK(loaded.warnings[4].find("there is no folder " + (folder.path() / "git").string()) != std::string::npos);
}

TEST_CASE("config: pull requests by webhook, by asking, or by both") {
  ConfigFolder folder;
  const LoadedConfig loaded = folder.good(R"(
[[sources]]
type = "git_pr"
path = "/hooks/github"
secret = "secret"
interval = "5m"
handler = "h"
[[sources]]
type = "git_pr"
provider = "gitlab"
repository = "https://git.example.org/group/sub/name.git"
token = "token"
interval = "5m"
events = ["opened", "merged"]
rate_limit = "1/s"
handler = "h"
[[sources]]
name = "both"
type = "git_pr"
provider = "gitea"
path = "/hooks/gitea"
secret = "secret"
repository = "https://git.example.org/o/r"
api = "https://git.example.org/forge/api/v1"
handler = "h"
[handlers.h]
run = "true"
)");
  const auto& hook = options<GitPrOptions>(loaded.settings, 0);
  REQUIRE(hook.webhook.has_value());
  CHECK(hook.webhook->path == "/hooks/github");
  CHECK(hook.webhook->provider == "github");
  CHECK(hook.webhook->name == hook.name);
  CHECK_FALSE(hook.polling.has_value());
  CHECK(hook.events.empty());
  const auto& polled = options<GitPrOptions>(loaded.settings, 1);
  CHECK_FALSE(polled.webhook.has_value());
  REQUIRE(polled.polling.has_value());
  CHECK(*polled.polling == ForgePolling{{Forge::gitlab, "https://git.example.org/api/v4", "group/sub/name"}, "token", 5min});
  CHECK(polled.events == std::set<std::string>{"opened", "merged"});
  const auto& both = options<GitPrOptions>(loaded.settings, 2);
  CHECK(both.webhook.has_value());
  REQUIRE(both.polling.has_value());
  CHECK(both.polling->api.base == "https://git.example.org/forge/api/v1");
  CHECK(loaded.settings.listen);
  REQUIRE(loaded.warnings.size() == 2);
  CHECK(loaded.warnings[0].find("interval: has no effect: there is no `repository`") != std::string::npos);
  CHECK(loaded.warnings[1].find("rate_limit: has no effect: there is no `path`") != std::string::npos);
}

TEST_CASE("config: hooks, by their names' globs, with what they do") {
  ConfigFolder folder;
  folder.environment["KEY"] = "k$";
  const LoadedConfig loaded = folder.good(R"(
[[sources]]
name = "by-hand"
type = "manual"
[handlers.h]
run = "true"
[[hooks]]
on = "event:received"
where = "payload.sender.type:Bot"
action = "skip"
[[hooks]]
name = "asks"
on = ["event:queued", "gate:*"]
run = "decide ${KEY} {payload.x}"
timeout = "250ms"
[[hooks]]
on = "*"
http = { url = "http://h/${KEY}", headers = { X-Key = "${KEY}" } }
[[hooks]]
on = "run:failed"
publish = "alarm"
)");
  const auto& hooks = loaded.settings.hooks;
  REQUIRE(hooks.size() == 4);
  CHECK(hooks[0].name == "hook1");
  CHECK(std::holds_alternative<Hook::Skip>(hooks[0].action));
  CHECK(hooks[0].where.text() == "payload.sender.type:Bot");
  CHECK(hooks[1].name == "asks");
  CHECK(hooks[1].on == std::set<std::string>{"event:queued", "gate:checked"});
  CHECK(hooks[1].timeout == 250ms);
  CHECK(std::get<Hook::Command>(hooks[1].action) == Hook::Command{{"/bin/sh", "-c", "decide ${KEY} {payload.x}"}, folder.path().string(), {}});
  CHECK(hooks[2].on.size() == lifecycle::names().size());
  CHECK(hooks[2].timeout == 5s);
  CHECK(std::get<Hook::Request>(hooks[2].action) == Hook::Request{"http://h/k$", {{"X-Key", "k$"}}});
  CHECK(std::get<Hook::Publish>(hooks[3].action) == Hook::Publish{"alarm", "", ""});
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(loaded.warnings[0].find("'{payload.x}' stands as it is") != std::string::npos);
}

TEST_CASE("config: hooks merge by their names, and one way to act replaces another") {
  ConfigFolder folder;
  folder.write("base.toml", "[handlers.h]\nrun = \"true\"\n[[hooks]]\nname = \"a\"\non = \"event:received\"\nrun = \"x\"\n[[hooks]]\nname = \"b\"\non = \"run:*\"\nrun = \"y\"\n");
  const LoadedConfig loaded = folder.good("extends = \"base.toml\"\n[[hooks]]\nname = \"a\"\naction = \"skip\"\n");
  REQUIRE(loaded.settings.hooks.size() == 2);
  CHECK(std::holds_alternative<Hook::Skip>(loaded.settings.hooks[0].action));
  CHECK(loaded.settings.hooks[0].on == std::set<std::string>{"event:received"});
  CHECK(loaded.settings.hooks[1].name == "b");
}

TEST_CASE("config: secrets of a webhook come from values, files and credentials") {
  ConfigFolder folder;
  folder.environment = {{"NEW", "newer"}, {"OLD", "older"}, {"CREDENTIALS_DIRECTORY", (folder.path() / "cred").string()}};
  folder.write("secret", "from-file\n");
  folder.write("two-lines", "first\nsecond\r\n");
  folder.write("cred/hook", "from-credential");
  const LoadedConfig loaded = folder.good(R"(
webhook_host = "0.0.0.0"
api.enabled = false
webhook_port = 9000
trusted_proxies = "192.0.2.1"
handlers.a.run = "true"
[[sources]]
type = "webhook"
path = "/hooks/deploy"
secret = ["${NEW}", "${OLD}"]
secret_file = ["secret", "two-lines"]
credential = "hook"
signature_header = "X-Sign"
signature_algorithm = "sha512"
signature_encoding = "base64"
signature_prefix = ""
body = "json"
max_body = 10
allow = ["10.0.0.0/8", "::1"]
respond = "result"
respond_timeout = "3s"
response = { status = 200, body = "took {event.id}", content_type = "text/html" }
rate_limit = "10/m"
handler = "a"
[[sources]]
type = "webhook"
path = "/hooks/github"
provider = "github"
secret_file = "secret"
handler = "a"
)");
  const auto& deploy = options<WebhookOptions>(loaded.settings);
  CHECK(deploy.name == "webhook-hooks-deploy");
  CHECK(deploy.path == "/hooks/deploy");
  CHECK(deploy.secrets == std::vector<std::string>{"newer", "older", "from-file", "first\nsecond", "from-credential"});
  CHECK_FALSE(deploy.unsigned_ok);
  CHECK(deploy.scheme.headers == std::vector<std::string>{"X-Sign"});
  CHECK(deploy.allow == std::vector{*IpNetwork::parse("10.0.0.0/8"), *IpNetwork::parse("::1")});
  CHECK(deploy.trusted_proxies == std::vector{*IpNetwork::parse("192.0.2.1")});
  CHECK(deploy.response == WebhookResponse{200, Template::parse("took {event.id}"), "text/html", true, 3s});
  CHECK(deploy.scheme.hash == Hash::sha512);
  CHECK(deploy.scheme.encoding == SignatureScheme::Encoding::base64);
  CHECK(deploy.scheme.prefix.empty());
  CHECK(deploy.body == WebhookBody::json);
  CHECK(deploy.max_body == 10);
  CHECK(deploy.rate_limit == Rate{10, 1min});
  CHECK(deploy.host == "0.0.0.0");
  CHECK(deploy.port == 9000);
  CHECK(options<WebhookOptions>(loaded.settings, 1).provider == "github");
  CHECK(options<WebhookOptions>(loaded.settings, 1).scheme == webhook_provider("github")->scheme);
  CHECK(options<WebhookOptions>(loaded.settings, 1).max_body == 1024 * 1024);
  CHECK_FALSE(options<WebhookOptions>(loaded.settings, 1).rate_limit);
  CHECK(loaded.settings.listen);
  CHECK(loaded.warnings.empty());
}

TEST_CASE("config: what is worth a look is a warning with its place") {
  ConfigFolder folder;
  folder.write("secret", "words");
  std::filesystem::permissions(folder.path() / "secret", std::filesystem::perms::all);
  const LoadedConfig loaded = folder.good(R"(webhook_host = "0.0.0.0"
[[sources]]
type = "webhook"
path = "/x"
secret_file = "secret"
handler = "a"
[[sources]]
type = "webhook"
path = "/y"
unsigned = true
handler = "a"
[[sources]]
type = "file_change"
path = "not-there"
handler = "a"
[handlers.a]
run = "true"
[handlers.b]
run = "true"
working_directory = "gone"
[api]
enabled = false
)");
  INFO(joined(loaded.warnings));
  REQUIRE(loaded.warnings.size() == 4);
  CHECK(loaded.warnings[0].find("hark.toml:5:15: sources.webhook-x.secret_file: ") == 0);
  CHECK(loaded.warnings[0].find("can be read by everybody") != std::string::npos);
  CHECK(loaded.warnings[1].find("hark.toml:10:12: ") == 0);
  CHECK(loaded.warnings[2].find("hark.toml:14:8: ") == 0);
  CHECK(loaded.warnings[3].find("hark.toml:20:21: ") == 0);
  REQUIRE(loaded.hints.size() == 1);
  CHECK(loaded.hints[0].find("hark.toml:18:11: handlers: no source uses `b`") == 0);
  CHECK(loaded.hints[0].ends_with("[[sources]] type = \"manual\""));
}

TEST_CASE("config: what is taken and has no effect is worth a word, what another handler's failure starts is not") {
  ConfigFolder folder;
  CHECK(any_holds(folder.good("handlers.a.run = \"true\"\nhandlers.a.retry.backoff = \"5s\"\n").warnings, "without `attempts`"));
  CHECK(any_holds(folder.good("[[sources]]\ntype = \"git_push\"\nrepository = \"nowhere\"\nhandler = \"a\"\n[handlers.a]\nrun = \"true\"\n").warnings, "does not exist yet"));
  const auto repository = [&folder](const std::string& lines) {
    return folder.good("[[sources]]\ntype = \"git_push\"\nhandler = \"a\"\n" + lines + "\n[handlers.a]\nrun = \"true\"\n").warnings;
  };
  CHECK(any_holds(repository("repository = \".\""), "is no git repository"));
  CHECK(any_holds(repository("repository = \"*.git\""), "names no repository yet"));
  CHECK(any_holds(repository("repository = \"nowhere/*.git\""), "there is no folder"));
  CHECK(any_holds(repository("repository = \"https://host/x\"\nusername = \"u\""), "there is neither `token` nor `token_file`"));
  CHECK(any_holds(folder.good("[[sources]]\ntype = \"file_change\"\npath = \".\"\npattern = \"*.c,*.h\"\nhandler = \"a\"\n[handlers.a]\nrun = \"true\"\n").warnings, "several patterns are a list"));
  const auto idle = [&](const std::string& text, std::string_view place, std::string_view why) {
    const auto warnings = folder.good(text + "\n[handlers.a]\nrun = \"true\"\n").warnings;
    CAPTURE(joined(warnings));
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].find(place) == 0);
    CHECK(warnings[0].find(why) != std::string::npos);
  };
  const std::string schedule = "[[sources]]\ntype = \"schedule\"\ncron = \"@hourly\"\nhandler = \"a\"\n";
  idle(schedule + "catch_up = \"one\"\ncatch_up_limit = 3", "hark.toml:6:1: sources.schedule-hourly.catch_up_limit: has no effect", "catch_up = \"all\"");
  idle("[[sources]]\ntype = \"file_change\"\npath = \".\"\nhandler = \"a\"\ndedupe_window = \"1h\"", "hark.toml:5:1: ", "`dedupe_key`");
  idle("[[sources]]\ntype = \"webhook\"\npath = \"/x\"\nhandler = \"a\"\nunsigned = true\nsignature_header = \"X-Sign\"", "hark.toml:6:1: ", "no signature");
  idle("webhook_host = \"::1\"", "hark.toml:1:1: webhook_host: ", "nothing listens");
  idle("[handlers.b]\nrun = \"true\"\nmax_concurrent = 9", "hark.toml:3:18: ", "max_concurrent_handlers is 4");
  idle("[handlers.b]\nrun = \"echo {payload.id\"", "hark.toml:2:7: handlers.b.run: ", "'{payload.id' stands as it is");
  idle(schedule + "key = \"{event.type}{event.subject\"", "hark.toml:5:7: ", "'{event.subject'");
  CHECK(folder.good("[handlers.b]\nrun = \"echo ${payload.x} {payload.x}; { event.sh; }\"\n").warnings.empty());
  CHECK_FALSE(any_holds(folder.good("[handlers.a]\nrun = \"true\"\non_failure = \"b\"\n[handlers.b]\nrun = \"true\"\n").hints, "no source uses `b`"));
}

TEST_CASE("config: with a manual source a handler that no source names is nothing to warn of") {
  ConfigFolder folder;
  CHECK(folder.good("handlers.a.run = \"true\"\nsources = [{ type = \"manual\" }]\n").hints.empty());
  CHECK(any_holds(folder.good("handlers.a.run = \"true\"\n").hints, "no source uses `a`"));
}

TEST_CASE("config: the handlers and steps of the contract") {
  ConfigFolder folder;
  const Settings settings = folder
                                .good(R"(
[handlers.on-code-change]
steps = [
  { name = "test", run = "pytest -q {files}", timeout = "5m", retry = { attempts = 3, backoff = "2s", max_backoff = "1m" } },
  { name = "tell", http = { method = "POST", url = "https://chat.example/hook", json = { text = "{steps.test.output}" } }, if = "steps.test.exit_code:0" },
  { run = ["ninja", "{payload.target}"] },
]
max_concurrent = 1
timeout = "15m"
working_directory = "src"
environment = { CI = "1", REF = "{payload.ref}" }
[handlers.weekly-summary]
run = "git log --since={last_run} --oneline"
retry = { attempts = 2, backoff = "5m" }
)")
                                .settings;
  REQUIRE(settings.handlers.size() == 2);
  const Handler& change = settings.handlers[0];
  CHECK(change.name == "on-code-change");
  CHECK(change.max_concurrent == 1);
  CHECK(change.timeout == Duration(15min));
  CHECK(change.working_directory == (folder.path() / "src").string());
  REQUIRE(change.environment.size() == 2);
  CHECK(change.environment[0].first == "CI");
  CHECK(change.environment[1].second.names() == std::vector<std::string>{"payload.ref"});
  REQUIRE(change.steps.size() == 3);

  const StepOptions& test = change.steps[0];
  CHECK(test.name == "test");
  CHECK(std::get<RunStepOptions>(test.kind).shell);
  CHECK(std::get<RunStepOptions>(test.kind).script.text() == "pytest -q {files}");
  CHECK(test.timeout == Duration(5min));
  CHECK(test.retry.attempts == 3);
  CHECK(test.retry.backoff.first == 2s);
  CHECK(test.retry.backoff.max == 1min);

  const StepOptions& tell = change.steps[1];
  const auto& http = std::get<HttpStepOptions>(tell.kind);
  CHECK(http.method == "POST");
  CHECK(http.url.text() == "https://chat.example/hook");
  REQUIRE(http.json.has_value());
  CHECK(*http.json == nlohmann::json{{"text", "{steps.test.output}"}});
  CHECK(tell.condition.text() == "steps.test.exit_code:0");
  CHECK_FALSE(tell.timeout.has_value());
  CHECK(tell.retry.attempts == 1);

  CHECK(change.steps[2].name == "step3");
  const auto& build = std::get<RunStepOptions>(change.steps[2].kind);
  CHECK_FALSE(build.shell);
  REQUIRE(build.arguments.size() == 2);
  CHECK(build.arguments[1].text() == "{payload.target}");

  const Handler& weekly = settings.handlers[1];
  REQUIRE(weekly.steps.size() == 1);
  CHECK(weekly.steps[0].name == "step1");
  CHECK(weekly.timeout == Duration(1h));
  CHECK(weekly.working_directory == folder.path().string());
  CHECK(weekly.retry.attempts == 2);
  CHECK(weekly.retry.backoff.max == 5min);
}

TEST_CASE("config: what a handler's commands may have and reach") {
  ConfigFolder folder;
  const auto plain = folder.good("[handlers.a]\nrun = \"x\"\n");
  CHECK(plain.settings.handlers[0].containment == Containment{});
  CHECK_FALSE(plain.settings.handlers[0].containment.needs_launcher());
  const auto config = folder.good(
      "[handlers.a]\nrun = \"x\"\npass_environment = [\"AWS_*\", \"CI\"]\numask = \"027\"\nnice = 10\n"
      "limits = { cpu = \"10m\", memory = \"2G\", open_files = 1024, processes = 100, file_size = 4096, core = \"0\" }\n"
      "memory_max = \"512M\"\ncpu_max = \"150%\"\npids_max = 200\n");
  Containment wanted;
  wanted.environment.pass = {"AWS_*", "CI"};
  wanted.umask = 027;
  wanted.nice = 10;
  wanted.limits = {.cpu = 10min, .memory = 2ull << 30, .open_files = 1024, .processes = 100, .file_size = 4096, .core = 0};
  wanted.cgroup = {.memory_max = 512ull << 20, .cpu_max = 150, .pids_max = 200};
  CHECK(config.settings.handlers[0].containment == wanted);
  CHECK(config.warnings == plain.warnings);  // what this machine lacks is a hint: for who asks
}

TEST_CASE("config: a sandbox is a word or a table, and is refused where it would be none") {
  ConfigFolder folder;
  const std::string handler = "[handlers.a]\nrun = \"x\"\n";
  if (find_bubblewrap().empty()) {
    check_errors(folder.load(handler + "sandbox = \"bubblewrap\"\n"), {{"3:11", {"apt install bubblewrap"}}});
    return;
  }
  CHECK(folder.good(handler + "sandbox = \"bubblewrap\"\n").settings.handlers[0].containment.sandbox == Sandbox{});
  const auto table = folder.good(handler + "sandbox = { network = true, writable = [\"src\"], readable = [\"/tmp/x\"] }\n").settings.handlers[0].containment.sandbox;
  CHECK(table == Sandbox{true, {(folder.path() / "src").string()}, {"/tmp/x"}});
  check_errors(folder.load(handler + "sandbox = \"firejail\"\n"), {{"3:11", {"\"bubblewrap\""}}});
  check_errors(folder.load(handler + "sandbox = { writable = [\"/\"], net = true }\n"), {{"3:25", {"the whole file system"}}, {"3:31", {"unknown key; known here: kind, network, writable, readable"}}});
  check_errors(folder.load(handler + "working_directory = \"/\"\nsandbox = \"bubblewrap\"\n"), {{"4:11", {"write everywhere"}}});
}

TEST_CASE("config: an http step with everything") {
  ConfigFolder folder;
  const Settings settings = folder
                                .good(R"(
[handlers.a.http]
url = "{payload.callback}"
headers = { Authorization = "Bearer x", "X-Id" = "{event.id}" }
body = "{run.id}"
expect = [200, 404]
[handlers.b.http]
url = "http://x"
expect = 204
json = { n = 1, x = 1.5, t = true, list = ["{event.id}", {}], deep = { a = "b" } }
)")
                                .settings;
  const auto& a = std::get<HttpStepOptions>(settings.handlers[0].steps[0].kind);
  CHECK(a.method == "POST");
  CHECK(a.url.text() == "{payload.callback}");
  REQUIRE(a.headers.size() == 2);
  CHECK(a.headers[0].first == "Authorization");
  CHECK(a.headers[1].second.text() == "{event.id}");
  REQUIRE(a.body.has_value());
  CHECK(a.body->text() == "{run.id}");
  CHECK(a.expect == std::vector<int>{200, 404});
  const auto& b = std::get<HttpStepOptions>(settings.handlers[1].steps[0].kind);
  CHECK(b.expect == std::vector<int>{204});
  CHECK(*b.json == nlohmann::json::parse(R"({"n":1,"x":1.5,"t":true,"list":["{event.id}",{}],"deep":{"a":"b"}})"));
}

TEST_CASE("config: the tools git, forge and slack, with what they do without being told") {
  ConfigFolder folder;
  folder.write("hook", "https://hooks.slack.com/services/x\n");
  const auto loaded = folder.good(R"(
[handlers.log]
tool = "git"
action = "log"
repository = "r"
format = "json"
max = 5
[handlers.push]
tool = "git"
action = "push"
force_with_lease = true
[handlers.status]
tool = "forge"
action = "status"
repository = "{payload.repository}"
token = "t0"
commit = "{payload.sha}"
state = "success"
[handlers.comment]
tool = "forge"
provider = "gitea"
api = "https://codeberg.org/api/v1/"
action = "comment"
repository = "o/r"
token = "t0"
number = "1"
body = "b"
update_key = "k"
[handlers.hook]
tool = "slack"
webhook_url_file = "hook"
text = "{payload.text}"
[handlers.channel]
tool = "slack"
token = "t0"
channel = "#ops"
blocks = [{ type = "section", n = 1 }]
)");
  const auto& handlers = loaded.settings.handlers;
  REQUIRE(handlers.size() == 6);
  const auto log = std::get<GitStepOptions>(handlers[0].steps[0].kind);
  CHECK(log.repository == (folder.path() / "r").string());
  CHECK(log.json);
  CHECK(log.most == 5);
  const auto push = std::get<GitStepOptions>(handlers[1].steps[0].kind);
  CHECK(push.action == GitStepOptions::Action::push);
  CHECK(push.repository.empty());
  CHECK(push.remote.text() == "origin");
  CHECK(push.force);
  const auto status = std::get<ForgeStepOptions>(handlers[2].steps[0].kind);
  CHECK(status.api == "https://api.github.com");
  CHECK(status.context.text() == "hark");
  CHECK(status.token == "t0");
  const auto comment = std::get<ForgeStepOptions>(handlers[3].steps[0].kind);
  CHECK(comment.forge == Forge::gitea);
  CHECK(comment.api == "https://codeberg.org/api/v1");
  CHECK(comment.update_key->text() == "k");
  CHECK(std::get<SlackStepOptions>(handlers[4].steps[0].kind).url == "https://hooks.slack.com/services/x");
  const auto channel = std::get<SlackStepOptions>(handlers[5].steps[0].kind);
  CHECK(channel.url == "https://slack.com/api/chat.postMessage");
  CHECK(channel.blocks == nlohmann::json::parse(R"([{"type": "section", "n": 1}])"));
  CHECK_FALSE(channel.text);
}

TEST_CASE("config: handlers and sources keep the order of the file") {
  ConfigFolder folder;
  const Settings settings = folder
                                .good(
                                    "[handlers.z]\nrun = \"1\"\n[handlers.m]\nrun = \"2\"\n[handlers.a]\nrun = "
                                    "\"3\"\n[[sources]]\nname = \"y\"\ntype = \"manual\"\n"
                                    "[[sources]]\nname = \"b\"\ntype = \"manual\"\n")
                                .settings;
  REQUIRE(settings.handlers.size() == 3);
  CHECK(settings.handlers[0].name == "z");
  CHECK(settings.handlers[1].name == "m");
  CHECK(settings.handlers[2].name == "a");
  CHECK(settings.sources[0].name == "y");
}

TEST_CASE("config: what gathers, bounds and orders events, and what becomes of runs") {
  ConfigFolder folder;
  const Settings loaded = folder.good(R"(
dead_letter_retention = "7d"
audit_retention = "90d"
[[sources]]
name = "a"
type = "manual"
handler = "h"
key = "{payload.repository}/{event.subject}"
dedupe_key = "{payload.id}"
throttle = "10/m"
batch = { max = 7, within = "3s" }
[handlers.h]
run = "x"
on_busy = "latest"
on_interrupt = "fail"
on_failure = "other"
expect_every = "26h"
on_overdue = "other"
ping = { start = "https://ping.example/x/start", failure = "http://[::1]:8/fail" }
allow_self_trigger = true
retry = { attempts = 5, backoff = "3s", jitter = 0.25, exit_codes = [75, 111], statuses = 503, timeouts = false }
breaker = { failures = 3, cooldown = "2m" }
[handlers.other]
steps = [{ run = "x", retry = { attempts = 2 } }]
retry = { attempts = 3 }
)").settings;
  CHECK(loaded.dead_letter_retention == 24h * 7);
  CHECK(loaded.audit_retention == 24h * 90);
  const auto& rule = loaded.sources.at(0).rule;
  CHECK(rule.key->text() == "{payload.repository}/{event.subject}");
  CHECK(rule.dedupe_key->text() == "{payload.id}");
  CHECK(rule.throttle == Rate{10, 1min});
  CHECK(rule.batch->max == 7);
  CHECK(rule.batch->within == 3s);
  const auto& handler = loaded.handlers.at(0);
  CHECK(handler.on_busy == OnBusy::latest);
  CHECK(handler.max_concurrent == 1);
  CHECK(handler.on_interrupt == OnInterrupt::fail);
  CHECK(handler.on_failure == "other");
  CHECK(handler.expect_every == 26h);
  CHECK(handler.on_overdue == "other");
  CHECK(handler.ping == PingUrls{"https://ping.example/x/start", "", "http://[::1]:8/fail"});
  CHECK(handler.allow_self_trigger);
  CHECK(handler.retry.attempts == 5);
  CHECK(handler.retry.backoff.first == 3s);
  CHECK(handler.retry.backoff.jitter == 0.25);
  CHECK(handler.retry.exit_codes == std::vector<int>{75, 111});
  CHECK(handler.retry.statuses == std::vector<int>{503});
  CHECK_FALSE(handler.retry.timeouts);
  CHECK(handler.breaker.failures == 3);
  CHECK(handler.breaker.cooldown == 2min);
  CHECK(handler.steps.at(0).retry.attempts == 1);  // the run as a whole is tried again
  const auto& other = loaded.handlers.at(1);
  CHECK(other.retry.attempts == 3);
  CHECK(other.steps.at(0).retry.attempts == 2);
  CHECK(other.on_interrupt == OnInterrupt::resume);
}

TEST_CASE("config: a prompt takes of its provider what it does not say itself") {
  ConfigFolder folder;
  folder.write("key", "sk-file\n");
  folder.write("shape.json", R"({"type": "object"})");
  const LoadedConfig loaded = folder.good(R"(
[providers.local]
type = "openai"
base_url = "http://127.0.0.1:11434/v1/"
model = "small"
api_key_file = "key"
temperature = 0.5
max_tokens = 100
timeout = "2m"
system = "Be $brief."
retry = { attempts = 7 }

[handlers.a]
prompt = "Why ${HOME}?"
json_schema = "shape.json"

[[handlers.b.steps]]
prompt = "Why?"
system = "Be long."
model = "large"
max_tokens = 5
timeout = "1m"
retry = { attempts = 2 }
)");
  const auto& a = loaded.settings.handlers[0].steps[0];
  const auto& asked = std::get<PromptStepOptions>(a.kind);
  CHECK(asked.provider.base_url == "http://127.0.0.1:11434/v1");
  CHECK(asked.provider.api_key == "sk-file");
  CHECK(asked.provider.model == "small");
  CHECK(asked.prompt.text() == "Why ${HOME}?");
  CHECK(asked.system.text() == "Be $brief.");
  CHECK(asked.schema["type"] == "object");
  CHECK_FALSE(asked.provider.needs_key);
  CHECK(a.retry.attempts == 7);
  CHECK(a.retry.backoff.first == limits::kPromptBackoff);
  CHECK(a.timeout == 2min);
  CHECK(loaded.settings.handlers[0].retry.attempts == 1);  // of the whole run
  const auto& b = loaded.settings.handlers[1].steps[0];
  const auto& other = std::get<PromptStepOptions>(b.kind);
  CHECK(other.provider.model == "large");
  CHECK(other.provider.temperature == 0.5);
  CHECK(other.provider.max_tokens == 5);
  CHECK(other.system.text() == "Be long.");
  CHECK(other.schema.is_null());
  CHECK(b.retry.attempts == 2);
  CHECK(b.timeout == 1min);
}

TEST_CASE("config: who answers nobody without a key is warned of, with the variable") {
  ConfigFolder folder;
  const LoadedConfig loaded = folder.good("[providers.claude]\ntype = \"anthropic\"\nmodel = \"m\"\napi_key = \"${ANTHROPIC_API_KEY:-}\"\n[handlers.a]\nprompt = \"x\"\n");
  const auto& provider = std::get<PromptStepOptions>(loaded.settings.handlers[0].steps[0].kind).provider;
  CHECK(provider.base_url == "https://api.anthropic.com");
  CHECK(provider.needs_key);
  CHECK(provider.key_cure == "set ANTHROPIC_API_KEY");
  CHECK(joined(loaded.warnings).find("set ANTHROPIC_API_KEY") != std::string::npos);
  CHECK(loaded.settings.handlers[0].steps[0].retry.attempts == limits::kPromptAttempts);
}

TEST_CASE("config: who may call the API") {
  ConfigFolder folder;
  folder.environment = {{"KEY", "0123456789abcdef0123456789abcdef"}, {"CREDENTIALS_DIRECTORY", (folder.path() / "cred").string()}};
  const std::string ec = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n-----END PUBLIC KEY-----\n";
  folder.write("ec.pem", ec);
  folder.write("cred/api", std::string(40, 'c'));
  folder.write("keys.json", R"({"keys":[{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]})");
  const auto loaded = folder.good(R"(
webhook_host = "0.0.0.0"
webhook_port = 0
[api]
key = "${KEY}"
key_file = "ec.pem"
credential = "api"
jwks_file = "keys.json"
issuer = "joe"
audience = ["a", "b"]
leeway = "1m"
require_token = true
rate_limit = "5/m"
max_readers = 7
[subscriptions]
reviewer = ["review*", "security"]
[handlers.a]
run = "true"
)");
  const auto& api = loaded.settings.api;
  std::string kinds;
  for (const auto& key : api.rules.keys) kinds += std::string(key.name()) + (key.can_sign() ? "! " : " ");
  CHECK(kinds == "HS256! ES256 HS256! HS256 ");
  CHECK(api.rules.issuer == "joe");
  CHECK(api.rules.audiences == std::vector<std::string>{"a", "b"});
  CHECK(api.rules.leeway == std::chrono::minutes(1));
  CHECK(api.require_token);
  CHECK(api.rate_limit == Rate{5, std::chrono::minutes(1)});
  CHECK(api.max_readers == 7);
  CHECK(api.subscriptions.at("reviewer") == std::vector<std::string>{"review*", "security"});
  const auto& masked = loaded.settings.secrets;
  CHECK(std::find(masked.begin(), masked.end(), "0123456789abcdef0123456789abcdef") != masked.end());
  CHECK(std::find(masked.begin(), masked.end(), std::string(40, 'c')) != masked.end());
}
