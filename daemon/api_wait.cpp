// Long polls: an answer as soon as there is something, and where to go on.
#include <algorithm>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/event_json.h"
#include "core/limits.h"
#include "daemon/api.h"
#include "daemon/api_answers.h"
#include "daemon/api_bus.h"
#include "daemon/api_routes.h"
#include "daemon/bus.h"
#include "daemon/engine.h"
#include "platform/clock.h"
#include "platform/http_server.h"
#include "state/journal.h"

namespace hark {

using nlohmann::json;

namespace {

// One poll, from its question to its answer.
class Poll final : public BusReader {
 public:
  Poll(Bus& bus, std::size_t limit, OpenReader open, HttpResponder respond) : bus_(bus), limit_(limit), open_(std::move(open)), respond_(std::move(respond)) {}

  bool take(const EventPtr& event) override {
    if (count_ > 0) events_ += ',';
    events_ += to_json_text(*event);
    return ++count_ < limit_ && events_.size() < limits::kPollBytes;
  }
  void looked_at(std::uint64_t position) override {
    position_ = position;
    if (count_ > 0) answer("{\"events\":[" + events_ + "]");
  }
  void missed(std::uint64_t) override { missed_ = true; }
  void time_over() override { answer("{\"timeout\":true"); }
  void broken(const Error& error) override { respond_(problem(503, "the journal cannot be read", error.message)); }

 private:
  void answer(std::string body) {
    body += ",\"cursor\":" + std::to_string(position_);
    if (missed_) body += ",\"missed\":true";
    auto respond = std::move(respond_);
    bus_.leave(*this);
    respond(json_text_response(body + "}"));
  }

