#include "daemon/api_socket.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/nearest.h"
#include "core/payload.h"
#include "core/printable.h"
#include "daemon/api.h"
#include "daemon/api_answers.h"
#include "daemon/api_bus.h"
#include "daemon/api_routes.h"
#include "daemon/engine.h"
#include "daemon/event_texts.h"
#include "daemon/publishing.h"
#include "platform/clock.h"
#include "platform/http_server.h"
#include "platform/web_socket.h"

namespace hark {

using nlohmann::json;

namespace {

class Socket;

// One subscription of a socket, under the id that the client gave it.
class Subscription final : public BusReader {
 public:
  Subscription(Socket& socket, std::string id) : socket_(socket), id_(std::move(id)) {}
  bool take(const EventPtr& event) override;
  void looked_at(std::uint64_t) override {}
  void missed(std::uint64_t position) override;
  void told(std::string_view name, const std::string& text) override;
  void time_over() override;
  void broken(const Error& error) override;
  void drained();

 private:
  Socket& socket_;
  std::string id_;
  std::uint64_t left_out_ = 0;
};

class Socket : public std::enable_shared_from_this<Socket> {
 public:
  Socket(const ApiParts& parts, Caller caller, std::shared_ptr<WebSocket> to) : parts_(parts), caller_(std::move(caller)), texts_(parts.secrets), to_(std::move(to)) {}

  void begin() {
    to_->on_closed([self = shared_from_this()](int, const std::string&) { self->end(); });
    to_->on_drained([self = shared_from_this()] { self->drained(); });
    to_->on_message([self = shared_from_this()](const std::string& text) { self->receive(text); });
  }

  void send(const json& message) { to_->send(texts_.line(write_json(message))); }
  void send_text(std::string text) { to_->send(std::move(text)); }
  bool has_room() const { return to_->pending() < limits::kStreamBuffer; }
  void close(std::uint16_t code, std::string_view reason) { to_->close(code, reason); }
  bool token_ended() const { return caller_.until() && parts_.clock.now().wall >= *caller_.until(); }
  void close_for_token() { to_->close(1008, "the token has expired"); }
  EventTexts& texts() { return texts_; }
  Bus& bus() { return parts_.bus; }

 private:
  void receive(const std::string& text) {
    if (token_ended()) return close_for_token();
    auto message = parse_json(text, "a message");
    if (!message) return fail({}, 400, message.error().message);
    if (!message->is_object()) return fail({}, 400, "a message is an object with `op`");
    const auto id = message->value("id", json());
    const auto op = message->value("op", json());
    if (!id.is_null() && !(id.is_string() && id.get_ref<const std::string&>().size() <= limits::kEventWord)) return fail({}, 400, "`id` is a text");
    const auto name = id.is_string() ? id.get<std::string>() : std::string();
    if (const auto unknown = unknown_member(op, *message); !unknown) return fail(name, 400, unknown.error().message);
    if (op == "subscribe") return subscribe(name, *message);
    if (op == "unsubscribe") return unsubscribe(name);
    if (op == "publish") return publish(name, *message);
    if (op == "ack") return acknowledge(name, *message);
    fail(name, 400, "`op` is one of subscribe, unsubscribe, publish and ack, found '" + printable(op.is_string() ? op.get<std::string>() : write_json(op), limits::kShownValue) + "'");
  }

  void fail(const std::string& id, int status, const std::string& detail) { send({{"op", "error"}, {"id", id}, {"status", status}, {"detail", detail}}); }
  void fail(const std::string& id, const HttpResponse& problem) {
    const auto body = json::parse(problem.body, nullptr, false);
    const auto title = body.is_object() ? body.value("title", std::string()) : std::string();
    const auto detail = body.is_object() ? body.value("detail", std::string()) : std::string();
    fail(id, problem.status, detail.empty() ? title : detail);
  }

  // A misspelt one would be as if it were not there: a subscription to everything.
  static Status unknown_member(const json& op, const json& message) {
    std::vector<std::string> known = {"op", "id"};
    if (op == "subscribe") known.insert(known.end(), {"types", "topics", "filter", "subscriber", "after"});
    else if (op == "publish") known.insert(known.end(), {"event", "key"});
    else if (op == "ack") known.insert(known.end(), {"subscriber", "cursor"});
    else if (op != "unsubscribe") return {};
    for (const auto& [name, value] : message.items()) {
      if (std::find(known.begin(), known.end(), name) == known.end()) return Error{"there is no `" + printable(name, limits::kShownValue) + "` in this message" + did_you_mean(name, known), ""};
    }
    return {};
  }

