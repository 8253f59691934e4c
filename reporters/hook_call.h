// Carries out a hook: its command with the lifecycle event's JSON on standard input, or the POST of it, and what that answers.
// Blocks: on a worker thread. It holds nothing; any number of threads.
#pragma once

#include <cstddef>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/lifecycle.h"
#include "core/result.h"
#include "core/time.h"
#include "reporters/hook.h"

namespace hark {

class Clock;
class HttpClient;
class ProcessSpawner;
class Secrets;

struct HookTools {
  ProcessSpawner& processes;
  HttpClient& http;
  const Clock& clock;
  const Secrets* secrets = nullptr;  // what it is not told and does not say, as far as anybody hears of it; nullptr: nothing
};

struct HookAnswer {
  bool skip = false;
  std::string reason{};  // printable, at most limits::kHookReason bytes; may be empty
};

// `mark`: HARK_RUN_ID of the command's processes, by which those that stray are found: of no other that is under way. An Error: it failed,
// ran out of its time, was stopped. What it answers is not looked at.
Status tell(const Hook& hook, const lifecycle::Any& any, WallTime time, const HookTools& tools, const std::string& mark, std::stop_token stop);
// The same, with its answer: nothing (it goes on), {"action":"continue"} or {"action":"skip","reason":"..."}; anything else is an Error.
Result<HookAnswer> ask(const Hook& hook, const lifecycle::Any& any, WallTime time, const HookTools& tools, const std::string& mark, std::stop_token stop);

Result<HookAnswer> read_hook_answer(std::string_view text);

}  // namespace hark
