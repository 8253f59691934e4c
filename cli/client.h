// Asks the running daemon over its control socket.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "cli/commands.h"
#include "core/result.h"
#include "core/time.h"
#include "platform/http.h"

namespace hark {

// How long a daemon that is there may take for an answer. It may be busy with its disk.
inline constexpr auto kPatience = std::chrono::seconds(30);

struct Answer {
  int status = 0;
  std::string body;
};

// Prints what went wrong and returns the exit status; nullopt: `answer` is the daemon's (any HTTP status).
std::optional<int> ask_daemon(const CommonOptions& common, const std::string& method, const std::string& target, const std::string& body,
                              Duration timeout, Answer& answer, const HttpHeaders& headers = {});

// Of a daemon that answered before: the same, and nothing is printed when it is away.
std::optional<int> ask_daemon_again(const CommonOptions& common, const std::string& method, const std::string& target, Duration timeout, Answer& answer);

// The same, and whatever is no success is printed as the problem it is; then nullopt means: `value` is the parsed answer.
std::optional<int> ask_daemon_json(const CommonOptions& common, const std::string& method, const std::string& target, const std::string& body,
                                   Duration timeout, nlohmann::json& value, const HttpHeaders& headers = {});

// What the daemon answers to a GET; nullopt, and nothing printed but for a configuration that cannot be read: none runs, or it has no answer.
std::optional<nlohmann::json> daemon_knows(const CommonOptions& common, const std::string& target, Duration timeout);

// What the daemon of that journal answers to a GET; nullopt, and nothing printed: none runs, or it has no answer.
std::optional<nlohmann::json> daemon_knows(const std::filesystem::path& journal, const std::string& target, Duration timeout);

// Prints a problem and returns the exit status; nullopt: `value` is the parsed answer.
std::optional<int> read_answer(const Answer& answer, nlohmann::json& value);

// What an answer that is no success says: "not done: it has not ended".
std::string problem_text(const Answer& answer);

// Whether it may be an id, or the beginning of one. What is none cannot be a part of a path, however it is written there.
bool may_be_id(std::string_view text);

}  // namespace hark
