// Every fixed bound of hark, with its reason. What a user may choose is configuration; what protects the process stands here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace hark::limits {

using namespace std::chrono_literals;

// JSON deeper than this is refused: nlohmann parses by recursion, and nobody's payload nests this far.
inline constexpr int kJsonDepth = 128;
// A topic, a subject: as long as a path that a person can still read.
inline constexpr std::size_t kEventWord = 1024;
// A topic of the bus, which scopes and lists name as well.
inline constexpr std::size_t kTopicLength = 128;
// Topics with a retention of their own: each is looked at by itself whenever old events are deleted.
inline constexpr std::size_t kTopics = 100;
// Bearer tokens of the API. One is a few hundred bytes; what is longer is not looked at.
inline constexpr std::size_t kToken = 8192;
inline constexpr std::size_t kTokenSubject = 256;
inline constexpr std::size_t kTokenScopes = 100;
inline constexpr std::size_t kTokenKeys = 100;  // of a configuration: every one without a name is tried
// RFC 7518, 3.2 and 3.3: shorter keys can be found.
inline constexpr std::size_t kTokenSecretLeast = 32;
inline constexpr int kTokenRsaBits = 2048;
// How far the clocks of who signs and of this machine may be apart, when the configuration does not say.
inline constexpr auto kTokenLeeway = 30s;
// A token that is good for longer is never taken back: what `hark token create` makes at the most.
inline constexpr auto kTokenLongest = 24h * 366;
// Clients of the API whose rate and connections are counted at a time; of more, the one that was quiet the longest is forgotten.
inline constexpr std::size_t kApiClients = 10'000;
// Streams and sockets of one client, when the configuration does not say: a thousand programs under one name.
inline constexpr int kApiStreams = 1000;

// The bus reads the journal for who is behind in pieces: so many rows are looked at, so many events read and so many times handed out at a
// time, a millisecond or two of the loop.
inline constexpr std::size_t kBusRows = 2000;
inline constexpr std::size_t kBusPiece = 100;
inline constexpr std::size_t kBusHanded = 1000;
// Long polls: how long one may last, and what one answer brings at most.
inline constexpr auto kPollDefault = 30s;
inline constexpr auto kPollLongest = 10min;
inline constexpr std::size_t kPollEvents = 100;
inline constexpr std::size_t kPollEventsMost = 1000;
inline constexpr std::size_t kPollBytes = 4 * 1024 * 1024;
// Polls, streams and sockets that are open at a time; each costs a few hundred bytes beside its connection.
inline constexpr std::size_t kBusReaders = 8192;
// Names under which programs read along, and how long one that does not ask is remembered.
inline constexpr std::size_t kSubscribers = 1000;
inline constexpr auto kSubscriberForgotten = 24h * 30;
// That one still asks is written down this often.
inline constexpr auto kSubscriberNoted = 1h;
// Types or topics in one question.
inline constexpr std::size_t kPatternWords = 64;
// What a stream's reader has not taken yet; from there on it is read to from the journal when it has.
inline constexpr std::size_t kStreamBuffer = 256 * 1024;
// A stream that has nothing to say says so this often, which keeps proxies from closing it.
inline constexpr auto kStreamBeat = 15s;
// Subscriptions of one socket, and events that it publishes without waiting for answers.
inline constexpr std::size_t kSocketSubscriptions = 32;
inline constexpr std::size_t kSocketPublishes = 256;
// A published event.
inline constexpr std::int64_t kPriorityMost = 1000;
inline constexpr std::int64_t kTtlMost = 60 * 60 * 24 * 366;  // seconds
// Sessions that a signal has paused.
inline constexpr std::size_t kPausedSessions = 1000;
// Between SIGTERM and SIGKILL at an emergency stop, which is to be over within a second.
inline constexpr auto kEmergencyGrace = 250ms;
// A whole story, as it is shown.
inline constexpr std::size_t kSessionEvents = 1000;
// The data of an event that a run publishes.
inline constexpr std::size_t kPublished = 1024 * 1024;
// Events that hark makes of others (a batch, a failure) hold them whole, a few levels deeper each time: what the journal gives back may be.
inline constexpr int kJsonDepthKept = 256;

// Documents up to this size are checked by simdjson, whose buffers, larger than the document, stay with each thread.
inline constexpr std::size_t kQuickJson = 64 * 1024;