  Bus& bus_;
  std::size_t limit_;
  OpenReader open_;
  HttpResponder respond_;
  std::string events_;
  std::size_t count_ = 0;
  std::uint64_t position_ = 0;
  bool missed_ = false;
};

struct Question {
  EventPattern pattern;
  Duration timeout{};
  std::size_t limit = 0;
  std::optional<std::uint64_t> after;
  std::string subscriber;
};

Result<Question> read_question(const HttpRequest& request) {
  auto types = words_of(path_parameter("/api/events/wait/{type}", request.path, "type"));
  if (!types) return types.error();
  auto pattern = read_pattern(request, std::move(*types));
  if (!pattern) return pattern.error();
  const auto timeout = query_number(request, "timeout"), limit = query_number(request, "limit"), after = query_number(request, "after");
  for (const auto* each : {&timeout, &limit, &after}) {
    if (!*each) return each->error();
  }
  Question question{std::move(*pattern), limits::kPollDefault, limits::kPollEvents, *after, form_value(request.query, "subscriber").value_or("")};
  if (*timeout) question.timeout = std::min<Duration>(std::chrono::milliseconds(std::min<std::uint64_t>(**timeout, std::uint64_t(limits::kPollLongest / std::chrono::milliseconds(1)))), limits::kPollLongest);
  if (*limit) question.limit = std::clamp<std::size_t>(**limit, 1, limits::kPollEventsMost);
  return question;
}

void begin_poll(const ApiParts& parts, const Caller& caller, Question question, HttpResponder respond) {
  if (auto full = too_many_readers(parts)) return respond(std::move(*full));
  auto poll = std::make_shared<Poll>(parts.bus, question.limit, caller.open, respond);
  Bus::Wish wish{std::move(question.pattern), {}, {}, question.after, parts.clock.now().steady + question.timeout};
  restrict_to(parts, caller, wish);
  if (auto joined = parts.bus.join(std::move(poll), std::move(wish)); !joined) respond(problem(409, "no such position", joined.error().text()));
}

void wait(const ApiParts& parts, const HttpRequest& request, const Caller& caller, HttpResponder respond) {
  auto question = read_question(request);
  if (!question) return respond(problem(400, "bad query", question.error().text()));
  if (auto refusal = refuse_topics(caller, question->pattern)) return respond(std::move(*refusal));
  const auto subscriber = question->subscriber;
  const auto after = question->after;
  begin_reading(parts, caller, subscriber, after, [&parts, caller, question = std::move(*question), respond = std::move(respond)](std::optional<HttpResponse> refusal, std::optional<std::uint64_t> from) mutable {
    if (refusal) return respond(std::move(*refusal));
    question.after = from;
    begin_poll(parts, caller, std::move(question), respond);
  });
}

void list_subscribers(const ApiParts& parts, const HttpRequest&, const Caller& caller, const HttpResponder& respond) {
  const auto known = parts.journal.subscribers();
  if (!known) return respond(problem(503, "the journal cannot be read", known.error().message));
  json body = {{"subscribers", json::array()}, {"position", parts.bus.position()}};
  for (const auto& each : *known) {
    if (const auto name = caller.own_name(each.name)) body["subscribers"].push_back({{"name", *name}, {"position", each.position}, {"last_asked", to_rfc3339(each.used)}});
  }
  respond(json_response(body));
}

void acknowledge_by_request(const ApiParts& parts, const HttpRequest& request, const Caller& caller, const HttpResponder& respond) {
  const auto cursor = query_number(request, "cursor");
  if (!cursor || !*cursor) return respond(problem(400, "bad query", cursor ? "`cursor` says up to where: the cursor of an answer, or the sequence of an event" : cursor.error().message));
  acknowledge(parts, caller, path_parameter("/api/subscribers/{name}/ack", request.path, "name"), **cursor, respond);
}

void forget_subscriber(const ApiParts& parts, const HttpRequest& request, const Caller& caller, const HttpResponder& respond) {
  const auto name = caller.kept_name(path_parameter("/api/subscribers/{name}", request.path, "name"));
  const auto known = parts.journal.subscriber(name);
  if (!known) return respond(problem(503, "the journal cannot be read", known.error().message));
  if (!*known) return respond(problem(404, "no such subscriber"));
  parts.engine.forget_subscriber(name, [respond](const Status& done) { respond(done ? json_response({{"forgotten", true}}) : problem(503, "not done", done.error().text())); });
}

}  // namespace

Result<EventPattern> read_pattern(const HttpRequest& request, std::vector<std::string> types) {
  std::vector<std::string> topics;
  for (const auto& [name, into] : {std::pair("type", &types), {"types", &types}, {"topic", &topics}, {"topics", &topics}}) {
    auto words = query_words(request, name);
    if (!words) return words.error();
    into->insert(into->end(), words->begin(), words->end());
  }
  if (types.empty()) types.emplace_back("**");
  return EventPattern::parse(types, topics, form_value(request.query, "filter").value_or(""));
}

std::optional<HttpResponse> refuse_topics(const Caller& caller, const EventPattern& pattern) {
  const auto& topics = pattern.topics();
  const auto refused = [&](const Glob& glob) { return glob.pattern().find_first_of("*?[{\\!") == std::string::npos && !caller.may_read(glob.pattern()); };
  if (topics.empty() || !std::all_of(topics.begin(), topics.end(), refused)) return std::nullopt;
  return insufficient_scope(std::string(to_string(Scope::read)) + ":" + topics.front().pattern());
}

void restrict_to(const ApiParts& parts, const Caller& caller, Bus::Wish& wish) {
  const auto until = caller.until();
  if (!until) return;
  const auto now = parts.clock.now();
  const auto ends = now.steady + std::chrono::duration_cast<Duration>(*until - now.wall);
  wish.until = std::min(wish.until.value_or(ends), ends);
  wish.allowed = [caller](const Event& event) { return caller.may_read(event.topic); };
  if (!caller.may(Scope::runs_read)) wish.lifecycle.reset();
}

void add_wait_routes(const ApiParts& parts) {
  const auto add = [&](const ApiRoute& route, CallerHandler handle) { add_api_route(parts, route, std::move(handle)); };
  add({"GET", "/api/events/wait/{type}", Scope::read, "type types topic topics filter after timeout limit subscriber", limits::kHttpBodyDefault, true}, wait);
  add({"GET", "/api/subscribers", Scope::read}, list_subscribers);
  add({"POST", "/api/subscribers/{name}/ack", Scope::read, "cursor"}, acknowledge_by_request);
  add({"DELETE", "/api/subscribers/{name}", Scope::read, {}, limits::kHttpBodyDefault, false, "forget"}, forget_subscriber);
}

}  // namespace hark
