#include "daemon/publishing.h"

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/event_name.h"
#include "core/json_keys.h"
#include "core/json_members.h"
#include "core/limits.h"
#include "core/nearest.h"
#include "core/printable.h"
#include "platform/http.h"

namespace hark {

using nlohmann::json;

namespace {

// Takes the members of an object out of it, keeping the first thing that is wrong.
class Taken {
 public:
  explicit Taken(json object) : object_(std::move(object)) {}

  std::string text(const char* name) {
    const auto value = take(name);
    if (!value || value->is_null()) return {};
    if (!value->is_string()) return wrong(name, "a text"), std::string();
    auto text = value->get<std::string>();
    if (text.size() > limits::kEventWord || !is_utf8(text)) return wrong(name, "a text of at most " + std::to_string(limits::kEventWord) + " bytes"), std::string();
    return text;
  }
  // As a number, or (what headers hold) as a text that is one.
  std::optional<std::int64_t> integer(const char* name, std::int64_t least, std::int64_t most) {
    const auto value = take(name);
    if (!value || value->is_null()) return std::nullopt;
    std::optional<std::int64_t> number;
    if (value->is_number_integer() && !(value->is_number_unsigned() && value->get<std::uint64_t>() > std::uint64_t(most))) number = value->get<std::int64_t>();
    if (value->is_string()) {
      const auto& text = value->get_ref<const std::string&>();
      std::int64_t parsed = 0;
      const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), parsed);
      if (failure == std::errc{} && end == text.data() + text.size()) number = parsed;
    }
    if (number && *number >= least && *number <= most) return number;
    wrong(name, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
  }
  std::optional<json> take(const char* name) {
    known_.emplace_back(name);
    const auto found = object_.find(name);
    if (found == object_.end()) return std::nullopt;
    auto value = std::move(*found);
    object_.erase(found);
    return value;
  }
  json rest() { return std::move(object_); }

  void wrong(std::string_view name, std::string_view wanted) { fail("`" + std::string(name) + "` is to be " + std::string(wanted)); }
  void fail(std::string what) {
    if (!error_) error_ = Error{std::move(what), ""};
  }
  // What nobody has taken is not known.
  void nothing_else() {
    if (object_.empty()) return;
    const auto& name = object_.begin().key();
    fail("there is no `" + printable(name, limits::kShownValue) + "` in a published event" + did_you_mean(name, known_));
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  json object_;
  std::vector<std::string> known_;
  std::optional<Error> error_;
};

void take_envelope(Taken& taken, Event& event, const char* correlation, const char* causation, const char* ttl) {
  event.topic = taken.text("topic");
  event.correlation_id = taken.text(correlation);
  event.causation_id = taken.text(causation);
  if (const auto seconds = taken.integer(ttl, 1, limits::kTtlMost)) event.ttl = std::chrono::seconds(*seconds);
  if (const auto priority = taken.integer("priority", -limits::kPriorityMost, limits::kPriorityMost)) event.priority = static_cast<int>(*priority);
}

Status check(const Publication& publication) {
  const auto& event = publication.event;
  if (auto done = check_event_word(event.type, "the type of an event"); !done) return done;
  if (!event.topic.empty()) {
    if (auto done = check_topic(event.topic); !done) return done;
  }
  for (const auto& [word, what] : {std::pair(&publication.publisher, "a publisher's name"), {&event.correlation_id, "a correlation id"}, {&event.causation_id, "a causation id"}}) {
    if (word->empty()) continue;
    if (auto done = check_event_word(*word, what); !done) return done;
  }
  return {};
}

}  // namespace

Result<Publication> read_publication(std::string_view type, std::string text) {
  Publication read;
  json object = json::object();
  if (!text.empty()) {
    const auto parsed = parse_event_data(std::move(text));
    if (!parsed) return parsed.error();
    const auto members = json_members(parsed->text());
    if (members.empty() && !parsed->json().is_object()) return Error{"a published event is an object: {\"topic\": …, \"data\": …}", ""};
    for (const auto& [name, value] : members) {
      if (name == "data") {
        read.event.data = Payload::parse(std::string(value)).value();
      } else {
        object[name] = json::parse(value);
      }
    }
  }
  Taken taken(std::move(object));
  read.event.type = taken.text("event_type");
  if (read.event.type.empty()) read.event.type = type;
  if (!type.empty() && read.event.type != type) taken.fail("`event_type` is '" + printable(read.event.type, limits::kShownValue) + "', and the address says '" + printable(type, limits::kShownValue) + "'");
  read.publisher = taken.text("publisher");
  read.event.subject = taken.text("subject");
  take_envelope(taken, read.event, "correlation_id", "causation_id", "ttl_seconds");
  taken.take("data");  // stands apart already, and is known all the same
  taken.nothing_else();
  if (taken.error()) return *taken.error();
  if (auto done = check(read); !done) return done.error();
  return read;
}

Result<Publication> read_publication(CloudEvent event) {
  Publication read;
  read.event.type = std::move(event.type);
  read.event.subject = std::move(event.subject);
  read.publisher = std::move(event.source);
  read.id = std::move(event.id);
  read.event.data = std::move(event.data);
  Taken taken(std::move(event.others));
  take_envelope(taken, read.event, "correlationid", "causationid", "ttl");
  if (const auto time = taken.take("time"); time && time->is_string()) read.event.time = from_rfc3339(time->get<std::string>()).value_or(WallTime{});
  // The event's own (CloudEvents' extension for distributed tracing) goes before the request's.
  if (const auto trace = taken.take("traceparent"); trace && trace->is_string()) read.event.traceparent = checked_traceparent(trace->get_ref<const std::string&>());
  if (taken.error()) return *taken.error();
  auto context = taken.rest();
  context["id"] = read.id;
  context["source"] = read.publisher;
  read.event.context = Payload(context);
  if (auto done = check(read); !done) return done.error();
  return read;
}

std::string keyed(std::string_view type, std::string_view key) { return std::string(type) + "," + std::string(key); }  // no type has a comma

Event published_by(std::string_view publisher, Publication publication) {
  auto event = std::move(publication.event);
  event.source = std::string(kPublisher) + std::string(publisher);
  if (!publication.id.empty()) event.dedupe_key = "publish/" + std::string(publisher) + "/" + publication.id;
  return event;
}

}  // namespace hark