// Of each of a step's streams this much is kept with the run (history, templates, API); beyond it the stream goes to a file.
inline constexpr std::size_t kOutputInMemory = 64 * 1024;
// ... and the file ends here: a command that writes for ever must not fill the disk. What came after is counted, not kept.
inline constexpr std::uint64_t kOutputOnDisk = 64ull * 1024 * 1024;

// One environment string may not be longer (Linux: MAX_ARG_STRLEN, 32 pages), name and '=' included.
inline constexpr std::size_t kEnvironmentString = 128 * 1024 - 64;

// A process that was asked to end (SIGTERM) has this long before SIGKILL.
inline constexpr auto kTerminationGrace = 5s;

// ... and after SIGKILL this long, in which new members are still looked for (a fork bomb) and a process that sits in the kernel (a
// dead NFS server) is waited for. What is left then is named in the run's note.
inline constexpr auto kKillPatience = 10s;

// A command that the machine has no process, memory or descriptor for is tried again after the first of these, then twice that, ...
inline constexpr auto kStarvedRetryFirst = 100ms;
inline constexpr auto kStarvedRetryMax = 5s;

// Before SIGTERM all members of a tree are looked up, over and over while new ones are born, but no longer than this.
inline constexpr auto kFreezePatience = 2s;

// Of a user's or group's record so many bytes, and of a user so many groups (Linux: NGROUPS_MAX), are taken: a directory may hold more.
inline constexpr std::size_t kAccountRecord = 1024 * 1024;
inline constexpr int kAccountGroups = 65'536;

// A cgroup that is being emptied is looked at again after this, where the kernel does not tell of it or new processes were born in it.
inline constexpr auto kCgroupLook = 100ms;

// What the configuration may ask for. Less memory or fewer descriptors than these no program starts with; more than those Linux does not give
// (pid_max of 64 bits; fs.nr_open by default); of CPUs it knows 8192.
inline constexpr std::uint64_t kLeastMemory = 1024 * 1024;
inline constexpr std::int64_t kLeastOpenFiles = 8;
inline constexpr std::int64_t kMostOpenFiles = 1024 * 1024;
inline constexpr std::int64_t kMostProcesses = 4 * 1024 * 1024;
inline constexpr int kMostCpu = 8192 * 100;  // percent

// How far up a process's line is followed: /proc is read while it changes, and may show a circle.
inline constexpr int kTreeDepth = 1000;

// The environment of a foreign process is read this far to find the mark of its run: Linux allows 3/4 of 8 MiB by default.
inline constexpr std::size_t kProcessEnvironment = 6 * 1024 * 1024;

// A step's error is one line for people; what a library says in it may be of any length.
inline constexpr std::size_t kStepError = 1000;

// A step that runs in spite of everything (`always`) and names no timeout of its own, once the run has ended: cleaning up, telling somebody.
inline constexpr auto kAlwaysTime = 1min;

// Iterations of one run; and of what each gate that did not pass has printed so much of its end is told to the next one: what a compiler or a
// test runner says last is what counts, and a prompt has to hold it.
inline constexpr int kIterations = 100;
// Elements of a `foreach`: each is a step in the journal. Recipes within recipes: a chain of files that no one could follow any more.
inline constexpr std::size_t kForeach = 1000;
inline constexpr std::size_t kRecipeDepth = 8;
// Steps of a `parallel`: each is a thread.
inline constexpr std::size_t kParallel = 64;
// A budget of tokens: more than any provider sells in a month is a typing error.
inline constexpr std::int64_t kTokens = 1'000'000'000'000;
inline constexpr std::size_t kFeedbackOfGate = 16 * 1024;

// {steps.NAME.json} reads the whole of an output that went to a file, but no larger one: it is parsed into memory.
inline constexpr std::size_t kStepJson = 16 * 1024 * 1024;

// An http step's response is held in memory whole; beyond this it is an error. Larger things are fetched by a command.
inline constexpr std::size_t kHttpStepResponse = 16 * 1024 * 1024;

// Redirects that an http step goes after, as browsers do.
inline constexpr std::int64_t kRedirects = 20;

