// Reads an answer while it comes: a stream of events, or one JSON document from an endpoint that does not stream. What it is tells its first
// byte, whatever the header says: no event stream begins with a brace. Pure; one answer, one thread.
#pragma once

#include <string>
#include <string_view>

#include "core/event_stream.h"
#include "handlers/providers/provider.h"

namespace hark {

class AnswerReader {
 public:
  explicit AnswerReader(const Protocol& protocol) : protocol_(protocol) {}

  // False: there is nothing more to be had; the rest need not be read.
  bool feed(std::string_view piece);
  // After the last piece. An Error: it broke off, or is not what the protocol knows; reply() is what there was.
  Status finish();
  const Reply& reply() const { return reply_; }
  Reply& reply() { return reply_; }

 private:
  bool feed_events(std::string_view piece);
  bool fail(Error error);

  const Protocol& protocol_;
  EventStream stream_;
  Reply reply_;
  std::string document_;  // as far as it is one
  bool begun_ = false;
  bool is_document_ = false;
  Status status_;
};

}  // namespace hark
