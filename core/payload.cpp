#include "core/payload.h"

#include <mutex>
#include <optional>

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include "core/limits.h"

namespace hark {

using nlohmann::json;

namespace {

std::string parse_failure(std::string_view what, const json::exception& failure, std::size_t byte) {
  std::string text(what);
  text += " is no JSON: ";
  // nlohmann's text opens with a bracketed identifier of its own and repeats input; the part in between is the message.
  std::string message = failure.what();
  if (const auto bracket = message.find("] "); bracket != std::string::npos) message.erase(0, bracket + 2);
  if (const auto colon = message.find(": "); colon != std::string::npos) message.erase(0, colon + 2);
  if (const auto read = message.find("; last read"); read != std::string::npos) message.erase(read);
  if (message.size() > 160) message.resize(160);
  return text + message + " (byte " + std::to_string(byte) + ")";
}

// Passes a document by without building it: is it strict JSON, and not too deep?
class Validator final : public json::json_sax_t {
 public:
  explicit Validator(int depth) : most_(depth) {}
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool key(string_t&) override { return true; }
  bool start_object(std::size_t) override { return deeper(); }
  bool end_object() override { return shallower(); }
  bool start_array(std::size_t) override { return deeper(); }
  bool end_array() override { return shallower(); }
  bool parse_error(std::size_t position, const std::string&, const json::exception& failure) override {
    error = parse_failure("the text", failure, position);
    return false;
  }
  std::string error;

 private:
  bool deeper() {
    if (++depth_ <= most_) return true;
    error = "the text is JSON nested deeper than " + std::to_string(most_);
    return false;
  }
  bool shallower() {
    --depth_;
    return true;
  }
  const int most_;
  int depth_ = 0;
};

// Small documents are most, and every webhook's body is looked at: simdjson does it nine times as fast. It only ever says yes; what it
// does not take (or is too deep, or large) nlohmann judges, which also names the place of a mistake.
bool quickly_valid(const std::string& text) {
  if (text.size() > limits::kQuickJson) return false;
  thread_local simdjson::dom::parser parser;
  if (parser.max_depth() != limits::kJsonDepth && parser.allocate(limits::kQuickJson, limits::kJsonDepth) != simdjson::SUCCESS) return false;
  return parser.parse(text).error() == simdjson::SUCCESS;
}

}  // namespace

struct Payload::State {
  std::string text;
  std::once_flag parsed;
  nlohmann::json value;
};

Payload::Payload(std::shared_ptr<State> state) : state_(std::move(state)) {}

Payload::Payload() {
  static const auto null = [] {
    auto state = std::make_shared<State>();
    state->text = "null";
    return state;
  }();
  state_ = null;
}

Payload::Payload(const nlohmann::json& value) : state_(std::make_shared<State>()) { state_->text = write_json(value); }

Result<Payload> Payload::parse(std::string text, int depth) {
  if (!quickly_valid(text)) {
    Validator validator(depth);
    if (!json::sax_parse(text, &validator)) return Error{std::move(validator.error), {}};
  }
  auto state = std::make_shared<State>();
  state->text = std::move(text);
  return Payload(std::move(state));
}

const std::string& Payload::text() const { return state_->text; }

const nlohmann::json& Payload::json() const {
  std::call_once(state_->parsed, [this] { state_->value = nlohmann::json::parse(state_->text, nullptr, false); });
  return state_->value;
}

Result<json> parse_json(std::string_view text, std::string_view what) {
  Validator validator(limits::kJsonDepth);
  if (!json::sax_parse(text, &validator)) {
    validator.error.replace(0, std::string_view("the text").size(), what);
    return Error{std::move(validator.error), {}};
  }
  return json::parse(text, nullptr, false);
}

std::string write_json(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace hark