// One event of a provider's stream, and its answer where it is one document: some words, usually; the whole of what follows at most.
inline constexpr std::size_t kStreamEvent = 8 * 1024 * 1024;
// An answer's text: far more than models write (128,000 tokens are half of it), and what it takes on the wire, where each word is an event of
// some 300 bytes.
inline constexpr std::size_t kAnswer = 1024 * 1024;
inline constexpr std::size_t kAnswerOnWire = 128 * 1024 * 1024;
// What is read of a refusal, to find what it says.
inline constexpr std::size_t kRefusalBody = 64 * 1024;
// A prompt with its values put in: a million tokens, what the largest models take, are about 4 MiB.
inline constexpr std::size_t kPrompt = 16 * 1024 * 1024;
// How long an attempt waits for an answer where nothing else is said: what providers themselves allow.
inline constexpr auto kAnswerTimeout = 10min;
// Where the provider wants to be told how long an answer may become, and nobody said so.
inline constexpr int kAnswerTokens = 4096;
inline constexpr std::int64_t kAnswerTokensMax = 10'000'000;
// `config check --online` asks for so many: some providers take no fewer. And it waits so long.
inline constexpr int kCheckTokens = 16;
inline constexpr auto kCheckTimeout = 30s;
// A prompt is asked again after failures that pass, so often in all, with pauses from this on.
inline constexpr int kPromptAttempts = 4;
inline constexpr auto kPromptBackoff = 2s;
// A JSON Schema is written by hand: beyond this it is something else.
inline constexpr std::size_t kSchema = 256 * 1024;

// A git step tells of no more commits: some megabytes of text, which the step's output may be.
inline constexpr int kGitLog = 10'000;

// A file step reads a file whole into memory, and lists no more files than this.
inline constexpr std::size_t kFileStep = 16 * 1024 * 1024;
inline constexpr std::size_t kFilesFound = 100'000;

// Handlers, steps and sources a configuration may hold: far beyond use, small enough that no loop over them is felt. Sources may be
// many: a schedule for each of a host's customers, a line each of somebody's crontabs.
inline constexpr std::size_t kSources = 10'000;
inline constexpr std::size_t kHandlers = 1000;
inline constexpr std::size_t kStepsPerHandler = 200;
inline constexpr int kExtendsDepth = 16;
// Of a file that is no TOML so many lines from its end are left out, one after the other, to find what can be read before them.
inline constexpr int kConfigFaultLines = 50;

// HTTP: a request's head, and how long each phase may take. A sender that is slower is cut off.
inline constexpr std::size_t kHttpHead = 16 * 1024;
inline constexpr std::size_t kHttpConnections = 4096;
inline constexpr std::uint64_t kHttpBodyDefault = 1024 * 1024;
inline constexpr auto kHttpHeadDeadline = 10s;
inline constexpr auto kHttpBodyDeadline = 30s;
inline constexpr auto kHttpWriteDeadline = 30s;
inline constexpr auto kHttpIdleDeadline = 75s;
// A sender that was refused in mid-body reads the answer only if what it still sends is taken off the wire; for so long.
inline constexpr auto kHttpDrainDeadline = 2s;
// A WebSocket whose peer says nothing is asked whether it is there, often enough that no proxy between (60 s, usually) takes it for dead; and
// it has so long to answer, which a phone that wakes up needs.
inline constexpr auto kWebSocketPing = 30s;
inline constexpr auto kWebSocketPong = 20s;
// From the decision to close a WebSocket to its end: what is pending, and the peer's own goodbye.
inline constexpr auto kWebSocketClose = 5s;
// A peer's message is held in memory whole; commands and subscriptions are a thousandth of it.
inline constexpr std::size_t kWebSocketMessage = 1024 * 1024;
// The reason in a close frame: what a control frame holds (125 bytes) but the code (RFC 6455, 5.5).
inline constexpr std::size_t kWebSocketReason = 123;
// Bytes of further requests that are read while one waits for its answer; beyond, the kernel's buffer holds the sender back.
inline constexpr std::size_t kHttpPipelined = 64 * 1024;
// Bodies and messages of WebSockets on their way in, over all connections: 4096 senders of a MiB each must not fill the memory. Beyond it: 503, or 1013.
inline constexpr std::uint64_t kHttpBuffered = 256ull * 1024 * 1024;
// Connections over the bound that are told so (503) at once; more than these are closed without a word.
inline constexpr std::size_t kHttpTurnedAway = 64;
// Without a free descriptor nothing can be accepted; asking again sooner would only turn the loop.
inline constexpr auto kHttpAcceptPause = 100ms;
// Connections the kernel completes ahead of accept(); a burst beyond waits for a retransmitted SYN (1 s).
inline constexpr int kHttpBacklog = 1024;
// A server's answer: its head, and one line of it (cpp-httplib matches the status line by recursion, a frame a character).
inline constexpr std::size_t kHttpAnswerHead = 64 * 1024;
inline constexpr std::size_t kHttpAnswerLine = 8 * 1024;
inline constexpr std::size_t kHttpAnswerStatusLine = 512;
// A caller's own delivery id; of a longer one its fingerprint counts.
inline constexpr std::size_t kDeliveryId = 255;
// Signatures in one header: a sender that changes its secret has two. An Ed25519 one takes 0.1 ms to check, once a key.
inline constexpr std::size_t kSignatures = 8;
// Runs whose end is remembered for who follows them.
inline constexpr std::size_t kEndedRuns = 10'000;
// In one batch, and the body that brings it.
inline constexpr std::size_t kCloudEvents = 1000;
inline constexpr std::uint64_t kCloudEventsBody = 4 * 1024 * 1024;
// Of a rate such as "100/s": far beyond what one listener takes, and a second's share of it is still a microsecond.
inline constexpr std::int64_t kRateCount = 1'000'000;
// What sources refused before it was an event, of all sources: some 500 bytes each, of which a stranger may cause any number.
inline constexpr std::size_t kRefusals = 1000;
inline constexpr std::size_t kRefusalReason = 400;
// The log tells of a source's refusals of one cause once in so long, and how many there were: a flood must not fill the disk.
inline constexpr auto kRefusalLine = 1min;
// When a sender refused for now (queue full, disk full, drain) may come again.
inline constexpr auto kWebhookRetryAfter = 5s;

