// What is wrong, where it is said to be, and the words that help: each case is a whole hark.toml.
#include "core/limits.h"
#include "tests/daemon/config_support.h"

using namespace hark;
using namespace hark::test;

namespace {

struct Case {
  std::string name;
  std::string text;
  std::vector<Wanted> wanted;
};

void check_all(const std::vector<Case>& cases) {
  ConfigFolder folder;
  folder.environment = {{"EMPTY", ""}, {"KEY", "s3cret"}, {"SPACED", "a b"}};
  folder.write("empty-secret", "\n");
  folder.write("good-secret", "xyz\n");
  for (const Case& each : cases) {
    INFO("case: " << each.name);
    check_errors(folder.load(each.text), each.wanted);
  }
}

// A source of handler `a`, whose table header is line 2.
std::string source(const std::string& lines) { return kHandlerA + "[[sources]]\nhandler = \"a\"\n" + lines; }
// A hook, whose table header is line 2.
std::string hook(const std::string& lines) { return kHandlerA + "[[hooks]]\n" + lines; }
// A schedule that is right, with more keys from line 6.
std::string schedule(const std::string& lines) { return source("type = \"schedule\"\ncron = \"@daily\"\n" + lines); }
// A webhook that is right but for its secret, with more keys from line 6.
std::string webhook(const std::string& lines) { return source("type = \"webhook\"\npath = \"/hooks/x\"\n" + lines); }
// A file_change that is right, with more keys from line 6.
std::string watch(const std::string& lines) { return source("type = \"file_change\"\npath = \"src\"\n" + lines); }

}  // namespace

TEST_CASE("config errors: text that is no TOML") {
  check_all({
      {"unfinished string", "mode = \"daemon\nx = 1\n", {{"1:15", {"string"}}}},
      {"a key twice", "mode = \"daemon\"\nmode = \"daemon\"\n", {{"2:8", {"redefine", "mode"}}}},
      {"no UTF-8", "mode = \"\xff\xfe\"\n", {{"1:8", {"utf-8"}}}},
      {"a table over lines",
       "handlers.a = { run = \"x\",\n if = \"\" }\n",
       {{"1:26", {"inline table", "[[handlers.NAME.steps]]"}}}},
      {"a number beyond 64 bits", "queue_limit = 99999999999999999999\n", {{"1:35", {"64 bits"}}}},
      {"a NUL", std::string("mode = \"da\0emon\"\n", 17), {{"1:11", {}}}},
  });
}

