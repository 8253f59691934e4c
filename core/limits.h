// Every fixed bound of hark, with its reason. What a user may choose is configuration; what protects the process stands here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace hark::limits {

using namespace std::chrono_literals;

// JSON deeper than this is refused: nlohmann parses by recursion, and nobody's payload nests this far.
inline constexpr int kJsonDepth = 128;

// Of each of a step's streams this much is kept with the run (history, templates, API); beyond it the stream goes to a file.
inline constexpr std::size_t kOutputInMemory = 64 * 1024;
// ... and the file ends here: a command that writes for ever must not fill the disk. What came after is counted, not kept.
inline constexpr std::uint64_t kOutputOnDisk = 64ull * 1024 * 1024;

// One environment string may not be longer (Linux: MAX_ARG_STRLEN, 32 pages), name and '=' included.
inline constexpr std::size_t kEnvironmentString = 128 * 1024 - 64;

// A process that was asked to end (SIGTERM) has this long before SIGKILL.
inline constexpr auto kTerminationGrace = 5s;

// Handlers, steps and sources a configuration may hold: far beyond use, small enough that no loop over them is felt.
inline constexpr std::size_t kSources = 1000;
inline constexpr std::size_t kHandlers = 1000;
inline constexpr std::size_t kStepsPerHandler = 200;
inline constexpr int kExtendsDepth = 16;

// HTTP: a request's head, and how long each phase may take. A sender that is slower is cut off.
inline constexpr std::size_t kHttpHead = 16 * 1024;
inline constexpr std::size_t kHttpConnections = 4096;
inline constexpr std::uint64_t kHttpBodyDefault = 1024 * 1024;
inline constexpr auto kHttpHeadDeadline = 10s;
inline constexpr auto kHttpBodyDeadline = 30s;
inline constexpr auto kHttpWriteDeadline = 30s;
inline constexpr auto kHttpIdleDeadline = 75s;

// A source that failed is started again after 1 s, then twice that, and so on up to this.
inline constexpr auto kSourceRetryFirst = 1s;
inline constexpr auto kSourceRetryMax = 60s;

// Events the journal takes in one transaction: bounds how long the loop is away from its sockets (about 2 ms).
inline constexpr std::size_t kEventsPerTurn = 256;

// Lifecycle events that wait for one subscriber on a thread of its own; beyond, the oldest are dropped and counted.
inline constexpr std::size_t kSubscriberBacklog = 8192;

}  // namespace hark::limits