// When hark stops, answers on their way have this long to reach their readers.
inline constexpr auto kLastAnswers = 2s;

// A source that failed is started again after 1 s, then twice that, and so on up to this.
inline constexpr auto kSourceRetryFirst = 1s;
inline constexpr auto kSourceRetryMax = 60s;

// An event that was refused (queue full, disk full) is offered again after 1 s, then twice that, and so on up to this.
inline constexpr auto kOfferRetryFirst = 1s;
inline constexpr auto kOfferRetryMax = 30s;

// Events the journal takes in one transaction: bounds how long the loop is away from its sockets (about 2 ms).
inline constexpr std::size_t kEventsPerTurn = 256;

// Waiting runs whose run and event are kept in memory together take no more than this; the others are read when their turn comes. One
// is counted with this much beside its data.
inline constexpr std::size_t kQueueBytes = 16 * 1024 * 1024;
inline constexpr std::size_t kRunBytes = 1024;
// Every so many starts the one that has waited longest goes, whatever its priority.
inline constexpr std::uint64_t kFairTurn = 8;

// Events one debounce gathers; at that many it fires without waiting for quiet, so that a flood cannot fill the memory.
inline constexpr std::size_t kDebounceEvents = 10'000;
// ... and all of them together: a key that an event chooses may be another one each time.
inline constexpr std::size_t kDebounceHeld = 50'000;
// Starts that one throttle looks back on, and keys beyond which those that bound nothing any more are looked for.
inline constexpr std::int64_t kThrottleCount = 10'000;
inline constexpr std::size_t kThrottleKeys = 1000;
// What a run changed last is told by its source within this after its end; processes that did nothing for so long changed nothing.
inline constexpr auto kOwnChangeGrace = 250ms;
// How far the times of files may lie behind the clock (a tick of the kernel: CONFIG_HZ=100).
inline constexpr auto kFileTimeGrain = 10ms;
// A run's commits are told within this after its end, when a repository is large or the machine busy.
inline constexpr auto kOwnCommitGrace = 10s;
// Of what a run's git commands tell of themselves so much is read: some thousand commands, in a few milliseconds.
inline constexpr std::size_t kGitTrace = 4 * 1024 * 1024;
// Files of which one handler remembers who changes them: about 100 bytes each.
inline constexpr std::size_t kOwnChangeFiles = 50'000;
// Of the files that one event tells of so much is read, to know whether they hold anything new.
inline constexpr std::uint64_t kOwnChangeBytes = 4 * 1024 * 1024;
// Runs that caused one another, from an event that came from outside on. A story of this length is a circle.
inline constexpr int kHops = 16;
// Where it is not sure that they did (a file changed while a run was busy), the next one waits for the first of these, the one after it
// twice that, ...
inline constexpr auto kCirclePauseFirst = 1s;
inline constexpr auto kCirclePause = 60s;
// Attempts of one run that were cut off (a crash, a stop) before it counts as what makes them end.
inline constexpr int kInterruptions = 20;

