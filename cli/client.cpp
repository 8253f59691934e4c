#include "cli/client.h"

#include <nlohmann/json.hpp>

#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "core/payload.h"
#include "daemon/places.h"
#include "platform/http_client.h"

namespace hark {

std::optional<int> ask_daemon(const CommonOptions& common, const std::string& method, const std::string& target, const std::string& body,
                              Duration timeout, Answer& answer) {
  HttpCall call;
  call.unix_socket = common.socket;
  if (call.unix_socket.empty()) {
    const auto journal = find_journal(common, "mend it, or name the daemon's control socket with --socket PATH");
    if (!journal) return exit_code::kConfig;
    call.unix_socket = socket_path(*journal).string();
  }
  call.method = method;
  call.url = target;
  call.body = body;
  if (!body.empty()) call.content_type = "application/json";
  call.timeout = timeout;
  call.max_response = 256 * 1024 * 1024;
  auto response = RealHttpClient().call(call, {});
  if (!response) {
    output::complain(Error{"no daemon answers: " + response.error().message,
                           "start one with `hark daemon`, or name its socket with --socket"});
    return exit_code::kUnreachable;
  }
  answer.status = response->status;
  answer.body = std::move(response->body);
  return std::nullopt;
}

std::optional<int> ask_daemon_json(const CommonOptions& common, const std::string& method, const std::string& target, const std::string& body,
                                   Duration timeout, nlohmann::json& value) {
  Answer answer;
  if (const auto ended = ask_daemon(common, method, target, body, timeout, answer)) return ended;
  return read_answer(answer, value);
}

std::optional<int> read_answer(const Answer& answer, nlohmann::json& value) {
  auto parsed = parse_json(answer.body, "the daemon's answer");
  if (!parsed) {
    output::complain(parsed.error());
    return exit_code::kFailed;
  }
  value = std::move(*parsed);
  if (answer.status < 300) return std::nullopt;
  auto message = value.value("title", std::string("status ") + std::to_string(answer.status));
  if (const auto detail = value.value("detail", std::string{}); !detail.empty()) message += ": " + detail;
  output::complain(message);
  return exit_code::kFailed;
}

}  // namespace hark
