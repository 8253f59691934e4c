#include "handlers/providers/answer.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/payload.h"

namespace hark {

bool AnswerReader::feed(std::string_view piece) {
  if (!begun_) {
    piece.remove_prefix(std::min(piece.find_first_not_of(" \t\r\n"), piece.size()));
    if (piece.empty()) return true;
    begun_ = true;
    is_document_ = piece.front() == '{';
  }
  if (!is_document_) return feed_events(piece);
  if (piece.size() > limits::kStreamEvent - document_.size()) {
    return fail({"the answer is larger than " + std::to_string(limits::kStreamEvent) + " bytes", ""});
  }
  document_ += piece;
  return true;
}

bool AnswerReader::feed_events(std::string_view piece) {
  const auto events = stream_.feed(piece);
  if (!events) return fail(events.error());
  for (const auto& event : *events) {
    if (auto read = protocol_.read_event(event, reply_); !read) return fail(read.error());
    if (reply_.text.size() > limits::kAnswer) {
      return fail({"the answer is longer than " + std::to_string(limits::kAnswer) + " bytes", "ask for less, or set a lower `max_tokens`"});
    }
    if (reply_.ended) return false;
  }
  return true;
}

Status AnswerReader::finish() {
  if (!status_) return status_;
  if (is_document_) {
    const auto document = parse_json(document_, "the answer");
    if (!document) return document.error();
    if (auto read = protocol_.read_document(*document, reply_); !read) return read;
  }
  if (!reply_.refusal.empty() || reply_.stopped || reply_.ended) return {};
  return Error{"the answer broke off" + std::string(reply_.text.empty() ? " before it began" : ""), ""};
}

bool AnswerReader::fail(Error error) {
  status_ = std::move(error);
  return false;
}

}  // namespace hark