// A server that asks for a longer pause (Retry-After) is asked again after this.
inline constexpr auto kRetryAfter = 24h;

// After a write to the journal failed (disk full), offers are refused this long before the next one is tried.
inline constexpr auto kJournalRetry = 1s;

// One value in a line of the log; whole values stand in the journal.
inline constexpr std::size_t kLogText = 4096;
// Lines of one kind a second: more than a terminal or a disk takes.
inline constexpr int kLogRepeats = 1'000'000;

// Lifecycle events that wait for one subscriber on a thread of its own; beyond, the newest are dropped and counted.
inline constexpr std::size_t kSubscriberBacklog = 8192;

// Values of one of the metrics' labels that what came from outside brings, a type of events: beyond, all are "(other)". Each is a series that
// is kept and read for good.
inline constexpr std::size_t kMetricValues = 200;

// Spans that wait to be sent to a collector; beyond, the newest are dropped and counted. Sent so many at a time, or after so long.
inline constexpr std::size_t kSpanBacklog = 8192;
inline constexpr std::size_t kSpanBatch = 512;
inline constexpr auto kSpanDelay = 1s;
// A collector that does not take them is asked again after a pause, this often; and at the end hark waits for it so long.
inline constexpr int kSpanAttempts = 4;
inline constexpr auto kSpanPause = 1s;
inline constexpr auto kSpanLongestPause = 30s;
inline constexpr auto kSpansAtEnd = 2s;
// An event's own time is where its span begins, unless it is older than this: then it tells of something else.
inline constexpr auto kSpanOfEvent = 5min;

// Of what was asked of the daemon so much is kept, whatever its age; and shown at a time.
inline constexpr std::size_t kAuditRows = 1'000'000;
inline constexpr std::size_t kAuditPage = 1000;

// inotify: one read takes this much (about 2,000 events), and a turn of the loop makes at most so many reads before it looks at
// its other work. A full queue of the kernel (16,384 events as a rule) is emptied in one or two turns.
inline constexpr std::size_t kInotifyRead = 64 * 1024;
inline constexpr int kInotifyReadsPerTurn = 16;
// An event of fanotify with two handles and two names takes no more.
inline constexpr std::size_t kFanotifyEvent = 1024;

// Files of a tree seen for the first time that are looked at in one turn of the loop: about a millisecond. A tree of no more is known whole at once.
inline constexpr std::size_t kLooksPerTurn = 1000;

// A file that is written to but stays open (a log) is told after this long, and again as it goes on: twice a second is live to a
// person, and a copy of a small file is done by then.
inline constexpr auto kOpenFileWait = 500ms;
// A file found in a folder that was just made may still be open or closed already: nobody can tell. A close that comes within this
// time is taken as part of its creation.
inline constexpr auto kFoundFileWait = 50ms;
// The kernel queues the two halves of a move one right after the other; a reader may wake up between. Later than this the file has
// left the tree.
inline constexpr auto kMoveWait = 10ms;
// A rename can be seen before its event is queued, by as long as the thread that renames is kept off the processor in between.
inline constexpr auto kLateEvent = 1s;

// Files named by one file_change event, and the bytes of their names; what is more goes into further events.
inline constexpr std::size_t kFilesPerEvent = 10'000;
inline constexpr std::size_t kFileNamesPerEvent = 1024 * 1024;
// Up to so many changed files are looked at (a microsecond each) after they were offered, so that the offer does not wait for it.
inline constexpr std::size_t kStampsAfterOffer = 64;
// A tree that nobody tells of is looked through this often, and one of which only a part is untold (overlay) this often; but a processor
// is busy with it for no more than a fiftieth of the time.
inline constexpr auto kPollInterval = 5s;
inline constexpr auto kPollIntervalLeast = 100ms;
inline constexpr auto kLookThroughInterval = 60s;
inline constexpr int kPollShare = 50;
// When another watcher takes over one that polls, what changed since the last time is looked for at once, if that took no longer.
inline constexpr auto kPollHandOver = 500ms;

// Less than that no writer pauses between two strokes.
inline constexpr auto kStableForLeast = 10ms;

// How often a handler that is expected to succeed is looked at, at the least.
inline constexpr auto kOverdueCheck = 60s;

// Pings of handlers' runs (reporters/pings.h): so many may wait for their turn, each has so long and so many attempts, and at the end of the
// daemon those that are left get this long together.
inline constexpr std::size_t kPingsWaiting = 1000;
inline constexpr std::size_t kPingThreads = 8;
inline constexpr auto kPingTimeout = 5s;
inline constexpr int kPingAttempts = 3;
inline constexpr auto kPingPause = 1s;
inline constexpr auto kPingsAtEnd = 2s;