  // A text "a,b" or a list of texts.
  static Result<std::vector<std::string>> words(const json& message, const char* name) {
    const auto found = message.find(name);
    if (found == message.end() || found->is_null()) return std::vector<std::string>();
    if (found->is_string()) return words_of(found->get_ref<const std::string&>());
    std::vector<std::string> list;
    bool texts = found->is_array() && found->size() <= limits::kPatternWords;
    if (texts) {
      for (const auto& each : *found) {
        texts = texts && each.is_string();
        if (texts) list.push_back(each.get<std::string>());
      }
    }
    if (!texts) return Error{std::string("`") + name + "` is a list of at most " + std::to_string(limits::kPatternWords) + " texts", ""};
    return list;
  }

  static Result<std::string> text(const json& message, const char* name) {
    const auto found = message.find(name);
    if (found == message.end() || found->is_null()) return std::string();
    if (!found->is_string()) return Error{std::string("`") + name + "` is a text", ""};
    return found->get<std::string>();
  }

  static Result<std::optional<std::uint64_t>> position(const json& message, const char* name) {
    const auto found = message.find(name);
    if (found == message.end() || found->is_null()) return std::optional<std::uint64_t>();
    if (!found->is_number_unsigned()) return Error{std::string("`") + name + "` is a whole number", ""};
    return std::optional(found->get<std::uint64_t>());
  }

  void subscribe(const std::string& id, const json& message) {
    if (subscriptions_.contains(id)) return fail(id, 409, "there is a subscription of this id on this socket");
    if (subscriptions_.size() >= limits::kSocketSubscriptions) return fail(id, 429, "a socket has at most " + std::to_string(limits::kSocketSubscriptions) + " subscriptions");
    auto types = words(message, "types"), topics = words(message, "topics");
    const auto filter = text(message, "filter"), name = text(message, "subscriber");
    const auto after = position(message, "after");
    for (const auto* list : {&types, &topics}) {
      if (!*list) return fail(id, 400, list->error().message);
    }
    for (const auto* each : {&filter, &name}) {
      if (!*each) return fail(id, 400, each->error().message);
    }
    if (!after) return fail(id, 400, after.error().message);
    if (types->empty()) types->emplace_back("**");
    auto pattern = EventPattern::parse(*types, *topics, *filter);
    if (!pattern) return fail(id, 400, pattern.error().text());
    auto wish = wish_for(std::move(*pattern), *filter);
    if (!wish) return fail(id, 400, wish.error().text());
    if (auto refusal = refuse_topics(caller_, wish->pattern)) return fail(id, *refusal);
    restrict_to(parts_, caller_, *wish);
    begin_reading(parts_, caller_, *name, *after, [self = shared_from_this(), id, wish = std::move(*wish)](std::optional<HttpResponse> refusal, std::optional<std::uint64_t> from) {
      if (refusal) return self->fail(id, *refusal);
      self->join(id, wish, from);
    });
  }

  void join(const std::string& id, Bus::Wish wish, std::optional<std::uint64_t> from) {
    if (ended_) return;
    if (auto full = too_many_readers(parts_)) return fail(id, *full);
    if (subscriptions_.contains(id)) return fail(id, 409, "there is a subscription of this id on this socket");
    wish.after = from;
    auto subscription = std::make_shared<Subscription>(*this, id);
    if (auto joined = bus().join(subscription, std::move(wish)); !joined) return fail(id, 409, joined.error().text());
    send({{"op", "subscribed"}, {"id", id}, {"cursor", from.value_or(bus().position())}});
    subscriptions_.emplace(id, std::move(subscription));
  }

  void unsubscribe(const std::string& id) {
    const auto found = subscriptions_.extract(id);
    if (found.empty()) return fail(id, 404, "there is no subscription of this id on this socket");
    bus().leave(*found.mapped());
    send({{"op", "unsubscribed"}, {"id", id}});
  }