TEST_CASE("config errors: depth is bounded, by brackets and by dots") {
  ConfigFolder folder;
  const auto repeated = [](const std::string& part, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += part;
    return text;
  };
  check_errors(folder.load("mode = " + repeated("[", 200'000)), {{"1:264", {"nested"}}});
  check_errors(folder.load("mode = " + repeated("[", 200) + repeated("]", 200) + "\n"), {{"1:136", {"nested deeper than 128"}}});
  const std::string chain = "a" + repeated(".a", 14);
  check_errors(folder.load("x = " + repeated("{ " + chain + " = ", 200) + "1" + repeated(" }", 200) + "\n"),
               {{"1:293", {"nested deeper"}}});
}

TEST_CASE("config errors: the top level") {
  check_all({
      {"a misspelt key", kHandlerA + "moed = \"daemon\"\n", {{"2:1", {"moed: unknown key", "did you mean `mode`?"}}}},
      {"a key far from any", kHandlerA + "frobnicate = 1\n", {{"2:1", {"unknown key", "known here:", "drain_timeout"}}}},
      {"a misspelt value",
       kHandlerA + "mode = \"deamon\"\n",
       {{"2:8", {"mode:", "expected \"daemon\" or \"one-shot\"", "did you mean \"daemon\"?"}}}},
      {"a secret that is no name", kHandlerA + "secrets = [\"KEY\", \"no name\"]\n", {{"2:19", {"secrets:", "expected the name of an environment variable", "found \"no name\""}}}},
      {"secrets of another type", kHandlerA + "secrets = 7\n", {{"2:11", {"secrets:", "found an integer"}}}},
      {"a wrong type", kHandlerA + "mode = 3\n", {{"2:8", {"expected a string, found an integer"}}}},
      {"zero", kHandlerA + "max_concurrent_handlers = 0\n", {{"2:27", {"from 1 to 1024, found 0"}}}},
      {"negative", kHandlerA + "queue_limit = -1\n", {{"2:15", {"found -1"}}}},
      {"a float", kHandlerA + "queue_limit = 1.5\n", {{"2:15", {"expected an integer", "found a floating-point number"}}}},
      {"a port", kHandlerA + "webhook_port = 65536\n", {{"2:16", {"from 0 to 65535, found 65536"}}}},
      {"a bare duration", kHandlerA + "retention = 5\n", {{"2:13", {"expected a duration such as", "found an integer"}}}},
      {"an odd duration", kHandlerA + "retention = \"5 minutes\"\n", {{"2:13", {"\"5m\"", "found \"5 minutes\""}}}},
      {"a duration that is too long", kHandlerA + "retention = \"36501d\"\ndrain_timeout = \"36500d\"\n", {{"2:13", {"at most \"36500d\"", "found \"36501d\""}}}},
      {"no duration at all", kHandlerA + "retention = \"0s\"\n", {{"2:13", {"at least 1ms"}}}},
      {"a boolean as text", kHandlerA + "persist_last_run = \"yes\"\n", {{"2:20", {"expected true or false, found a string"}}}},
      {"overflow", kHandlerA + "queue_overflow = \"wait\"\n", {{"2:18", {"\"queue\", \"drop\" or \"error\""}}}},
      {"log level", kHandlerA + "log_level = \"inof\"\n", {{"2:13", {"\"error\" or \"off\"", "did you mean \"info\"?"}}}},
      {"a home path", kHandlerA + "log_file = \"~/hark.log\"\n", {{"2:12", {"`~` is not expanded", "${HOME}/hark.log"}}}},
      {"an empty path", kHandlerA + "state_file = \"\"\n", {{"2:14", {"expected a path"}}}},
      {"one file for two things", kHandlerA + "state_file = \"x\"\njournal_file = \"./x\"\n", {{"3:16", {"same file"}}}},
      {"a log in the journal's place", kHandlerA + "log_file = \".hark/journal.db\"\n", {{"2:12", {"is the same file as `journal_file`"}}}},
      {"a log beside it", kHandlerA + "log_file = \".hark/journal.db-shm\"\n", {{"2:12", {"in the way of `journal_file`"}}}},
      {"a log in the configuration", kHandlerA + "log_file = \"hark.toml\"\n", {{"2:12", {"the configuration"}}}},
      {"no address", kHandlerA + "webhook_host = \"999.1.1.1\"\n", {{"2:16", {"expected an address"}}}},
      {"no IPv6 address", kHandlerA + "webhook_host = \"[::g]\"\n", {{"2:16", {"expected an address"}}}},
      {"no host name", kHandlerA + "webhook_host = \"-a.example\"\n", {{"2:16", {"expected an address"}}}},
      {"hosts that may be", kHandlerA + "webhook_host = \"my_host.example.\"\n", {}},
      {"no key beyond this machine", kHandlerA + "webhook_port = 0\nwebhook_host = \"::\"\n", {{"3:16", {"with tokens alone", "`enabled = false`"}}}},
      {"keys that are too short", kHandlerA + "[api]\nkey = \"short\"\nrequire_token = true\n", {{"3:7", {"at least 32 bytes", "this one has 5"}}, {"4:1", {"no key that a token could be checked with"}}}},
      {"keys that are not there", kHandlerA + "[api]\nkey_file = \"gone.pem\"\njwks_file = \"hark.toml\"\n", {{"3:12", {"no such file"}}, {"4:13", {"no JSON"}}}},
      {"a rate that is none", kHandlerA + "[api]\nrate_limit = \"many\"\nmax_readers = 0\nleeway = \"2h\"\nisuer = \"x\"\n",
       {{"3:14", {"many"}}, {"4:15", {"max_readers"}}, {"5:10", {"at most an hour"}}, {"6:1", {"did you mean `issuer`?"}}}},
      {"subscriptions without a key", kHandlerA + "[subscriptions]\nreviewer = [\"[\"]\n", {{"2:1", {"has no key"}}, {"3:13", {"expected a topic"}}}},
      {"a host", kHandlerA + "webhook_host = \"a b\"\n", {{"2:16", {"expected an address"}}}},
      {"signals that are none",
       kHandlerA + "[signals]\nstop = \"stopp\"\nx = { attempts = 2 }\ny = { action = \"halt\", escalate = \"a\" }\nz = { action = \"retry\", attempts = 0, escalate = \"b\" }\n",
       {{"3:8", {"expected pause, resume, release, retry or halt"}},
        {"4:5", {"needs `action`"}},
        {"4:7", {"a signal with `action = \"retry\"`"}},
        {"5:24", {"`action = \"pause\"`"}},
        {"6:36", {"1"}},
        {"6:50", {"there is no handler \"b\""}}}},
      {"signals that are right", kHandlerA + "[signals]\nstop = \"halt\"\nx = { action = \"retry\", attempts = 2, escalate = \"a\" }\n", {}},
      {"sources as a table", kHandlerA + "[sources.x]\n", {{"2:1", {"sources: expected an array of tables ([[sources]])"}}}},
      {"a table for what stands at the top", kHandlerA + "[daemon]\nlog_level = \"info\"\n", {{"2:2", {"daemon: unknown key; what stands in it is written without a table"}}}},
      {"a date", kHandlerA + "drain_timeout = 2026-01-01\n", {{"2:17", {"found a date or time"}}}},
      {"all at once, in order",
       "zzz = 1\nmode = 1\nqueue_limit = 0\n[handlers.a]\nrun = \"\"\n",
       {{"1:1", {"zzz"}}, {"2:8", {"mode"}}, {"3:15", {"queue_limit"}}, {"5:7", {"handlers.a.run"}}}},
  });
}

TEST_CASE("config errors: hooks") {
  check_all({
      {"what is right", hook("on = [\"event:received\", \"gate:*\"]\nrun = [\"./decide\"]\n"), {}},
      {"nothing at all", hook(""), {{"2:1", {"hooks.hook1: needs `on`", "event:received"}}, {"2:1", {"needs something to do", "`run`"}}}},
      {"a misspelt event", hook("on = \"event:recieved\"\naction = \"skip\"\n"), {{"3:6", {"there is no lifecycle event \"event:recieved\"", "did you mean `event:received`?"}}}},
      {"a glob that fits none", hook("on = \"evnt:*\"\nrun = \"x\"\n"), {{"3:6", {"there is no lifecycle event"}}}},
      {"an empty list", hook("on = []\nrun = \"x\"\n"), {{"3:6", {"at least one lifecycle event"}}}},
      {"a skip of what has happened", hook("on = \"run:complete\"\naction = \"skip\"\n"), {{"4:10", {"`run:complete` tells of what has happened", "event:queued"}}}},
      {"a skip of all that has to do with events", hook("on = \"event:*\"\naction = \"skip\"\n"), {{"4:10", {"`event:dropped`"}}}},
      {"another action", hook("on = \"event:received\"\naction = \"stop\"\n"), {{"4:10", {"skip"}}}},
      {"no filter", hook("on = \"event:received\"\nwhere = \"a:(\"\naction = \"skip\"\n"), {{"4:9", {"not a filter"}}}},
      {"two actions", hook("on = \"run:*\"\nrun = \"x\"\nhttp = { url = \"http://h/\" }\n"), {{"5:1", {"stands beside `run`"}}}},
      {"no command", hook("on = \"run:*\"\nrun = \" \"\n"), {{"4:7", {"expected a command"}}}},
      {"no program", hook("on = \"run:*\"\nrun = []\n"), {{"4:7", {"expected a program"}}}},
      {"no URL", hook("on = \"run:*\"\nhttp = {}\n"), {{"4:8", {"needs `url`"}}}},
      {"another URL", hook("on = \"run:*\"\nhttp = { url = \"ftp://x\" }\n"), {{"4:16", {"begins with http://"}}}},
      {"no header", hook("on = \"run:*\"\nhttp = { url = \"http://h/\", headers = { \"a b\" = \"c\" } }\n"), {{"4:41", {"the name of a header"}}}},
      {"an event for the bus", hook("on = \"run:*\"\npublish = \"told\"\n"), {}},
      {"an event for a stranger", source("name = \"web\"\ntype = \"manual\"\n[[hooks]]\non = \"run:*\"\npublish = \"told\"\nsource = \"wbe\"\n"), {{"9:10", {"there is no source \"wbe\"", "`web`"}}}},
      {"keys of another action", hook("on = \"event:received\"\naction = \"skip\"\ntimeout = \"1s\"\ntopic = \"t\"\n"), {{"5:1", {"a hook with `run` or `http`"}}, {"6:1", {"a hook with `publish`"}}}},
      {"a name twice", hook("name = \"x\"\non = \"run:*\"\nrun = \"x\"\n[[hooks]]\nname = \"x\"\non = \"run:*\"\nrun = \"x\"\n"), {{"6:1", {"a second hook is named 'x'", "hark.toml:3"}}}},
      {"an unknown key", hook("on = \"run:*\"\nrun = \"x\"\nwhen = 1\n"), {{"5:1", {"when: unknown key"}}}},
  });
}

TEST_CASE("config errors: names and handlers of sources") {
  check_all({
      {"no type", source("name = \"x\"\n"), {{"2:1", {"sources.x: needs `type`: file_change, git_push, git_pr, webhook, schedule, topic or manual"}}}},
      {"a misspelt type", source("type = \"file_chnage\"\n"), {{"4:8", {"did you mean \"file_change\"?"}}}},
      {"a topic that is no glob", source("type = \"topic\"\ntopic = \"[a\"\n"), {{"5:9", {"["}}}},
      {"no topics", source("type = \"topic\"\ntopic = []\n"), {{"5:9", {"at least one"}}}},
      {"topics of a source that has none", source("type = \"manual\"\ntopic = \"x\"\n"), {{"5:1", {"`topic` sources"}}}},
      {"a topic's name", "[topics.\"a b\"]\nretention = \"1h\"\n", {{"1:9", {"a topic is letters, digits"}}}},
      {"a topic kept in no way", "[topics.a]\nretention = \"1x\"\nretention_events = 0\n", {{"2:13", {"duration"}}, {"3:20", {"1"}}}},
      {"a bad name", schedule("name = \"a b\"\n"), {{"6:8", {"sources.\"a b\".name: expected a name"}}}},
      {"a name of another type", schedule("name = 7\n"), {{"6:8", {"sources #1.name: expected a string"}}}},
      {"a name twice",
       schedule("name = \"x\"\n[[sources]]\nname = \"x\"\ntype = \"manual\"\n"),
       {{"8:8", {"second source of this name", "first is at hark.toml:2"}}}},
      {"no handler",
       "[[sources]]\ntype = \"schedule\"\ncron = \"@daily\"\n" + kHandlerA.substr(0, 0),
       {{"1:1", {"needs `handler`"}}}},
      {"an unknown handler",
       "handlers.on-push.run = \"x\"\n[[sources]]\ntype = \"schedule\"\ncron = \"@daily\"\nhandler = \"on-psuh\"\n",
       {{"5:11", {"there is no handler \"on-psuh\"", "did you mean `on-push`?"}}}},
      {"an unknown one of several",
       schedule("").replace(schedule("").find("handler = \"a\""), 13, "handlers = [\"a\", \"b\"]"),
       {{"3:18", {"there is no handler \"b\""}}}},
      {"handler and handlers", schedule("handlers = [\"a\"]\n"), {{"6:1", {"expected one of them"}}}},
      {"no handlers", kHandlerA + "[[sources]]\ntype = \"manual\"\nhandlers = []\n", {{"4:12", {"at least one handler"}}}},
      {"a handler twice", kHandlerA + "[[sources]]\ntype = \"manual\"\nhandlers = [\"a\", \"a\"]\n", {{"4:18", {"twice"}}}},
      {"keys of another type",
       schedule("pattern = \"*\"\nsecret = \"x\"\n"),
       {{"6:1", {"it belongs to `file_change` sources"}}, {"7:1", {"it belongs to `git_pr` and `webhook` sources"}}}},
      {"a key of several other types", kHandlerA + "[[sources]]\ntype = \"manual\"\npath = \"x\"\n",
       {{"4:1", {"it belongs to `file_change`, `git_pr` and `webhook` sources"}}}},
      {"a throttle that is no rate", schedule("throttle = \"10\"\n"), {{"6:12", {"throttle", "such as"}}}},
      {"a throttle that looks far back", schedule("throttle = \"20000/d\"\n"), {{"6:12", {"from 1 to 10000"}}}},
      {"a key of no event", schedule("key = \"{steps.a.output}\"\n"), {{"6:7", {"'{steps.a.output}' is not known when an event arrives"}}}},
      {"a key that is the same for all", schedule("dedupe_key = \"x\"\n"), {{"6:14", {"the same for every event"}}}},
      {"a key's misspelt attribute", schedule("key = \"{event.sorce}\"\n"), {{"6:7", {"did you mean event.source?"}}}},
      {"batch beside debounce", schedule("batch = {max = 3}\ndebounce = \"1s\"\n"), {{"7:1", {"stands beside `batch`"}}}},
      {"a batch of nothing", schedule("batch = {max = 0, within = \"0s\"}\n"), {{"6:16", {"batch.max"}}, {"6:28", {"batch.within"}}}},
      {"on_busy of a source", schedule("on_busy = \"drop\"\n"), {{"6:1", {"`on_busy`", "a handler"}}}},
      {"a misspelt key", schedule("timezome = \"UTC\"\n"), {{"6:1", {"did you mean `timezone`?"}}}},
      {"a source that is no table", kHandlerA + "sources = [1]\n", {{"2:12", {"expected a table, found an integer"}}}},
      {"debounce twice", schedule("debounce = \"1s\"\ndebounce_ms = 5\n"), {{"7:1", {"says the same as `debounce`"}}}},
      {"debounce below zero", schedule("debounce_ms = -1\n"), {{"6:15", {"found -1"}}}},
      {"debounce_max too short",
       schedule("debounce_ms = 1000\ndebounce_max_ms = 999\n"),
       {{"7:19", {"shorter than the debounce of 1s"}}}},
      {"debounce_max alone", schedule("debounce_max = \"1s\"\n"), {{"6:16", {"no meaning without `debounce`"}}}},
      {"debounce_max below the default", watch("debounce_max = \"10ms\"\n"), {{"6:16", {"shorter than the debounce of 200ms"}}}},
      {"a bad debounce says nothing of its max",
       schedule("debounce = \"x\"\ndebounce_max = \"1s\"\n"),
       {{"6:12", {"expected a duration"}}}},
      {"a bad filter", schedule("where = \"a:b,,\"\n"), {{"6:9", {"where: not a filter"}}}},
      {"a filter on what no event has", schedule("where = \"event.tpye:x\"\n"), {{"6:9", {"where:", "tpye", "type"}}}},
      {"priority as text", schedule("priority = \"high\"\n"), {{"6:12", {"expected an integer"}}}},
      {"dedupe_window", schedule("dedupe_window = \"-1s\"\n"), {{"6:17", {"expected a duration"}}}},
  });
}

TEST_CASE("config errors: file_change and git_push") {
  check_all({
      {"no path", source("type = \"file_change\"\n"), {{"2:1", {"sources.file_change: needs `path`"}}}},
      {"an empty path", source("type = \"file_change\"\npath = \"\"\n"), {{"5:8", {"expected a path"}}}},
      {"a bad glob", watch("pattern = [\"*.py\", \"[a-\"]\n"), {{"6:20", {"sources.file_change-src.pattern: not a glob"}}}},
      {"an empty glob", watch("pattern = \"!\"\n"), {{"6:11", {"expected a glob"}}}},
      {"patterns of another type",
       watch("pattern = [1, true]\n"),
       {{"6:12", {"expected a string, found an integer"}}, {"6:15", {"found a boolean"}}}},
      {"an unknown kind", watch("events = [\"create\", \"modifed\"]\n"), {{"6:21", {"did you mean `modify`?"}}}},
      {"no kind", watch("events = []\n"), {{"6:10", {"at least one"}}}},
      {"a URL",
       source("type = \"git_push\"\nrepository = \"https://user:pw@host/x.git\"\n"),
       {{"5:14", {"sources.\"git_push-https-host-x.git\".repository", "without a user or password", "`token`"}}}},
      {"a token in the address", source("type = \"git_push\"\nrepository = \"http://ghp_token@host/x.git\"\n"), {{"5:14", {"sources.\"git_push-http-host-x.git\".repository", "`username` and `token`"}}}},
      {"no branch", source("type = \"git_push\"\nrepository = \".\"\nbranches = []\n"), {{"6:12", {"a branch's name", "empty array"}}}},
      {"another scheme", source("type = \"git_push\"\nrepository = \"ftp://host/x.git\"\n"), {{"5:14", {"https://", "USER@HOST:PATH"}}}},
      {"a token for all to read",
       source("type = \"git_push\"\nrepository = \"http://host/x.git\"\ntoken = \"t\"\n"),
       {{"6:1", {"everybody", "https://"}}}},
      {"a token of two lines",
       source("type = \"git_push\"\nrepository = \"https://host/x.git\"\ntoken = \"t\\nX: y\"\n"),
       {{"6:9", {"without blanks and line ends"}}}},
      {"an address without a host", source("type = \"git_push\"\nrepository = \"https:///x\"\n"), {{"5:14", {"https://HOST/PATH", "no well-formed host"}}}},
      {"an address without a path", source("type = \"git_push\"\nrepository = \"ssh://git@host\"\n"), {{"5:14", {"ssh://HOST/PATH", "no path of a repository"}}}},
      {"a port that is none", source("type = \"git_push\"\nrepository = \"git://host:99999/x\"\n"), {{"5:14", {"git://HOST/PATH", "from 1 to 65535"}}}},
      {"a half address", source("type = \"git_push\"\nrepository = \"git@host:\"\n"), {{"5:14", {"USER@HOST:PATH"}}}},
      {"an address without a host, for ssh", source("type = \"git_push\"\nrepository = \"git@:x\"\n"), {{"5:14", {"USER@HOST:PATH"}}}},
      {"a file elsewhere", source("type = \"git_push\"\nrepository = \"file://host/x\"\n"), {{"5:14", {"file:///PATH"}}}},
      {"a program", source("type = \"git_push\"\nrepository = \"ext::sh -c id\"\n"), {{"5:14", {"https://", "USER@HOST:PATH"}}}},
      {"two tokens",
       source("type = \"git_push\"\nrepository = \"https://host/x.git\"\ntoken = \"t\"\ntoken_file = \"/nowhere\"\n"),
       {{"7:14", {"says the same"}}, {"7:14", {"no such file: /nowhere"}}}},
      {"too often",
       source("type = \"git_push\"\nrepository = \"https://host/x.git\"\ninterval = \"10ms\"\n"),
       {{"6:12", {"1s"}}}},
      {"no repository", source("type = \"git_push\"\n"), {{"2:1", {"needs `repository`"}}}},
      {"a pattern across folders", source("type = \"git_push\"\nrepository = \"/srv/**/*.git\"\n"), {{"5:14", {"`**` is not known here"}}}},
      {"a bad tag",
       source("type = \"git_push\"\nrepository = \".\"\ntags = [\"refs/tags/v1\", \"!v0\"]\n"),
       {{"6:9", {"a tag's name"}}, {"6:25", {"!payload.tag:v0"}}}},
      {"a bad branch",
       source("type = \"git_push\"\nrepository = \".\"\nbranches = [\"main\", \"{a\"]\n"),
       {{"6:21", {"branches: not a glob"}}}},
  });
}

TEST_CASE("config errors: pull requests") {
  const auto requests = [](const std::string& text) { return source("type = \"git_pr\"\n" + text); };
  check_all({
      {"neither way", requests(""), {{"2:1", {"needs `path`", "`repository`"}}}},
      {"an unknown action", requests("path = \"/h\"\nsecret = \"s\"\nevents = [\"syncronize\"]\n"), {{"7:11", {"did you mean `synchronize`?"}}}},
      {"no action", requests("path = \"/h\"\nsecret = \"s\"\nevents = []\n"), {{"7:10", {"at least one"}}}},
      {"no secret", requests("path = \"/h\"\n"), {{"2:1", {"needs a secret"}}}},
      {"another provider", requests("provider = \"stripe\"\npath = \"/h\"\nsecret = \"s\"\n"), {{"5:12", {"gitlab", "bitbucket", "stripe"}}}},
      {"no repository of a forge", requests("repository = \"./here\"\n"), {{"5:14", {"https://host/owner/name"}}}},
      {"another's forge", requests("repository = \"https://gitlab.com/o/r\"\n"), {{"5:14", {"it is at gitlab.com", "provider = \"gitlab\""}}}},
      {"no address of an API", requests("repository = \"https://host/o/r\"\napi = \"https://host:0/api\"\n"), {{"6:7", {"api", "1 to 65535", "https://host/api/v4"}}}},
      {"Data Center", requests("provider = \"bitbucket\"\nrepository = \"https://git.example.org/P/r\"\n"), {{"6:14", {"Data Center is not polled", "webhook"}}}},
      {"a token for all to read", requests("provider = \"gitea\"\nrepository = \"http://host/o/r\"\ntoken = \"t\"\n"), {{"7:1", {"https://"}}}},
      {"one path twice",
       "[[sources]]\nname = \"a\"\ntype = \"git_pr\"\npath = \"/h\"\nsecret = \"s\"\nhandler = \"h\"\n[[sources]]\nname = \"b\"\ntype = \"webhook\"\npath = \"/h\"\nsecret = \"s\"\nhandler = \"h\"\n[handlers.h]\nrun = \"true\"\n",
       {{"10:8", {"a second webhook on"}}}},
  });
}

TEST_CASE("config errors: webhooks") {
  check_all({
      {"no secret", webhook(""), {{"2:1", {"sources.webhook-hooks-x: a webhook needs a secret", "unsigned = true"}}}},
      {"unsigned = false is no secret", webhook("unsigned = false\n"), {{"2:1", {"needs a secret"}}}},
      {"unsigned and secret", webhook("unsigned = true\nsecret = \"x\"\n"), {{"6:1", {"contradicts `secret`"}}}},
      {"an empty secret", webhook("secret = \"\"\n"), {{"6:10", {"expected a secret, found an empty string"}}}},
      {"an empty one of two", webhook("secret = [\"a\", \"${EMPTY}\"]\n"), {{"6:16", {"found an empty string", "${EMPTY}"}}}},
      {"no secrets", webhook("secret = []\n"), {{"6:10", {"at least one secret"}}}},
      {"a missing file", webhook("secret_file = \"nowhere\"\n"), {{"6:15", {"no such file", "nowhere"}}}},
      {"an empty file", webhook("secret_file = [\"good-secret\", \"empty-secret\"]\n"), {{"6:31", {"found it empty"}}}},
      {"no credentials", webhook("credential = \"hook\"\n"), {{"6:14", {"CREDENTIALS_DIRECTORY is not set"}}}},
      {"a credential elsewhere", webhook("credential = \"../hook\"\n"), {{"6:14", {"expected the name of a credential"}}}},
      {"no path", source("type = \"webhook\"\nunsigned = true\n"), {{"2:1", {"needs `path`"}}}},
      {"a relative path", source("type = \"webhook\"\npath = \"x\"\nunsigned = true\n"), {{"5:8", {"begins with `/`"}}}},
      {"a path with a query", source("type = \"webhook\"\npath = \"/x?y\"\nunsigned = true\n"), {{"5:8", {"expected a path"}}}},
      {"a path that nobody can ask for", source("type = \"webhook\"\npath = \"/x/../y\"\nunsigned = true\n"), {{"5:8", {"without `/./`"}}}},
      {"a path with nothing between", source("type = \"webhook\"\npath = \"/x//y\"\nunsigned = true\n"), {{"5:8", {"without `//`"}}}},
      {"a name that is none", source("type = \"webhook\"\npath = \"/x/{a b}\"\nunsigned = true\n"), {{"5:8", {"a name of letters"}}}},
      {"a name with more in its segment", source("type = \"webhook\"\npath = \"/x/{a}b\"\nunsigned = true\n"), {{"5:8", {"a name of letters"}}}},
      {"a name first", source("type = \"webhook\"\npath = \"/{a}\"\nunsigned = true\n"), {{"5:8", {"a plain first segment"}}}},
      {"a name twice", source("type = \"webhook\"\npath = \"/x/{a}/{a}\"\nunsigned = true\n"), {{"5:8", {"another name for the second {a}"}}}},
      {"two that take the same requests",
       source("type = \"webhook\"\npath = \"/x/{a}\"\nunsigned = true\n[[sources]]\ntype = \"webhook\"\npath = \"/x/{b}\"\nunsigned = true\nhandler = \"a\"\n"),
       {{"9:8", {"second webhook on \"/x/{b}\""}}}},
      {"a header that holds a secret", webhook("secret = \"x\"\nheaders = [\"X-A\", \"authorization\"]\n"), {{"7:19", {"\"authorization\" holds a secret"}}}},
      {"a token's own header", webhook("secret = \"x\"\nprovider = \"gitlab\"\nheaders = \"X-Gitlab-Token\"\n"), {{"8:11", {"holds a secret"}}}},
      {"no name of a header", webhook("secret = \"x\"\nheaders = \"X A\"\n"), {{"7:11", {"the name of a header"}}}},
      {"no name of a field", webhook("secret = \"x\"\nquery = [\"\"]\n"), {{"7:10", {"the name of a field"}}}},
      {"hark's own path", source("type = \"webhook\"\npath = \"/api/events\"\nunsigned = true\n"), {{"5:8", {"is hark's own"}}}},
      {"one path twice",
       webhook("unsigned = true\n[[sources]]\ntype = \"webhook\"\npath = \"/hooks/x\"\nunsigned = true\nhandler = \"a\"\n"),
       {{"9:8", {"second webhook on \"/hooks/x\"", "first is at hark.toml:5"}}}},
      {"no key of Standard Webhooks",
       webhook("provider = \"standard\"\nsecret = [\"whsec_AAAA\", \"s3cret!\"]\n"),
       {{"7:25", {"expected `whsec_` and base64"}}}},
      {"no key in a file", webhook("provider = \"standard\"\nsecret_file = \"good-secret\"\n"), {{"7:15", {"expected `whsec_` and base64", "good-secret"}}}},
      {"a tolerance where no time is signed", webhook("secret = \"x\"\ntolerance = \"5m\"\n"), {{"7:1", {"senders that sign the time"}}}},
      {"no tolerance", webhook("secret = \"x\"\nprovider = \"slack\"\ntolerance = \"0s\"\n"), {{"8:13", {"tolerance"}}}},
      {"another hash", webhook("secret = \"x\"\nsignature_algorithm = \"md5\"\n"), {{"7:23", {"\"sha256\", \"sha1\" or \"sha512\""}}}},
      {"a scheme of its own for stripe", webhook("secret = \"x\"\nprovider = \"stripe\"\nsignature_prefix = \"\"\n"), {{"8:1", {"how stripe signs is known"}}}},
      {"a misspelt provider", webhook("unsigned = true\nprovider = \"githb\"\n"), {{"7:12", {"did you mean \"github\"?"}}}},
      {"a header for github",
       webhook("secret = \"x\"\nprovider = \"github\"\nsignature_header = \"X\"\n"),
       {{"8:1", {"provider = \"generic\""}}}},
      {"no header name", webhook("secret = \"x\"\nsignature_header = \"X: y\"\n"), {{"7:20", {"expected the name of a header"}}}},
      {"max_body", webhook("secret = \"x\"\nmax_body = 0\n"), {{"7:12", {"from 1 to 1073741824, found 0"}}}},
      {"nobody may send", webhook("secret = \"x\"\nallow = []\n"), {{"7:1", {"allow", "nobody could send"}}}},
      {"no networks", webhook("secret = \"x\"\nallow = [\"10.0.0.0/8\", \"10.0.0.1/8\"]\n"), {{"7:24", {"expected a network or an address"}}}},
      {"a name as a proxy", "trusted_proxies = \"localhost\"\n", {{"1:19", {"expected a network or an address"}}}},
      {"an answer that is none", webhook("secret = \"x\"\nresponse = { status = 302, body = \"{steps.x.output}\", code = 1 }\n"),
       {{"7:23", {"from 200 to 299"}}, {"7:35", {"is not known when an event arrives"}}, {"7:55", {"code"}}}},
      {"another way to answer", webhook("secret = \"x\"\nrespond = \"later\"\n"), {{"7:11", {"\"accepted\" or \"result\""}}}},
      {"a rate of another unit", webhook("secret = \"x\"\nrate_limit = \"100/5s\"\n"), {{"7:14", {"rate_limit", "such as \"100/s\"", "s, m, h or d"}}}},
      {"a rate that is a number", webhook("secret = \"x\"\nrate_limit = 100\n"), {{"7:14", {"rate_limit", "expected a string"}}}},
      {"a rate of no webhook", source("type = \"manual\"\nrate_limit = \"1/s\"\n"), {{"5:1", {"`rate_limit`", "`webhook` sources"}}}},
  });
}

TEST_CASE("config errors: what would never match") {
  const auto git = [](const std::string& line) { return source("type = \"git_push\"\nrepository = \".\"\n" + line); };
  const auto files = [](const std::string& line) { return source("type = \"file_change\"\npath = \".\"\n" + line); };
  check_all({
      {"a reference", git("branches = [\"main\", \"refs/heads/x\"]\n"), {{"6:21", {"branches", "a branch's name", "\"release/*\""}}}},
      {"not a branch", git("branches = \"!main\"\n"), {{"6:12", {"where = \"!payload.branch:main\""}}}},
      {"an absolute pattern", files("pattern = \"/a/*.c\"\n"), {{"6:11", {"relative to `path`"}}}},
  });
}

TEST_CASE("config errors: schedules") {
  const auto cron = [](const std::string& line) { return source("type = \"schedule\"\n" + line); };
  check_all({
      {"no cron", cron(""), {{"2:1", {"needs `cron`"}}}},
      {"a bad field", cron("cron = \"61 * * * *\"\n"), {{"5:8", {"cron"}}}},
      {"never fires", cron("cron = \"0 0 30 2 *\"\n"), {{"5:8", {"never fires"}}}},
      {"an unknown zone", schedule("timezone = \"Europe/Berlim\"\n"), {{"6:12", {"Europe/Berlim"}}}},
      {"a zone outside", schedule("timezone = \"../../etc/passwd\"\n"), {{"6:12", {"timezone"}}}},
      {"a watcher's catch-up as a word", watch("catch_up = \"one\"\n"), {{"6:12", {"expected true or false, found a string"}}}},
      {"an unknown backend", watch("backend = \"kqueue\"\n"), {{"6:11", {"\"auto\", \"inotify\", \"fanotify\" or \"poll\""}}}},
      {"an unknown settle", watch("settle = \"quiet\"\n"), {{"6:10", {"\"write\" or \"stable\""}}}},
      {"a poll without pause", watch("poll_interval = \"0s\"\n"), {{"6:17", {"100ms"}}}},
      {"catch-up as a boolean", schedule("catch_up = true\n"), {{"6:12", {"expected a string, found a boolean"}}}},
      {"an unknown catch-up", schedule("catch_up = \"every\"\n"), {{"6:12", {"\"none\", \"one\" or \"all\""}}}},
      {"no slot at all", schedule("catch_up_limit = 0\n"), {{"6:18", {"from 1"}}}},
      {"jitter", schedule("jitter = 5\n"), {{"6:10", {"expected a duration"}}}},
  });
}

TEST_CASE("config errors: handlers and steps") {
  const auto step = [](const std::string& line) { return "[[handlers.a.steps]]\n" + line; };
  check_all({
      {"nothing to do", "[handlers.a]\ntimeout = \"5m\"\n", {{"1:1", {"handlers.a: needs something to do"}}}},
      {"a handler that is no table", "[handlers]\na = \"make\"\n", {{"2:5", {"handlers.a: expected a table, found a string"}}}},
      {"one step that is tolerated", "[handlers.a]\nrun = \"x\"\ncontinue_on_error = true\n", {{"3:1", {"belongs to a step of several"}}}},
      {"a tool without an action", "[handlers.a]\ntool = \"file\"\npath = \"x\"\n", {{"1:1", {"needs `action`: read, write, append or glob"}}}},
      {"a file without a path", "[handlers.a]\ntool = \"file\"\naction = \"read\"\n", {{"1:1", {"needs `path`, relative to"}}}},
      {"a path out of the folder", "[handlers.a]\ntool = \"file\"\naction = \"read\"\npath = \"../x\"\n", {{"4:8", {"holds a '..'"}}}},
      {"a pattern that is none", "[handlers.a]\ntool = \"file\"\naction = \"glob\"\npath = \"[a-\"\n", {{"4:8", {"a '[' is not closed"}}}},
      {"nothing to write", "[handlers.a]\ntool = \"file\"\naction = \"write\"\npath = \"x\"\n", {{"1:1", {"needs `content`"}}}},
      {"git without an action", "[handlers.a]\ntool = \"git\"\n", {{"1:1", {"needs `action`: log, diff, show, commit, branch, push or worktree"}}}},
      {"git with another's key", "[handlers.a]\ntool = \"git\"\naction = \"show\"\nmax = 3\n", {{"4:1", {"it belongs to action = log"}}}},
      {"a commit without a message", "[handlers.a]\ntool = \"git\"\naction = \"commit\"\n", {{"1:1", {"needs `message`"}}}},
      {"a branch without a name", "[handlers.a]\ntool = \"git\"\naction = \"branch\"\n", {{"1:1", {"needs `branch`"}}}},
      {"a log too long", "[handlers.a]\ntool = \"git\"\naction = \"log\"\nmax = 0\n", {{"4:7", {"from 1 to 10000"}}}},
      {"paths that are none", "[handlers.a]\ntool = \"git\"\naction = \"log\"\npaths = []\n", {{"4:9", {"without `paths` it is all"}}}},
      {"an if with a template", "[handlers.a]\nrun = \"x\"\nif = \"payload.x:{payload.y}\"\n", {{"3:6", {"'{payload.y}' would stand as it is: `if` has no templates"}}}},
      {"a type with a template", "[handlers.a]\npublish = \"done.{payload.x}\"\n", {{"2:11", {"`publish` has no templates"}}}},
      {"a wait with a template", "[handlers.a]\nwait = [\"a\", \"done.{payload.x}\"]\ntopic = \"{payload.s}\"\n", {{"2:14", {"`wait` has no templates"}}, {"3:9", {"`topic` has no templates"}}}},
      {"a repository with a template", "[handlers.a]\ntool = \"git\"\naction = \"log\"\nrepository = \"{payload.r}\"\n", {{"4:14", {"`repository` has no templates"}}}},
      {"a worktree of a template", "[handlers.a]\nrun = \"x\"\nworkspace = { kind = \"git-worktree\", repository = \"{payload.r}\" }\n", {{"3:51", {"`repository` has no templates"}}}},
      {"a folder with a template", "[handlers.a]\nrun = \"x\"\nworking_directory = \"{payload.r}\"\n", {{"3:21", {"`working_directory` has no templates"}}}},
      {"a ping with a template", "[handlers.a]\nrun = \"x\"\nping = { start = \"http://x/{payload.r}\" }\n", {{"3:18", {"`start` has no templates"}}}},
      {"a worktree nowhere", "[handlers.a]\ntool = \"git\"\naction = \"worktree\"\n", {{"1:1", {"needs `path`, where it is to be"}}}},
      {"a worktree elsewhere", "[handlers.a]\ntool = \"git\"\naction = \"worktree\"\npath = \"../x\"\n", {{"4:8", {"holds a '..'"}}}},
      {"a path of no worktree", "[handlers.a]\ntool = \"git\"\naction = \"log\"\npath = \"x\"\n", {{"4:1", {"action = \"worktree\""}}}},
      {"a fork of nothing", "[handlers.a]\ntool = \"git\"\naction = \"diff\"\nmerge_base = true\n", {{"4:1", {"needs `from`"}}}},
      {"forge without anything", "[handlers.a]\ntool = \"forge\"\naction = \"comment\"\n",
       {{"1:1", {"needs `repository`"}}, {"1:1", {"needs `token` or `token_file`"}}, {"1:1", {"needs `number`"}}, {"1:1", {"needs `body`"}}}},
      {"a forge of many hosts", "[handlers.a]\ntool = \"forge\"\naction = \"status\"\nprovider = \"gitea\"\nrepository = \"o/r\"\ntoken = \"x\"\ncommit = \"{payload.sha}\"\nstate = \"success\"\n", {{"1:1", {"needs `api`"}}}},
      {"a state that is none", "[handlers.a]\ntool = \"forge\"\naction = \"status\"\nrepository = \"o/r\"\ntoken = \"x\"\ncommit = \"{payload.sha}\"\nstate = \"good\"\n", {{"7:1", {"expected pending, success, failure or error, found \"good\""}}}},
      {"a repository that is none", "[handlers.a]\ntool = \"forge\"\naction = \"comment\"\nrepository = \"https://github.com/o/r\"\ntoken = \"x\"\nnumber = \"1\"\nbody = \"b\"\n", {{"4:1", {"such as \"owner/name\""}}}},
      {"a token for all to read", "[handlers.a]\ntool = \"forge\"\naction = \"comment\"\nrepository = \"o/r\"\napi = \"http://forge.example/api/v3\"\ntoken = \"x\"\nnumber = \"1\"\nbody = \"b\"\n", {{"6:1", {"would go over the network for everybody to read"}}}},
      {"another action's key", "[handlers.a]\ntool = \"forge\"\naction = \"comment\"\nrepository = \"o/r\"\ntoken = \"x\"\nnumber = \"1\"\nbody = \"b\"\ntitle = \"t\"\n", {{"8:1", {"it belongs to action = open_pull_request"}}}},
      {"slack to nowhere", "[handlers.a]\ntool = \"slack\"\ntext = \"x\"\n", {{"1:1", {"needs `webhook_url` (or `webhook_url_file`), or `token`"}}}},
      {"slack with nothing to say", "[handlers.a]\ntool = \"slack\"\nwebhook_url = \"https://hooks.slack.com/services/x\"\n", {{"1:1", {"needs `text` or `blocks`"}}}},
      {"slack without a channel", "[handlers.a]\ntool = \"slack\"\ntoken = \"x\"\ntext = \"x\"\n", {{"1:1", {"needs `channel` beside the token"}}}},
      {"a webhook that is none", "[handlers.a]\ntool = \"slack\"\nwebhook_url = \"hooks.slack.com/services/x\"\ntext = \"x\"\n", {{"3:15", {"expected the address of a webhook"}}}},
      {"blocks that are none", "[handlers.a]\ntool = \"slack\"\nwebhook_url = \"https://hooks.slack.com/services/x\"\nblocks = \"x\"\n", {{"4:10", {"expected an array of blocks"}}}},
      {"a key of git without it", "[handlers.a]\nrun = \"x\"\nbranch = \"y\"\n", {{"3:1", {"belongs to a step with tool = \"git\""}}}},
      {"a tool's key without it", "[handlers.a]\nrun = \"x\"\ncontent = \"y\"\n", {{"3:1", {"belongs to a step with `tool`"}}}},
      {"two things to do", "[handlers.a]\nrun = \"x\"\ntool = \"file\"\n", {{"3:1", {"stands beside `run`"}}}},
      {"a bad name", "[handlers.\"a b\"]\nrun = \"x\"\n", {{"1:11", {"handlers.\"a b\": expected a name"}}}},
      {"later keys",
       "[handlers.a]\nrun = \"x\"\nhooks = []\n",
       {{"3:1", {"`hooks` is not supported by this version of hark"}}}},
      {"nothing to set", "[handlers.a]\nset = {}\n", {{"2:7", {"at least one value"}}}},
      {"a value's name", "[handlers.a]\nset = { \"1x\" = \"y\", z = 1 }\n", {{"2:9", {"expected a name of letters"}}, {"2:25", {"set.z"}}}},
      {"values that are not set", "[handlers.a]\nsteps = [{ set = { x = \"1\" } }, { run = \"echo {vars.y}\" }]\n", {{"2:41", {"no step before this one sets 'y'"}}}},
      {"elements of nothing", "[handlers.a]\nrun = \"echo {item}\"\n", {{"2:7", {"only a step with `foreach` has it"}}}},
      {"a foreach of a text", "[handlers.a]\nrun = \"echo {item}\"\nforeach = \"all {files}\"\n", {{"3:11", {"expected the name of a list"}}}},
      {"a foreach of nothing", "[handlers.a]\nrun = \"x\"\nforeach = []\n", {{"3:11", {"at least one element"}}}},
      {"parameters of nobody", "[handlers.a]\nrun = \"echo {params.x}\"\nwith = { x = \"1\" }\n", {{"2:7", {"only the steps of a recipe have parameters"}}, {"3:1", {"`with`", "a step with `recipe`"}}}},
      {"a recipe that is not there", "[handlers.a]\nrecipe = \"recipes/none\"\n", {{"2:10", {"no such file: recipes/none"}}}},
      {"events of nothing", "[handlers.a]\nsteps = [{ publish = \" \" }, { wait = [] }, { wait = \"a[\" }]\n",
       {{"2:22", {"the type of an event"}}, {"2:38", {"at least one type"}}, {"2:53", {"a '[' is not closed"}}}},
      {"a source to publish to", "[handlers.a]\npublish = \"x\"\nsource = \"none\"\n", {{"3:10", {"there is no source \"none\""}}}},
      {"words of events beside none", "[handlers.a]\nrun = \"x\"\ntopic = \"t\"\ndata = {}\nwhere = \"a:b\"\n",
       {{"3:1", {"`publish` or `wait`"}}, {"4:1", {"`publish`"}}, {"5:1", {"`wait`", "`if`"}}}},
      {"a wait's filter", "[handlers.a]\nsteps = [{ wait = \"x\", where = \"payload.a:\\\"{payload.a}\\\"\" }, { wait = \"x\", where = \"event.tpye:x\" }]\n",
       {{"2:32", {"not a filter", "without quotes"}}, {"2:85", {"no attribute 'tpye'"}}}},
      {"a wait that acts", "[handlers.a]\nsteps = [{ wait = \"x\", retry = { attempts = 2 }, always = true }]\n", {{"2:24", {"its `timeout`"}}, {"2:50", {"does not wait"}}}},
      {"a wait at once", "[handlers.a]\nsteps = [{ parallel = [{ wait = \"x\" }] }]\n", {{"2:33", {"cannot have `wait`"}}}},
      {"groups at once", "[handlers.a]\nsteps = [{ parallel = [{ recipe = \"x\", always = true }] }]\n",
       {{"2:35", {"cannot have `recipe`"}}, {"2:35", {"no such file"}}, {"2:49", {"cannot have `always`"}}}},
      {"a retry of several", "[handlers.a]\nsteps = [{ parallel = [{ run = \"x\" }], retry = { attempts = 2 } }]\n", {{"2:40", {"`retry`", "the steps within"}}}},
      {"no gates", "[handlers.a]\nrun = \"x\"\ngates = []\n", {{"3:9", {"at least one step"}}}},
      {"a gate that always runs", "[handlers.a]\nrun = \"x\"\ngates = [{ run = \"y\", always = true }]\n", {{"3:23", {"`always`", "`steps` or `delivery`"}}}},
      {"a gate of a step's name", "[handlers.a]\nsteps = [{ name = \"t\", run = \"x\" }]\ngates = [{ name = \"t\", run = \"y\" }]\n", {{"3:19", {"a second step of this name"}}}},
      {"a step that looks ahead", "[handlers.a]\nrun = \"echo {steps.g.output}\"\ngates = [{ name = \"g\", run = \"y\" }]\n", {{"2:7", {"no step before this one is called 'g'"}}}},
      {"a budget's details", "[handlers.a]\nrun = \"x\"\nbudget = { tokens = 0, time = 5, money = 1 }\n",
       {{"3:21", {"tokens"}}, {"3:31", {"a duration"}}, {"3:34", {"money: unknown key"}}}},
      {"a strategy's details", "[handlers.a]\nrun = \"x\"\nstrategy = \"best\"\nmax_iterations = 101\n", {{"3:12", {"\"fixed\" or \"best-of\", found \"best\""}}, {"4:18", {"from 1 to 100"}}}},
      {"the best of nothing", "[handlers.a]\nrun = \"x\"\nmax_iterations = 2\nstrategy = \"best-of\"\n",
       {{"4:1", {"expected `workspace` beside it"}}, {"4:1", {"expected `gates` beside it"}}}},
      {"progress without a place", "[handlers.a]\nrun = \"x\"\nstop_on_no_progress = true\n", {{"3:1", {"expected `workspace` beside it"}}}},
      {"a workspace without kind", "[handlers.a]\nrun = \"x\"\nworkspace = {}\n", {{"3:13", {"needs `kind`: temporary, path or git-worktree"}}}},
      {"a workspace's path", "[handlers.a]\nrun = \"x\"\nworkspace = { kind = \"path\", keep = \"always\", ref = \"x\" }\n",
       {{"3:13", {"needs `path`"}}, {"3:30", {"`keep`", "one at a path stays"}}, {"3:47", {"`ref`", "git-worktree"}}}},
      {"a workspace that knows its steps", "[handlers.a]\nrun = \"x\"\nworkspace = { kind = \"git-worktree\", ref = \"{steps.step1.output}\" }\n",
       {{"3:44", {"no step before this one is called 'step1'"}}}},
      {"a folder out of the workspace", "[handlers.a]\nrun = \"x\"\nworking_directory = \"../x\"\nworkspace = { kind = \"temporary\" }\n", {{"3:21", {"stands in the workspace"}}}},
      {"words of a policy",
       "[handlers.a]\nrun = \"x\"\non_busy = \"lates\"\non_interrupt = \"resum\"\non_failure = \"a\"\n",
       {{"3:11", {"did you mean \"latest\"?"}}, {"4:16", {"did you mean \"resume\"?"}}, {"5:14", {"is the handler itself"}}}},
      {"on_failure of nobody", "[handlers.ab]\nrun = \"x\"\non_failure = \"ba\"\n", {{"3:14", {"there is no handler \"ba\""}}}},
      {"on_overdue of nobody", "[handlers.ab]\nrun = \"x\"\nexpect_every = \"1d\"\non_overdue = \"ba\"\n", {{"4:14", {"there is no handler \"ba\""}}}},
      {"pings that are none", "[handlers.a]\nrun = \"x\"\nping = { start = \"ftp://x\", end = \"http://x\" }\n", {{"3:18", {"http:// or https://"}}, {"3:29", {"end"}}}},
      {"a retry's details",
       "[handlers.a]\nrun = \"x\"\nretry = { attempts = 2, jitter = 2, exit_codes = [0], statuses = \"x\", timeouts = 1 }\n",
       {{"3:34", {"jitter", "a number from 0 to 1"}}, {"3:51", {"exit_codes", "an exit status from 1 to 255"}}, {"3:66", {"statuses"}}, {"3:82", {"timeouts"}}}},
      {"a breaker's details", "[handlers.a]\nrun = \"x\"\nbreaker = { failures = 0, cooldwn = \"1s\" }\n",
       {{"3:24", {"breaker.failures"}}, {"3:27", {"did you mean `cooldown`?"}}}},
      {"an environment's names", "[handlers.a]\nrun = \"x\"\npass_environment = [\"A=1\", 3]\ninherit_environment = \"yes\"\n",
       {{"3:21", {"the name of a variable", "AWS_*"}}, {"3:28", {"expected a string"}}, {"4:23", {"true or false"}}}},
      {"bounds of commands", "[handlers.a]\nrun = \"x\"\numask = \"999\"\nnice = 20\nmemory_max = \"2 GB\"\ncpu_max = \"1.5\"\npids_max = 0\n",
       {{"3:9", {"a mask in octal"}}, {"4:8", {"from -20 to 19"}}, {"5:14", {"a size such as", "2 GB"}}, {"6:11", {"a share of one CPU"}}, {"7:12", {"from 1"}}}},
      {"resource limits", "[handlers.a]\nrun = \"x\"\nlimits = { cpu = \"10ms\", memory = \"1K\", open_files = 1, core = -1, stack = \"8M\" }\n",
       {{"3:18", {"at least 1s"}}, {"3:35", {"at least 1M"}}, {"3:54", {"from 8"}}, {"3:64", {"a size such as"}}, {"3:68", {"stack"}}}},
      {"nobody of that name", "[handlers.a]\nrun = \"x\"\nuser = \"no-such-user\"\ngroup = \"no-such-group\"\n",
       {{"3:8", {"there is no user 'no-such-user'"}}, {"4:9", {"there is no group 'no-such-group'"}}}},
      {"a key of a handler", "[handlers.a]\nrun = \"x\"\nkey = \"{payload.x}\"\n", {{"3:1", {"`key`", "a source"}}}},
      {"run beside steps", "[handlers.a]\nrun = \"x\"\nsteps = [{ run = \"y\" }]\n", {{"2:1", {"stands beside `steps`"}}}},
      {"run beside http", "[handlers.a]\nrun = \"x\"\nhttp = { url = \"http://x\" }\n", {{"3:1", {"stands beside `run`"}}}},
      {"no steps", "[handlers.a]\nsteps = []\n", {{"2:9", {"at least one step"}}}},
      {"a step that is no table", "[handlers.a]\nsteps = [\"make\"]\n", {{"2:10", {"expected a table, found a string"}}}},
      {"a step without work", step("name = \"x\"\n"), {{"1:1", {"handlers.a.steps.x: needs something to do: `run`, `http`, `prompt`, `tool`, `set`, `publish`, `wait`, `recipe` or `parallel`"}}}},
      {"a step's name", step("name = \"1x\"\nrun = \"x\"\n"), {{"2:8", {"handlers.a.steps.1x.name: expected a name"}}}},
      {"a step's name twice",
       "[handlers.a]\nsteps = [{ name = \"x\", run = \"1\" }, { name = \"x\", run = \"2\" }]\n",
       {{"2:46", {"second step of this name"}}}},
      {"a default name taken",
       "[handlers.a]\nsteps = [{ name = \"step2\", run = \"1\" }, { run = \"2\" }]\n",
       {{"2:41", {"called `step2`"}}}},
      {"a misspelt key of a step",
       step("run = \"x\"\ntimout = \"1s\"\n"),
       {{"3:1", {"handlers.a.steps #1.timout: unknown key; did you mean `timeout`?"}}}},
      {"an empty command", "[handlers.a]\nrun = \"  \"\n", {{"2:7", {"expected a command"}}}},
      {"an empty list", "[handlers.a]\nrun = []\n", {{"2:7", {"expected a program and its arguments"}}}},
      {"an empty program", "[handlers.a]\nrun = [\"\", \"x\"]\n", {{"2:8", {"expected a program"}}}},
      {"an argument of another type",
       "[handlers.a]\nrun = [\"x\", 1]\n",
       {{"2:13", {"handlers.a.run: expected a string, found an integer"}}}},
      {"an unknown template", "[handlers.a]\nrun = \"echo {paylod.x}\"\n", {{"2:7", {"handlers.a.run:", "paylod", "payload"}}}},
      {"an unknown template in a list", "[handlers.a]\nrun = [\"echo\", \"{paylod.x}\"]\n", {{"2:16", {"paylod"}}}},
      {"a step that comes later",
       "[handlers.a]\nsteps = [{ name = \"x\", run = \"echo {steps.y.output}\" }, { name = \"y\", run = \"2\" }]\n",
       {{"2:30", {"y"}}}},
      {"a condition on no step",
       "[handlers.a]\nsteps = [{ name = \"x\", run = \"1\" }, { name = \"y\", run = \"2\", if = \"steps.z.exit_code:0\" }]\n",
       {{"2:67", {"handlers.a.steps.y.if:", "z"}}}},
      {"a condition on what no run has",
       "[handlers.a]\nrun = \"x\"\nif = \"event.tpye:x\"\n",
       {{"3:6", {"handlers.a.if:", "tpye"}}}},
      {"a condition that is none", "[handlers.a]\nrun = \"x\"\nif = \"((\"\n", {{"3:6", {"if: not a filter"}}}},
      {"a value as code", "[handlers.a]\nrun = \"echo $(( {payload.x} ))\"\n", {{"2:7", {"handlers.a.run:"}}}},
      {"a value as code in a list",
       "[handlers.a]\nrun = [\"sh\", \"-c\",\n  \"echo {payload.x}\"]\n",
       {{"3:3", {"handlers.a.run: {payload.x} cannot stand here: sh would parse", "\"sh\", \"{payload.x}\"]"}}}},
      {"a value as the program", "[handlers.a]\nrun = [\"{payload.x}\", \"a\"]\n", {{"2:8", {"would choose the program"}}}},
      {"a value in a variable that chooses code",
       "[handlers.a]\nrun = \"x\"\nenvironment = { PATH = \"{payload.x}\" }\n",
       {{"3:24", {"handlers.a.environment.PATH: {payload.x} cannot stand here"}}}},
      {"no attempts",
       "[handlers.a]\nrun = \"x\"\nretry = { attempts = 0 }\n",
       {{"3:22", {"handlers.a.retry.attempts: expected an integer from 1"}}}},
      {"retry as a number", "[handlers.a]\nrun = \"x\"\nretry = 3\n", {{"3:9", {"expected a table, found an integer"}}}},
      {"a key of retry", "[handlers.a]\nrun = \"x\"\nretry = { atempts = 3 }\n", {{"3:11", {"did you mean `attempts`?"}}}},
      {"backoffs",
       "[handlers.a]\nrun = \"x\"\nretry = { backoff = \"2s\", max_backoff = \"1s\" }\n",
       {{"3:41", {"shorter than the first pause of 2s"}}}},
      {"no time", "[handlers.a]\nrun = \"x\"\ntimeout = \"0s\"\n", {{"3:11", {"at least 1ms"}}}},
      {"no slots", "[handlers.a]\nrun = \"x\"\nmax_concurrent = 0\n", {{"3:18", {"found 0"}}}},
      {"environment",
       "[handlers.a]\nrun = \"x\"\nenvironment = { \"A B\" = \"x\", HARK_RUN_ID = \"x\", N = 1, T = \"{steps.x.output}\" }\n",
       {{"3:17", {"name of a variable"}},
        {"3:30", {"HARK_"}},
        {"3:53", {"expected a string, found an integer"}},
        {"3:60", {"handlers.a.environment.T", "x"}}}},
      {"environment as a list",
       "[handlers.a]\nrun = \"x\"\nenvironment = [\"A=b\"]\n",
       {{"3:15", {"expected a table, found an array"}}}},
  });
}

TEST_CASE("config errors: http steps") {
  const auto http = [](const std::string& fields) { return "[handlers.a]\nhttp = { " + fields + " }\n"; };
  check_all({
      {"no url", http("method = \"GET\""), {{"2:8", {"handlers.a.http: needs `url`"}}}},
      {"no URL", http("url = \"chat.example\""), {{"2:16", {"begins with http:// or https://"}}}},
      {"a blank in it", http("url = \"http://x/${SPACED}\""), {{"2:16", {"found the value of ${SPACED}"}}}},
      {"another method", http("url = \"http://x\", method = \"post\""), {{"2:37", {"did you mean \"POST\"?"}}}},
      {"json and body", http("url = \"http://x\", json = {}, body = \"x\""), {{"2:39", {"stands beside `json`"}}}},
      {"json and form", http("url = \"http://x\", json = {}, form = { a = \"x\" }"), {{"2:39", {"stands beside `json`"}}}},
      {"an empty form", http("url = \"http://x\", form = {}"), {{"2:35", {"at least one field"}}}},
      {"a key of the step", http("url = \"http://x\", timeout = \"1s\""), {{"2:28", {"it belongs to the step, beside `http`"}}}},
      {"a part that is neither", http("url = \"http://x\", form = { a = { type = \"text/csv\" } }"), {{"2:41", {"expected a text, or a table with `file`"}}}},
      {"a part out of the folder", http("url = \"http://x\", form = { a = { file = \"../x\" } }"), {{"2:50", {"holds a '..'"}}}},
      {"a part of no type", http("url = \"http://x\", form = { a = { file = \"x\", type = \"csv\" } }"), {{"2:62", {"a media type", "\"csv\""}}}},
      {"a type beside parts", http("url = \"http://x\", headers = { content-type = \"a/b\" }, form = { a = { file = \"x\" } }"), {{"2:71", {"`content-type`"}}}},
      {"a file out of the folder", http("url = \"http://x\", file = \"/etc/passwd\""), {{"2:35", {"is absolute"}}}},
      {"an answer out of the folder", http("url = \"http://x\", save = \"../x\""), {{"2:35", {"holds a '..'"}}}},
      {"redirects without end", http("url = \"http://x\", follow = 1000"), {{"2:37", {"follow", "20"}}}},
      {"a header's name",
       http("url = \"http://x\", headers = { \"A B\" = \"x\" }"),
       {{"2:40", {"expected the name of a header"}}}},
      {"a header on two lines", http("url = \"http://x\", headers = { A = \"x\\r\\nB: y\" }"), {{"2:44", {"control character"}}}},
      {"a date in JSON", http("url = \"http://x\", json = { a = [2026-01-01] }"), {{"2:42", {"JSON has no dates"}}}},
      {"no number in JSON", http("url = \"http://x\", json = { a = nan }"), {{"2:41", {"no nan"}}}},
      {"a template in JSON", http("url = \"http://x\", json = { a = [\"{evnt.id}\"] }"), {{"2:42", {"http.json", "evnt"}}}},
      {"statuses",
       http("url = \"http://x\", expect = [200, 99, \"2xx\"]"),
       {{"2:43", {"found 99"}}, {"2:47", {"found \"2xx\""}}}},
      {"a key", http("url = \"http://x\", header = {}"), {{"2:28", {"did you mean `headers`?"}}}},
      {"http as a string", "[handlers.a]\nhttp = \"http://x\"\n", {{"2:8", {"expected a table, found a string"}}}},
  });
}

TEST_CASE("config errors: a value from the environment is named, not shown") {
  ConfigFolder folder;
  folder.environment = {{"KEY", "s3cret"}};
  const auto outcome = folder.load("[handlers.a]\nrun = \"x\"\ntimeout = \"${KEY}\"\nhttp = { url = \"${KEY}\" }\n");
  CHECK_FALSE(outcome.errors.empty());
  CHECK(joined(texts(outcome)).find("s3cret") == std::string::npos);
}

TEST_CASE("config errors: without the cause, nothing follows from it") {
  ConfigFolder folder;
  check_errors(folder.load("[handlers.a]\nrun = \"x\"\ntimeout = \"${MISSING}\"\nworking_directory = \"${ABSENT}\"\n"),
               {{"3:11", {"handlers.a.timeout:", "MISSING is not set", "${MISSING:-default}"}},
                {"4:21", {"handlers.a.working_directory:"}}});
  check_errors(folder.load("[handlers.a]\nrun = \"x\"\ntimeout = \"${MISSING:?how long}\"\nworking_directory = \"${MISSING}\"\n[handlers.b]\nrun = \"${MISSING}\"\numask = \"${MISSING}\"\n"),
               {{"3:11", {"handlers.a.timeout:", "${MISSING}: how long"}}});
  check_errors(folder.load("[handlers.a]\ntool = \"forge\"\naction = \"comment\"\nrepository = \"${MISSING}\"\ntoken = \"x\"\nnumber = \"1\"\nbody = \"b\"\n"), {{"4:14", {"MISSING is not set"}}});
  check_errors(folder.load(webhook("secret = \"${MISSING}\"\n")), {{"6:10", {"sources.webhook-hooks-x.secret:", "MISSING"}}});
}

TEST_CASE("config errors: of a great many the first are shown, and how many more there are") {
  ConfigFolder folder;
  std::string text;
  constexpr std::size_t kMany = 100'000;
  for (std::size_t i = 0; i < kMany; ++i) text += "queue_limi" + std::to_string(i) + " = 1\n";
  const auto outcome = folder.load(text);
  CHECK_FALSE(outcome.loaded.has_value());
  REQUIRE(outcome.errors.size() == limits::kConfigErrorsShown);
  CHECK(outcome.more_errors == kMany - limits::kConfigErrorsShown);
  CHECK(outcome.errors.front().text() == "hark.toml:1:1: queue_limi0: unknown key; did you mean `queue_limit`?");
  CHECK(outcome.errors.back().line == int(limits::kConfigErrorsShown));
}

namespace {

// A provider that is right but for its key, with more keys from line 5.
std::string provider(const std::string& lines, const std::string& type = "openai") {
  return kHandlerA + "[providers.local]\ntype = \"" + type + "\"\nmodel = \"m\"\n" + lines;
}
std::string local(const std::string& lines) { return provider("base_url = \"http://127.0.0.1:11434/v1\"\n" + lines); }
// Of a step, from line 7.
std::string prompt(const std::string& lines) { return local("[handlers.b]\n" + lines); }

}  // namespace

TEST_CASE("config errors: providers") {
  check_all({
      {"no type", kHandlerA + "[providers.local]\nmodel = \"m\"\n", {{"2:1", {"needs `type`"}}}},
      {"an unknown type", provider("", "opnai"), {{"3:8", {"did you mean", "openai"}}}},
      {"no model", kHandlerA + "[providers.local]\ntype = \"anthropic\"\napi_key = \"k\"\n", {{"2:1", {"needs `model`"}}}},
      {"a url that is none", provider("base_url = \"localhost:11434\"\n"), {{"5:12", {"neither http:// nor https://"}}}},
      {"a url with a password", provider("base_url = \"http://u:p@h/v1\"\n"), {{"5:12", {"user name or password"}}}},
      {"a url with a query", provider("base_url = \"http://h/v1?key=x\"\n"), {{"5:12", {"without `?`"}}}},
      {"two keys", local("api_key = \"x\"\napi_key_file = \"good-secret\"\n"), {{"7:16", {"a second key"}}}},
      {"an empty key", local("api_key = \"\"\n"), {{"6:11", {"found it empty"}}}},
      {"a key with a blank", local("api_key = \"${SPACED}\"\n"), {{"6:11", {"without blanks"}}}},
      {"no variable for the key", local("api_key = \"${LLM_KEY}\"\n"), {{"6:11", {"LLM_KEY is not set"}}}},
      {"no file for the key", local("api_key_file = \"none\"\n"), {{"6:16", {"no such file"}}}},
      {"no credentials", local("credential = \"llm\"\n"), {{"6:14", {"CREDENTIALS_DIRECTORY is not set"}}}},
      {"half a price", local("price = { input = 1 }\n"), {{"2:1", {"needs `input` and `output`"}}}},
      {"a price below nothing", local("price = { input = -1, output = 1 }\n"), {{"6:19", {"0"}}}},
      {"a price of a cache below nothing", local("price = { input = 1, output = 1, cached_input = -1 }\n"), {{"6:49", {"0"}}}},
      {"a key beside its header", local("api_key = \"secret-key\"\nheaders = { authorization = \"Bearer x\" }\n"), {{"7:29", {"the key's own header", "api_key"}}}},
      {"a key beside another's header", local("api_key_file = \"good-secret\"\nheaders = { X-Api-Key = \"x\" }\n"), {{"7:25", {"the key's own header"}}}},
      {"too hot", local("temperature = 3\n"), {{"6:15", {"from 0 to 2"}}}},
      {"no tokens", local("max_tokens = 0\n"), {{"6:14", {"from 1"}}}},
      {"a header of two lines", local("headers = { X = \"a\\nb\" }\n"), {{"6:17", {"control character"}}}},
      {"a command of another type", local("command = \"x\"\n"), {{"6:1", {"providers of type command"}}}},
      {"no command", kHandlerA + "[providers.local]\ntype = \"command\"\n", {{"2:1", {"needs `command`"}}}},
      {"a key for a command", kHandlerA + "[providers.local]\ntype = \"command\"\ncommand = [\"x\"]\napi_key = \"k\"\n", {{"5:1", {"openai and anthropic"}}}},
      {"an unknown key", local("modle = \"m\"\n"), {{"6:1", {"did you mean `model`?"}}}},
      {"a strange name", kHandlerA + "[providers.\"a b\"]\ntype = \"command\"\ncommand = \"x\"\n", {{"2:12", {"expected a name"}}}},
  });
}

TEST_CASE("config errors: prompt steps") {
  check_all({
      {"nobody to ask", "[handlers.a]\nprompt = \"x\"\n", {{"1:1", {"there is no provider to ask"}}}},
      {"an unknown provider", prompt("prompt = \"x\"\nprovider = \"locl\"\n"), {{"8:12", {"there is no provider \"locl\"", "did you mean `local`?"}}}},
      {"one of several", prompt("prompt = \"x\"\n[providers.other]\ntype = \"command\"\ncommand = \"y\"\n"), {{"6:1", {"needs `provider`, as there are several"}}}},
      {"an empty prompt", prompt("prompt = \" \"\n"), {{"7:10", {"expected a question or a task"}}}},
      {"an unknown name", prompt("prompt = \"{paylod.x}\"\n"), {{"7:10", {"unknown name {paylod.x}"}}}},
      {"beside run", prompt("prompt = \"x\"\nrun = \"true\"\n"), {{"7:1", {"stands beside `run`"}}}},
      {"without a prompt", prompt("run = \"true\"\nmodel = \"m\"\n"), {{"8:1", {"a step with `prompt`"}}}},
      {"beside steps", prompt("provider = \"local\"\nsteps = [{ run = \"true\" }]\n"), {{"7:1", {"a step with `prompt`"}}}},
      {"a schema that is none", prompt("prompt = \"x\"\njson_schema = 7\n"), {{"8:15", {"expected a JSON Schema as a table, or the name of a file"}}}},
      {"a schema with a keyword nobody knows", prompt("prompt = \"x\"\njson_schema = { requried = [\"a\"] }\n"), {{"8:15", {"/requried", "did you mean `required`?"}}}},
      {"no file of a schema", prompt("prompt = \"x\"\njson_schema = \"none.json\"\n"), {{"8:15", {"no such file"}}}},
      {"a file that is no JSON", prompt("prompt = \"x\"\njson_schema = \"good-secret\"\n"), {{"8:15", {"good-secret"}}}},
      {"a model for a command", kHandlerA + "[providers.p]\ntype = \"command\"\ncommand = \"x\"\n[handlers.b]\nprompt = \"x\"\nmodel = \"m\"\n", {{"7:1", {"provider is not a command"}}}},
  });
}
