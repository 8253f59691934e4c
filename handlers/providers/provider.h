// One question to a provider over HTTP, and its answer. Called on a run's worker thread (the prompt step) and by `config check --online`.
//
// What each maker's protocol says is a Protocol: pure functions over bytes (openai.h, anthropic.h). answer.h puts the pieces together.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json_fwd.hpp>

#include "core/event_stream.h"
#include "core/result.h"
#include "core/run.h"
#include "core/time.h"
#include "handlers/handler.h"
#include "platform/http_client.h"

namespace hark {

struct Prompt {
  std::string system;                      // empty: none
  std::string text;
  const nlohmann::json* schema = nullptr;  // what the answer must fit; nullptr: it is any text
};

// What has come of an answer.
struct Reply {
  std::string text;
  std::optional<Usage> usage;      // without its cost
  bool stopped = false;            // the model has come to its end; what it took may still be told
  bool ended = false;              // that was all of it
  std::string refusal;             // why it is no answer; empty: it is one
  bool for_good = false;           // the same question would end so again: it is cut at `max_tokens`, or withheld
  int status = 0;                  // that an error within a stream would have had as an answer; 0: none is known

  void refuse(std::string why) {
    refusal = std::move(why);
    for_good = true;
  }
};

struct Protocol {
  HttpCall (*request)(const ProviderOptions& provider, const Prompt& prompt);
  // One event of a stream, and an answer that is one document. An Error: it is not what the protocol knows.
  Status (*read_event)(const StreamEvent& event, Reply& reply);
  Status (*read_document)(const nlohmann::json& document, Reply& reply);
  // What the body of an answer with an error's status says; empty: nothing that is known.
  std::string (*read_refusal)(const nlohmann::json& body);
};

struct Answer {
  std::string text;                     // also what there was of one that failed
  std::optional<Usage> usage;           // also of one that failed, as far as it was told
  std::optional<Error> error;           // why it is none; names the provider, never its key
  bool stopped = false;                 // the model came to an end; what is wrong then is what it said
  std::optional<int> status;            // of HTTP, where that is what is wrong
  bool for_good = false;                // the same question would end so again
  std::optional<Duration> retry_after;  // `now` is for this one
};
Answer ask(const ProviderOptions& provider, const Prompt& prompt, HttpClient& http, Duration timeout, std::stop_token stop, WallTime now);

// "provider 'local'", and with its address: "provider 'local' (http://127.0.0.1:11434/v1)".
std::string named(const ProviderOptions& provider);
std::string placed(const ProviderOptions& provider);

// The sentence that asks for an answer of a shape, for who has no field for it.
std::string shape_request(const nlohmann::json& schema);

}  // namespace hark
