#include "cli/client.h"

#include <algorithm>
#include <cctype>

#include <nlohmann/json.hpp>

#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "core/payload.h"
#include "daemon/places.h"
#include "platform/http_client.h"

namespace hark {

namespace {

Result<HttpResponse> call_daemon(const std::string& socket, const std::string& method, const std::string& target, const std::string& body, Duration timeout, const HttpHeaders& headers = {}) {
  HttpCall call;
  call.headers = headers;
  call.unix_socket = socket;
  call.method = method;
  call.url = target;
  call.body = body;
  if (!body.empty()) call.content_type = "application/json";
  call.timeout = timeout;
  call.max_response = 256 * 1024 * 1024;
  return RealHttpClient().call(call, {});
}

// nullopt: the configuration does not tell where, and that was said.
std::optional<std::string> socket_of(const CommonOptions& common) {
  if (!common.socket.empty()) return common.socket;
  const auto journal = find_journal(common, "mend it, or name the daemon's control socket with --socket PATH");
  return journal ? std::optional(socket_path(*journal).string()) : std::nullopt;
}

std::optional<nlohmann::json> ask_quietly(const std::string& socket, const std::string& target, Duration timeout) {
  const auto response = call_daemon(socket, "GET", target, {}, timeout);
  if (!response || response->status != 200) return std::nullopt;
  auto parsed = parse_json(response->body, "the daemon's answer");
  return parsed ? std::optional(std::move(*parsed)) : std::nullopt;
}

}  // namespace

std::optional<int> ask_daemon(const CommonOptions& common, const std::string& method, const std::string& target, const std::string& body,
                              Duration timeout, Answer& answer, const HttpHeaders& headers) {
  const auto socket = socket_of(common);
  if (!socket) return exit_code::kConfig;
  auto response = call_daemon(*socket, method, target, body, timeout, headers);
  if (!response) {
    output::complain(Error{"no daemon answers: " + response.error().message,
                           "start one with `hark daemon`, or name its socket with --socket"});
    return exit_code::kUnreachable;
  }
  answer.status = response->status;
  answer.body = std::move(response->body);
  return std::nullopt;
}

std::optional<int> ask_daemon_again(const CommonOptions& common, const std::string& method, const std::string& target, Duration timeout, Answer& answer) {
  const auto socket = socket_of(common);
  if (!socket) return exit_code::kConfig;
  auto response = call_daemon(*socket, method, target, {}, timeout);
  if (!response) return exit_code::kUnreachable;
  answer = {response->status, std::move(response->body)};
  return std::nullopt;
}

std::optional<nlohmann::json> daemon_knows(const CommonOptions& common, const std::string& target, Duration timeout) {
  const auto socket = socket_of(common);
  return socket ? ask_quietly(*socket, target, timeout) : std::nullopt;
}

std::optional<nlohmann::json> daemon_knows(const std::filesystem::path& journal, const std::string& target, Duration timeout) {
  return ask_quietly(socket_path(journal).string(), target, timeout);
}

std::optional<int> ask_daemon_json(const CommonOptions& common, const std::string& method, const std::string& target, const std::string& body,
                                   Duration timeout, nlohmann::json& value, const HttpHeaders& headers) {
  Answer answer;
  if (const auto ended = ask_daemon(common, method, target, body, timeout, answer, headers)) return ended;
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
  output::complain(problem_text(answer));
  return exit_code::kFailed;
}

std::string problem_text(const Answer& answer) {
  const auto status = "status " + std::to_string(answer.status);
  const auto parsed = parse_json(answer.body, "the daemon's answer");
  if (!parsed || !parsed->is_object()) return status;
  auto message = parsed->value("title", status);
  if (const auto detail = parsed->value("detail", std::string{}); !detail.empty()) message += ": " + detail;
  return message;
}

bool may_be_id(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
}

}  // namespace hark
