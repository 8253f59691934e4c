#include "platform/trace_context.h"

#include "core/hex.h"
#include "platform/digest.h"

namespace hark {
namespace {

// No digest is all zeros, which would be no id.
std::string digest_of(std::initializer_list<std::string_view> words, std::size_t digits) {
  Sha256 digest;
  for (const auto word : words) {
    digest.add(std::to_string(word.size()) + ":");  // so that no two lists of words are the same bytes
    digest.add(word);
  }
  return to_hex(digest.finish()).substr(0, digits);
}

}  // namespace

TraceContext trace_of(std::string_view traceparent, std::string_view correlation_id) {
  if (traceparent.size() < 55) return {digest_of({"trace", correlation_id}, 32), {}, true};
  const bool sampled = (hex_value(traceparent[54]) & 1) != 0;
  return {std::string(traceparent.substr(3, 32)), std::string(traceparent.substr(36, 16)), sampled};
}

std::string span_of(std::initializer_list<std::string_view> words) { return digest_of(words, 16); }
std::string span_of_event(std::string_view event_id) { return span_of({"event", event_id}); }
std::string span_of_run(std::string_view run_id, int attempt) { return span_of({"run", run_id, std::to_string(attempt)}); }
std::string span_of_iteration(std::string_view run_id, int attempt, int iteration) {
  return span_of({"iteration", run_id, std::to_string(attempt), std::to_string(iteration)});
}
std::string span_of_step(std::string_view run_id, int attempt, int iteration, std::string_view name) {
  return span_of({"step", run_id, std::to_string(attempt), std::to_string(iteration), name});
}

std::string traceparent_for(const TraceContext& trace, std::string_view span) {
  return "00-" + trace.trace_id + "-" + std::string(span) + (trace.sampled ? "-01" : "-00");
}

}  // namespace hark