// Hooks (reporters/hooks.h, reporters/hook_desk.h). How many there may be; how many of their commands and requests are under way at once, of
// those that are asked and of those that are told each; how many lifecycle events wait for one that is told, beyond which the newest are
// left out; and how long those that wait have together when hark ends.
inline constexpr std::size_t kHooks = 100;
inline constexpr std::size_t kHookThreads = 4;
inline constexpr std::size_t kHookBacklog = 1000;
inline constexpr auto kHooksAtEnd = 2s;
// Events and runs that hooks hold back in all, about 2 KB each. When there are more, the one that waits longest goes on without an answer.
inline constexpr std::size_t kHookHeld = 1000;
// Of the reason that a hook gives so much is kept.
inline constexpr std::size_t kHookReason = 1024;

// Folders that could not be watched are tried and scanned again after half of this at first: soon enough to be of use, rare enough for a large tree.
inline constexpr auto kUnwatchedRetryFirst = 30s;
inline constexpr auto kUnwatchedRetryMax = 10min;
// Filters and globs are parsed for every request of the API that brings one: bounded so that parsing and matching stay far below a
// millisecond, and recursion (a filter's parentheses and `!`) far from the stack's end.
inline constexpr std::size_t kFilterLength = 4096;
inline constexpr int kFilterDepth = 32;
inline constexpr std::size_t kGlobLength = 1000;
// Of a .gitignore so much is read and so many lines count: each is compared with every name in its folder and below.
inline constexpr std::size_t kIgnoreFile = 1024 * 1024;
inline constexpr std::size_t kIgnoreRules = 10'000;
// A .gitignore that is deleted is known to be so no later than this: files that are newer were made when it did not hold any more.
inline constexpr auto kRulesLag = std::chrono::seconds(2);
inline constexpr std::size_t kGlobAlternatives = 256;  // of one pattern, after `{a,b}` is expanded: pairs multiply

// How much of a value is shown in a reason or an error: enough to recognise it, one line of a terminal.
inline constexpr std::size_t kShownValue = 80;

// All values that a shell script refers to, names included. Linux allows argv and environment together a quarter of the stack
// (2 MiB by default); the rest is for what the process inherits.
inline constexpr std::size_t kEnvironmentTotal = 1024 * 1024;

// Substitutions and compound commands nested in a shell script: the reader recurses, and nobody's script goes deeper.
inline constexpr int kShellDepth = 64;
// Who names a pipe as a file (`-c <(...)`) has started its writer, or is about to; a pipe nobody opens must not hold up a start for ever.
inline constexpr auto kPipePatience = 10s;

// Errors of a configuration that are shown, and those that are searched for the name that was meant (some 20 µs each).
inline constexpr std::size_t kConfigErrorsShown = 100;
inline constexpr std::size_t kConfigErrorsExplained = 1000;

