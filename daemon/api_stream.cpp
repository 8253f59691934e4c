// Events as they come, without an end: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/lifecycle_json.h"
#include "core/limits.h"
#include "daemon/api.h"
#include "daemon/api_answers.h"
#include "daemon/api_bus.h"
#include "daemon/api_routes.h"
#include "daemon/api_socket.h"
#include "daemon/bus.h"
#include "daemon/event_texts.h"
#include "platform/clock.h"
#include "platform/http_server.h"
#include "platform/http_stream.h"
#include "platform/loop.h"

namespace hark {

namespace {

class Stream;

// All that are open, so that one timer serves them.
class Streams {
 public:
  explicit Streams(const ApiParts& parts) : parts_(parts), texts_(parts.secrets), timer_(parts.loop.timer()) {}
  void add(Stream& stream);
  void remove(Stream& stream) { open_.erase(&stream); }
  EventTexts& texts() { return texts_; }
  Bus& bus() { return parts_.bus; }

 private:
  void beat();
  const ApiParts& parts_;
  EventTexts texts_;
  std::unique_ptr<Timer> timer_;
  std::set<Stream*> open_;
};

// A name that would end its line is none.
bool fits_a_line(std::string_view name) {
  return std::none_of(name.begin(), name.end(), [](char c) { return c == '\n' || c == '\r' || c == '\0'; });
}

class Stream final : public BusReader, public std::enable_shared_from_this<Stream> {
 public:
  Stream(std::shared_ptr<Streams> all, std::shared_ptr<HttpStream> to, OpenReader open, bool named) : all_(std::move(all)), to_(std::move(to)), open_(std::move(open)), named_(named) {}

  void begin() {
    all_->add(*this);
    to_->on_closed([self = shared_from_this()] { self->end(); });
    to_->on_drained([self = shared_from_this()] { self->drained(); });
  }
  void refuse(const Error& error) {
    write("event: error\ndata: " + nlohmann::json(error.text()).dump() + "\n\n");
    to_->close();
  }

  bool take(const EventPtr& event) override {
    write("id: " + std::to_string(event->sequence) + "\n" + head(event->type) + "data: " + all_->texts().of(*event) + "\n\n");
    return to_->pending() < limits::kStreamBuffer;
  }
  void looked_at(std::uint64_t) override {}
  void missed(std::uint64_t position) override { write("event: missed\ndata: {\"after\":" + std::to_string(position) + ",\"reason\":\"retention\"}\n\n"); }
  void told(std::string_view name, const std::string& text) override {
    if (to_->pending() >= limits::kStreamBuffer) {
      ++left_out_;
    } else {
      write(head(name) + "data: " + all_->texts().line(text) + "\n\n");
    }
  }
  void time_over() override { to_->close(); }
  void broken(const Error& error) override { refuse(error); }

  // Nothing was said for a while. The id is where it is to go on after, though nothing of what came was for it.
  void beat() {
    if (!std::exchange(said_, false)) write(": \nid: " + std::to_string(all_->bus().position_of(*this)) + "\n\n");
    said_ = false;
  }

 private:
  std::string head(std::string_view name) const { return named_ && fits_a_line(name) ? "event: " + std::string(name) + "\n" : std::string(); }
  void write(std::string text) {
    said_ = true;
    to_->write(std::move(text));
  }
  void drained() {
    if (left_out_ > 0) {
      write("event: missed\ndata: {\"lifecycle\":" + std::to_string(std::exchange(left_out_, 0)) + ",\"after\":" + std::to_string(all_->bus().position_of(*this)) + ",\"reason\":\"slow reader\"}\n\n");
    }
    all_->bus().resume(*this);
  }
  void end() {
    all_->remove(*this);
    all_->bus().leave(*this);
  }

