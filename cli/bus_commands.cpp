// hark publish and hark wait: the bus from the command line.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/payload_argument.h"
#include "core/event_name.h"
#include "core/payload.h"
#include "core/percent.h"
#include "core/printable.h"
#include "platform/clock.h"

namespace hark {

using nlohmann::json;

namespace {

constexpr Duration kPollPiece = std::chrono::minutes(5);
constexpr Duration kReturnFirst = std::chrono::milliseconds(100), kReturnLongest = std::chrono::seconds(2);
constexpr std::uint64_t kFollowed = 100;

int usage(const Error& error) {
  output::complain(error);
  return exit_code::kUsage;
}

// What a handler's command publishes belongs to its run.
std::string from_run(const std::string& given, const char* variable) {
  if (!given.empty()) return given;
  const char* value = std::getenv(variable);
  return value == nullptr ? std::string() : value;
}

void add_words(std::string& query, const char* name, const std::vector<std::string>& words) {
  for (const auto& word : words) query += std::string("&") + name + "=" + percent_encoded(word);
}

// Asks again and again, over restarts of the daemon, until it has what it waits for.
class Waiting {
 public:
  explicit Waiting(const WaitCommand& command) : command_(command) {
    std::string types;
    for (const auto& type : command.types) types += (types.empty() ? "" : ",") + percent_encoded(type);
    path_ = "/api/events/wait/" + types + "?";
    add_words(fixed_, "topic", command.topics);
    if (!command.filter.empty()) fixed_ += "&filter=" + percent_encoded(command.filter);
    if (!command.subscriber.empty()) fixed_ += "&subscriber=" + percent_encoded(command.subscriber);
    if (command.timeout) deadline_ = steady_now() + *command.timeout;
    after_ = command.after;
  }

  int run() {
    // From where on, before anything can be missed: a daemon that comes back is asked for what came meanwhile.
    if (!after_ && command_.subscriber.empty()) {
      json begun;
      if (const auto ended = ask_daemon_json(command_.common, "GET", path_ + "timeout=0" + fixed_, {}, kPatience, begun)) return *ended;
      after_ = begun["cursor"].get<std::uint64_t>();
      answered_ = true;
    }
    while (left_ > 0) {
      json answer;
      if (const auto ended = ask(answer)) return *ended;
      if (answer.value("missed", false)) output::complain("events before these are not kept any more, and some may be missing (retention)");
      if (answer.contains("events")) {
        for (const auto& event : answer["events"]) {
          output::print_line(write_json(event));
          if (!command_.follow) --left_;
        }
        if (auto told = output::finish(); !told) return exit_code::kFailed;  // nobody reads it: it is not acknowledged
      }
      after_ = answer["cursor"].get<std::uint64_t>();
      if (left_ > 0 && deadline_ && steady_now() >= *deadline_) {
        output::complain("there came no such event within " + to_string(*command_.timeout));
        return exit_code::kFailed;
      }
    }
    if (command_.subscriber.empty()) return exit_code::kOk;
    json done;
    return ask_daemon_json(command_.common, "POST", "/api/subscribers/" + percent_encoded(command_.subscriber) + "/ack?cursor=" + std::to_string(*after_), {}, kPatience, done).value_or(exit_code::kOk);
  }

 private:
  std::optional<int> ask(json& answer) {
    auto pause = kReturnFirst;
    for (bool away = false;; away = true) {
      const auto piece = deadline_ ? std::clamp<Duration>(*deadline_ - steady_now(), Duration::zero(), kPollPiece) : kPollPiece;
      auto target = path_ + "timeout=" + std::to_string(std::chrono::ceil<std::chrono::milliseconds>(piece).count()) + "&limit=" + std::to_string(command_.follow ? kFollowed : left_) + fixed_;
      if (after_) target += "&after=" + std::to_string(*after_);
      Answer got;
      const auto patience = piece + Duration(kPatience);
      const auto ended = answered_ ? ask_daemon_again(command_.common, "GET", target, patience, got) : ask_daemon(command_.common, "GET", target, {}, patience, got);
      if (!ended) {
        answered_ = true;
        return read_answer(got, answer);
      }
      if (*ended != exit_code::kUnreachable || !answered_) return ended;
      if (!away) output::complain("the daemon is away; waiting for it to come back");
      if (deadline_ && steady_now() + pause >= *deadline_) {
        output::complain("there came no such event within " + to_string(*command_.timeout));
        return exit_code::kFailed;
      }
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, kReturnLongest);
    }
  }

  const WaitCommand& command_;
  std::string path_, fixed_;
  std::optional<SteadyTime> deadline_;
  std::optional<std::uint64_t> after_;
  std::uint64_t left_ = command_.count;
  bool answered_ = false;
};

}  // namespace

int publish_command(const PublishCommand& command) {
  if (auto done = check_event_word(command.type, "the type of an event"); !done) return usage(done.error());
  if (command.type.find('/') != std::string::npos) return usage({"a type with a '/' cannot be published by this command", "send it as a CloudEvent to POST /api/events"});
  auto data = read_payload_argument(command.data);
  if (!data) return usage(data.error());
  json body = json::object();
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) body[name] = value;
  };
  add("topic", command.topic);
  add("subject", command.subject);
  add("publisher", command.publisher);
  add("correlation_id", from_run(command.correlation_id, "HARK_CORRELATION_ID"));
  add("causation_id", from_run({}, "HARK_RUN_ID"));
  if (command.ttl) body["ttl_seconds"] = std::chrono::ceil<std::chrono::seconds>(*command.ttl).count();
  if (command.priority != 0) body["priority"] = command.priority;
  auto text = write_json(body);
  if (!data->empty()) text.insert(text.size() - 1, (body.empty() ? "\"data\":" : ",\"data\":") + *data);  // as it was written
  HttpHeaders headers;
  if (!command.key.empty()) headers.add("Idempotency-Key", command.key);
  if (const auto trace = from_run({}, "TRACEPARENT"); !trace.empty()) headers.add("traceparent", trace);
  json answer;
  if (const auto ended = ask_daemon_json(command.common, "POST", "/api/events/" + percent_encoded(command.type), text, kPatience, answer, headers)) return *ended;
  if (command.common.json) {
    output::print_json(answer);
  } else {
    output::print_line(answer["event_id"].get<std::string>());
  }
  return exit_code::kOk;
}

int wait_command(const WaitCommand& command) {
  for (const auto& type : command.types) {
    if (auto done = check_event_word(type, "the type of an event"); !done) return usage(done.error());
    if (type.find('/') != std::string::npos) return usage({"a type with a '/' cannot stand here", "let `*` or `?` stand for it"});
  }
  return Waiting(command).run();
}

}  // namespace hark