// A configuration file, and one string of it with its variables put in: far beyond what people write, small enough to read whole.
inline constexpr std::uint64_t kConfigFile = 4 * 1024 * 1024;
inline constexpr std::size_t kConfigString = 1024 * 1024;
// A file of the configuration that changed is read when it was left alone for so long: editors and git write in several strokes.
inline constexpr auto kConfigQuiet = 200ms;
// Tables within tables: whoever walks the configuration recurses.
inline constexpr int kConfigDepth = 128;
// Variables of one handler, headers of one request.
inline constexpr std::size_t kConfigTable = 1000;
// ${A:-${B:-...}}: each level is a call.
inline constexpr int kVariableDepth = 16;
// A secret's file. Keys are some dozen bytes; this catches the path of something else.
inline constexpr std::uint64_t kSecretFile = 64 * 1024;
// A secret that is masked wherever it turns up: shorter ones stand in any text by chance, and an output without its every "abc" is of no use.
inline constexpr std::size_t kSecretLeast = 4;
// One that is taken for a secret by its name alone (TOKEN_KIND = "basic"): words of a language and numbers are shorter as a rule.
inline constexpr std::size_t kGuessedSecretLeast = 8;
// Characters of base64 that are a secret's: 48 bits, which no other text has by chance.
inline constexpr std::size_t kSecretEncoded = 8;
// {files_content}: of one file, and of all of an event. A prompt's reader pays for each word, and what is longer is named and asked for.
inline constexpr std::size_t kFileContent = 64 * 1024;
inline constexpr std::size_t kFilesContent = 256 * 1024;
// {git_log}: commits since the last success, and where there was none; how long git may take, which reads no more than that.
inline constexpr int kGitLogCommits = 200;
inline constexpr int kGitLogFirst = 20;
inline constexpr auto kGitLogTime = 30s;
// Names of sources and handlers: they stand in paths of the API, in metrics and in lists.
inline constexpr std::size_t kNameLength = 64;
// Handlers at once, attempts of a step: a larger number is a typing error, not a wish.
inline constexpr int kConcurrentHandlers = 1024;
inline constexpr int kAttempts = 1000;
inline constexpr int kPriority = 1'000'000;
// Events waiting in memory (about 2 KB each), and events kept.
inline constexpr std::int64_t kQueueLimit = 10'000'000;
inline constexpr std::int64_t kRetentionEvents = 1'000'000'000'000;
// The largest body a webhook may be told to take: it is held in memory whole.
inline constexpr std::int64_t kHttpBodyMax = 1024 * 1024 * 1024;
// A cron expression: all six fields spelled out as lists stay below; longer is no schedule but a mistake or an attack.
inline constexpr std::size_t kCronExpression = 1024;
// A TZif file: the largest of the IANA database has about 4 KiB, its fattest form about 10.
inline constexpr std::size_t kZoneFile = 256 * 1024;

// Timers on the wall clock that ring in one turn of the loop: at midnight all schedules are due at once, and each offers an event.
inline constexpr std::size_t kWallTimersPerTurn = 100;

// Slots of one schedule that wait because the sink refused them. The schedule is not asked for more until there is room; what
// passes meanwhile is a missed slot.
inline constexpr std::size_t kSlotsWaiting = 1000;
// A slot is offered so long ahead, and its run waits for its moment where nothing but the start of a process is left to do: longer than a
// busy loop and the journal take.
inline constexpr auto kSlotAhead = 40ms;
// Slots that one catch-up may offer, whatever the configuration says, and how far missed ones are counted: bounds a start after years.
inline constexpr int kCatchUpSlots = 10'000;
inline constexpr int kMissedCounted = 1000;
// Characters of an id that may stand for the whole: shorter ones of a ULID are the same for all that happened within months.
inline constexpr std::size_t kIdPrefix = 6;
// Rows read at once, in one transaction, while a filter looks for its matches: some milliseconds.
inline constexpr std::size_t kFilterPage = 1000;
// Characters that a shortened id keeps at least: those of its time, in which whatever comes later differs.
inline constexpr std::size_t kShownId = 10;

// The journal. Another process (`hark event`) holds the write lock for milliseconds; one that holds it longer than this hangs.
inline constexpr auto kJournalBusy = 5s;
// Pages kept in memory by the writer and by each reader: the indexes' ends and a page of history, within the daemon's 20 MB.
inline constexpr int kJournalCacheKiB = 4096;
inline constexpr int kJournalReaderCacheKiB = 1024;
// The -wal is copied into the database when it holds this many pages (4 KiB each): seldom enough that the copying and its two
// syncs do not matter, often enough that the loop is not away for long (some 30 ms) and recovery is quick. Less than the next limit.
inline constexpr int kJournalCheckpointPages = 3000;
// A -wal that a long reader made grow is cut back to this when it starts afresh.
inline constexpr int kJournalWalKept = 16 * 1024 * 1024;
// Retention looks for what is to go this often, and whenever so many events have come (or a tenth of what is kept). It deletes so much
// at a time, some milliseconds of the loop, and leaves the loop to the others for so long in between.
inline constexpr auto kPruneInterval = 10min;
inline constexpr std::uint64_t kPruneEvents = 1000;
inline constexpr std::size_t kPruneBatch = 40;
inline constexpr auto kPrunePause = 10ms;
// Events one call of prune() looks at, when most of them wait and cannot go: about a millisecond.
inline constexpr std::size_t kPruneScan = 1000;
// Free pages below which a journal is not made smaller (4 MiB), and how many are given back a call.
inline constexpr int kJournalFreePages = 1024;
inline constexpr int kJournalVacuumPages = 64;

// state.json is written again no sooner than this: what a crash takes from it stands in the journal.
inline constexpr auto kStateSave = 1s;

