#include "reporters/hook_call.h"

#include <cstring>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/lifecycle_json.h"
#include "core/limits.h"
#include "core/payload.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/http_client.h"
#include "platform/process.h"
#include "platform/secrets.h"

namespace hark {

namespace {

// What a command says of its failure is worth one line of it.
std::string said(const Captured& errors) {
  const auto end = errors.head.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return {};
  const auto text = errors.head.substr(0, end + 1);
  const auto line = text.rfind('\n');
  return ": " + printable(line == std::string::npos ? text : text.substr(line + 1), limits::kShownValue);
}

std::string out_of_time(const Hook& hook) { return "it did not answer within " + to_string(hook.timeout) + " (timeout)"; }

Mask mask_of(const HookTools& tools) { return tools.secrets == nullptr ? Mask() : tools.secrets->mask(); }

Result<std::string> run(const Hook::Command& options, const Hook& hook, const lifecycle::Any& any, std::string input, const HookTools& tools, const std::string& mark,
                        std::stop_token stop) {
  Command command;
  command.argv = options.argv;
  command.working_directory = options.working_directory;
  command.input = std::move(input);
  command.run_id = mark;
  command.containment = options.containment;
  command.mask = mask_of(tools);
  command.environment = {{"HARK_HOOK", hook.name}, {"HARK_LIFECYCLE_EVENT", std::string(lifecycle::name(any))}};
  const auto ended = tools.processes.run(command, tools.clock.now().steady + hook.timeout, std::move(stop));
  if (!ended) return ended.error();
  switch (ended->end) {
    case ProcessResult::End::timed_out: return Error{out_of_time(hook), "see what its command waits for, or give it a longer `timeout`"};
    case ProcessResult::End::cancelled: return Error{"it was ended, as hark stops", ""};
    case ProcessResult::End::signalled:
      return Error{"its command was ended by signal " + std::to_string(ended->code - 128) + " (" + strsignal(ended->code - 128) + ")" + said(ended->error_output), ""};
    case ProcessResult::End::exited: break;
  }
  if (ended->code != 0) return Error{"its command ended with exit status " + std::to_string(ended->code) + said(ended->error_output), ""};
  if (ended->output.bytes > ended->output.head.size()) {
    return Error{"its command wrote " + std::to_string(ended->output.bytes) + " bytes, an answer has at most " + std::to_string(limits::kOutputInMemory), "write what is no answer to standard error"};
  }
  return ended->output.head;
}

Result<std::string> post(const Hook::Request& options, const Hook& hook, std::string body, const HookTools& tools, std::stop_token stop) {
  HttpCall call;
  call.method = "POST";
  call.url = options.url;
  call.content_type = "application/json";
  call.body = std::move(body);
  call.timeout = hook.timeout;
  call.max_response = limits::kOutputInMemory;
  for (const auto& [name, value] : options.headers) call.headers.add(name, value);
  const auto deadline = tools.clock.now().steady + hook.timeout;
  auto answer = tools.http.call(call, std::move(stop));
  if (!answer) {
    if (tools.clock.now().steady >= deadline) return Error{out_of_time(hook), answer.error().message};
    return answer.error();
  }
  if (answer->status / 100 != 2) return Error{"the answer to its request was " + std::to_string(answer->status) + ", wanted 200 to 299", ""};
  return mask_of(tools).text(std::move(answer->body));
}

Result<std::string> carry_out(const Hook& hook, const lifecycle::Any& any, WallTime time, const HookTools& tools, const std::string& mark, std::stop_token stop) {
  auto text = write_json(mask_of(tools).strings(to_json(any, time)));
  if (const auto* command = std::get_if<Hook::Command>(&hook.action)) return run(*command, hook, any, std::move(text), tools, mark, std::move(stop));
  return post(std::get<Hook::Request>(hook.action), hook, std::move(text), tools, std::move(stop));
}

Error no_answer(std::string_view text, std::string_view why) {
  return {"its answer " + std::string(why) + ": '" + printable(text, limits::kShownValue) + "'", R"(an answer is nothing at all, as with status 204, or {"action":"skip","reason":"..."})"};
}

}  // namespace

Result<HookAnswer> read_hook_answer(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return HookAnswer{};
  const auto json = parse_json(text, "its answer");
  if (!json) return no_answer(text, "is no JSON");
  if (!json->is_object()) return no_answer(text, "is no object");
  const auto action = json->find("action");
  if (action == json->end()) return no_answer(text, "has no `action`");
  if (*action == "continue") return HookAnswer{};
  if (*action != "skip") return no_answer(text, "has another `action` than \"skip\" and \"continue\"");
  HookAnswer answer{.skip = true};
  if (const auto reason = json->find("reason"); reason != json->end()) {
    if (!reason->is_string()) return no_answer(text, "has a `reason` that is no string");
    answer.reason = printable(reason->get_ref<const std::string&>(), limits::kHookReason);
  }
  return answer;
}

Status tell(const Hook& hook, const lifecycle::Any& any, WallTime time, const HookTools& tools, const std::string& mark, std::stop_token stop) {
  const auto done = carry_out(hook, any, time, tools, mark, std::move(stop));
  return done ? Status() : Status(done.error());
}

Result<HookAnswer> ask(const Hook& hook, const lifecycle::Any& any, WallTime time, const HookTools& tools, const std::string& mark, std::stop_token stop) {
  const auto answer = carry_out(hook, any, time, tools, mark, std::move(stop));
  if (!answer) return answer.error();
  return read_hook_answer(*answer);
}

}  // namespace hark