  void publish(const std::string& id, const json& message) {
    if (publishing_ >= limits::kSocketPublishes) return fail(id, 429, "wait for the answers: " + std::to_string(publishing_) + " events of this socket are on their way");
    const auto event = message.find("event");
    if (event == message.end() || !event->is_object()) return fail(id, 400, "`event` is what is to be published: {\"event_type\": …, \"topic\": …, \"data\": …}");
    const auto key = text(message, "key");
    if (!key) return fail(id, 400, key.error().message);
    if (key->size() > limits::kDeliveryId) return fail(id, 400, "`key` is longer than " + std::to_string(limits::kDeliveryId) + " bytes");
    auto read = read_publication({}, write_json(*event));
    if (!read) return fail(id, 400, read.error().text());
    if (!key->empty()) read->id = keyed(read->event.type, *key);
    auto made = event_of(parts_, caller_, std::move(*read));
    if (const auto* refusal = std::get_if<HttpResponse>(&made)) return fail(id, *refusal);
    ++publishing_;
    parts_.engine.offer_to({}, std::move(std::get<Event>(made)), [self = shared_from_this(), id](const Acceptance& acceptance) {
      --self->publishing_;
      if (!acceptance.taken()) return self->fail(id, 503, acceptance.reason);
      json published = {{"op", "published"}, {"id", id}, {"event_id", acceptance.event_id}, {"sequence", acceptance.sequence}};
      if (acceptance.outcome == Acceptance::Outcome::duplicate) published["duplicate"] = true;
      self->send(published);
    });
  }

  void acknowledge(const std::string& id, const json& message) {
    const auto name = text(message, "subscriber");
    const auto cursor = position(message, "cursor");
    if (!name || name->empty() || !cursor || !*cursor) return fail(id, 400, "an acknowledgement says `subscriber` and `cursor`");
    hark::acknowledge(parts_, caller_, *name, **cursor, [self = shared_from_this(), id](const HttpResponse& answer) {
      if (answer.status >= 300) return self->fail(id, answer);
      self->send({{"op", "acknowledged"}, {"id", id}, {"position", json::parse(answer.body)["position"]}});
    });
  }

  void drained() {
    const auto all = subscriptions_;  // what is told may end one
    for (const auto& [id, subscription] : all) subscription->drained();
  }

  void end() {
    ended_ = true;
    for (const auto& [id, subscription] : subscriptions_) bus().leave(*subscription);
    subscriptions_.clear();
  }

  const ApiParts& parts_;
  const Caller caller_;
  EventTexts texts_;
  std::shared_ptr<WebSocket> to_;
  std::map<std::string, std::shared_ptr<Subscription>> subscriptions_;  // they are told by the bus alone, and leave it before this goes
  std::size_t publishing_ = 0;
  bool ended_ = false;
};

bool Subscription::take(const EventPtr& event) {
  socket_.send_text("{\"op\":\"event\",\"id\":" + json(id_).dump() + ",\"cursor\":" + std::to_string(event->sequence) + ",\"event\":" + socket_.texts().of(*event) + "}");
  return socket_.has_room();
}

void Subscription::missed(std::uint64_t position) { socket_.send({{"op", "missed"}, {"id", id_}, {"after", position}, {"reason", "retention"}}); }

void Subscription::told(std::string_view name, const std::string& text) {
  if (!socket_.has_room()) {
    ++left_out_;
    return;
  }
  socket_.send_text("{\"op\":\"lifecycle\",\"id\":" + json(id_).dump() + ",\"name\":" + json(name).dump() + ",\"event\":" + socket_.texts().line(text) + "}");
}

void Subscription::time_over() {
  if (socket_.token_ended()) return socket_.close_for_token();
  socket_.close(1001, "hark is stopping");
}
void Subscription::broken(const Error& error) { socket_.close(1011, error.message); }

void Subscription::drained() {
  if (left_out_ > 0) {
    socket_.send({{"op", "missed"}, {"id", id_}, {"lifecycle", std::exchange(left_out_, 0)}, {"after", socket_.bus().position_of(*this)}, {"reason", "slow reader"}});
  }
  socket_.bus().resume(*this);
}

}  // namespace

void add_socket_route(const ApiParts& parts) {
  add_api_route(parts, {"GET", "/api/ws", Scope::read, {}, limits::kHttpBodyDefault, true}, CallerHandler([](const ApiParts& p, const HttpRequest& request, const Caller& caller, const HttpResponder& respond) {
    HttpResponse response;
    response.status = 101;
    const auto offered = words_of(request.headers.joined("Sec-WebSocket-Protocol"));
    if (offered) {
      for (const auto& each : *offered) {
        if (each.substr(each.find_first_not_of(' ') == each.npos ? 0 : each.find_first_not_of(' ')) == "hark") response.subprotocol = "hark";
      }
    }
    response.websocket = [&p, caller](std::shared_ptr<WebSocket> to) { std::make_shared<Socket>(p, caller, std::move(to))->begin(); };
    respond(std::move(response));
  }));
}

}  // namespace hark