  std::shared_ptr<Streams> all_;
  std::shared_ptr<HttpStream> to_;
  OpenReader open_;
  bool named_;
  bool said_ = false;
  std::uint64_t left_out_ = 0;  // lifecycle events, which stand nowhere
};

void Streams::add(Stream& stream) {
  if (open_.empty()) timer_->at(parts_.clock.now().steady + limits::kStreamBeat, [this] { beat(); });
  open_.insert(&stream);
}

void Streams::beat() {
  for (auto* stream : open_) stream->beat();
  if (!open_.empty()) timer_->at(parts_.clock.now().steady + limits::kStreamBeat, [this] { beat(); });
}

// Where a browser's EventSource goes on by itself, else what the address says.
Result<std::optional<std::uint64_t>> position_asked(const HttpRequest& request) {
  const auto last = request.headers.get("Last-Event-ID");
  if (!last || last->empty()) return query_number(request, "after");
  HttpRequest as_query;
  as_query.query = "Last-Event-ID=" + std::string(*last);
  return query_number(as_query, "Last-Event-ID");
}

void stream(const ApiParts& parts, const std::shared_ptr<Streams>& all, const HttpRequest& request, const Caller& caller, HttpResponder respond) {
  auto wish = read_wish(request);
  if (!wish) return respond(problem(400, "bad query", wish.error().text()));
  if (auto refusal = refuse_topics(caller, wish->pattern)) return respond(std::move(*refusal));
  restrict_to(parts, caller, *wish);
  const auto after = position_asked(request);
  if (!after) return respond(problem(400, "bad query", after.error().message));
  const bool named = form_value(request.query, "names").value_or("true") != "false";
  begin_reading(parts, caller, form_value(request.query, "subscriber").value_or(""), *after, [&parts, all, named, open = caller.open, wish = std::move(*wish), respond = std::move(respond)](std::optional<HttpResponse> refusal, std::optional<std::uint64_t> from) {
    if (refusal) return respond(std::move(*refusal));
    if (auto full = too_many_readers(parts)) return respond(std::move(*full));
    if (from && *from > parts.bus.position()) return respond(problem(409, "no such position", "the newest is " + std::to_string(parts.bus.position()) + ": this one is of another journal"));
    HttpResponse response;
    response.content_type = "text/event-stream";
    response.headers.add("Cache-Control", "no-store");
    response.headers.add("X-Accel-Buffering", "no");  // nginx would wait for more
    response.body = "retry: 1000\nid: " + std::to_string(from.value_or(parts.bus.position())) + "\n\n";
    response.stream = [&parts, all, named, open, wish, from](std::shared_ptr<HttpStream> to) {
      auto reader = std::make_shared<Stream>(all, std::move(to), open, named);
      reader->begin();
      auto with = wish;
      with.after = from;
      if (auto joined = parts.bus.join(reader, std::move(with)); !joined) reader->refuse(joined.error());
    };
    respond(std::move(response));
  });
}

}  // namespace

Result<Bus::Wish> read_wish(const HttpRequest& request) {
  auto pattern = read_pattern(request, {});
  if (!pattern) return pattern.error();
  return wish_for(std::move(*pattern), form_value(request.query, "filter").value_or(""));
}

Result<Bus::Wish> wish_for(EventPattern pattern, const std::string& filter) {
  auto parsed = Filter::parse(filter);
  if (!parsed) return parsed.error();
  Bus::Wish wish;
  wish.lifecycle = std::move(*parsed);
  wish.pattern = std::move(pattern);
  return wish;
}

void add_stream_routes(const ApiParts& parts) {
  auto all = std::make_shared<Streams>(parts);
  add_api_route(parts, {"GET", "/api/stream", Scope::read, "type types topic topics filter after subscriber names", limits::kHttpBodyDefault, true}, CallerHandler([all](const ApiParts& p, const HttpRequest& request, const Caller& caller, HttpResponder respond) { stream(p, all, request, caller, std::move(respond)); }));
  add_socket_route(parts);
}

}  // namespace hark