// state.json of kHandlers handlers and kSources schedules is below 2 MiB; what is larger was not written by hark.
inline constexpr std::uint64_t kStateFile = 4 * 1024 * 1024;
// Source git_push. A push of a thousand commits is told by its newest ones, as the forges do; the repository has the rest. Paths and
// messages are a stranger's text: each is bounded, and so are all of an event's together.
inline constexpr std::size_t kGitCommits = 100;
inline constexpr std::size_t kGitFiles = 3000;
inline constexpr std::size_t kGitFileBytes = 1024 * 1024;
inline constexpr std::size_t kGitMessage = 64 * 1024;
inline constexpr std::size_t kGitMessageBytes = 1024 * 1024;
inline constexpr std::size_t kGitName = 1024;
// References and folders of them: every read lists them all, and each folder is one of the kernel's watches (often 8192 a user).
inline constexpr std::size_t kGitReferences = 100'000;
inline constexpr std::size_t kGitRefFolders = 4096;
// Movements one read describes, and the bytes it may gather for them; what is left follows with the next read.
inline constexpr std::size_t kGitMovements = 256;
inline constexpr std::size_t kGitMovementBytes = 16 * 1024 * 1024;
// A shallow clone lacks the parents libgit2's own walk insists on; ours stops here.
inline constexpr std::size_t kGitShallowWalk = 10'000;
// How long changes are gathered before a read: git renames a lock file into place for each reference it moves, within a millisecond or so.
inline constexpr auto kGitGather = 10ms;
// A read that failed is tried again after 100 ms, then twice that, and so on: together 1.5 s, longer than a repack is in anybody's way.
inline constexpr int kGitReadTries = 5;
inline constexpr auto kGitReadRetry = 100ms;
// Moves that a hook told of and no event yet; beyond it several are told as one.
inline constexpr std::size_t kGitSteps = 1000;
// A hook that is there already is looked into so far.
inline constexpr std::uint64_t kGitHook = 1024 * 1024;
// Repositories of one pattern: each is some ten of the kernel's watches, and read once on the loop when it is met (about a millisecond).
inline constexpr std::size_t kGitRepositories = 1000;
// A remote repository has so long to say where it stands (a large one over a slow line); one that cannot be asked is asked again after its
// interval, twice that, ... and is noticed this long after it is back.
inline constexpr auto kGitRemoteTimeout = 60s;
inline constexpr auto kGitRemotePauseMax = 15min;
inline constexpr auto kGitRemoteIntervalLeast = 1s;

// Pull requests. A stranger's text again: what the forges let people write is about as long (GitHub 65,536 characters of text, 256 of title).
inline constexpr std::size_t kPullRequestTitle = 1024;
inline constexpr std::size_t kPullRequestBody = 64 * 1024;
// Branches, repositories, people: names of git are below 256 bytes a part. Addresses: what browsers take.
inline constexpr std::size_t kPullRequestName = 1024;
inline constexpr std::size_t kPullRequestUrl = 2048;
// Labels of one, and the bytes of each (GitHub 50 characters, GitLab 255): each is remembered with 8 digits.
inline constexpr std::size_t kPullRequestLabels = 100;
inline constexpr std::size_t kPullRequestLabel = 1024;
// What is remembered of one is a line of some 1100 bytes: those labels, a commit, a time. A longer one hark has not written.
inline constexpr std::size_t kPullRequestMark = 2048;
// A page of a forge's list: 100 are the most that one gives, of some 20 KiB each beside their texts.
inline constexpr std::size_t kForgePage = 100;
inline constexpr std::size_t kForgePageBytes = 16 * 1024 * 1024;
// A forge that wants to be left alone is asked again after this at the latest: their quotas are by the hour.
inline constexpr auto kForgeWait = 1h;
// What a forge says of a refusal is a line or two; the description of a commit's status 140 characters, by GitHub's rule.
inline constexpr std::size_t kForgeMessage = 400;
inline constexpr std::size_t kForgeDescription = 140;
// Pages of one poll: 5,000 pull requests that changed since the one before, or that are open at the first.
inline constexpr int kForgePages = 50;
// For one page; and as with remote repositories, how often is asked at most, and how seldom where that fails.
inline constexpr auto kForgeTimeout = 30s;
inline constexpr auto kForgeIntervalLeast = 1s;
inline constexpr auto kForgePauseMax = 15min;
// Pull requests whose state one source remembers, some 300 bytes each; beyond it those that are closed and longest unchanged go.
inline constexpr std::size_t kPullRequests = 10'000;

}  // namespace hark::limits
