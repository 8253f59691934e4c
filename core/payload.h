// The data of an event: one JSON value, kept as the text that arrived and parsed only when somebody looks inside.
//
// Most events are stored and handed on without anybody looking, and a parse costs ten times what a copy does. Immutable and
// cheap to copy (shared); every member may be called from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/limits.h"
#include "core/result.h"

namespace hark {

class Payload {
 public:
  Payload();  // null
  explicit Payload(const nlohmann::json& value);  // text that is no UTF-8 (a file's name) is written with U+FFFD

  // Strict JSON (RFC 8259), nested at most `depth` deep. The error names the byte where it went wrong.
  static Result<Payload> parse(std::string text, int depth = limits::kJsonDepth);

  // The JSON text: as it arrived where it came as text.
  const std::string& text() const;
  const nlohmann::json& json() const;

 private:
  struct State;
  explicit Payload(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// Parses JSON whose nesting is bounded, so that hostile input cannot exhaust the stack. `what` opens the error's text.
Result<nlohmann::json> parse_json(std::string_view text, std::string_view what);
// Writes JSON; bytes that are no UTF-8 become U+FFFD instead of an exception.
std::string write_json(const nlohmann::json& value);

}  // namespace hark
