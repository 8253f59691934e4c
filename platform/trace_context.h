// W3C Trace Context (https://www.w3.org/TR/trace-context/): which trace an event and what comes of it belong to.
//
// The ids of hark's own spans are digests of what they are of. So nothing has to be kept: a run that goes on after a crash, or an event that
// is explained a week later, is in the same trace under the same ids, whoever computes them. Pure.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace hark {

struct TraceContext {
  std::string trace_id;  // 32 hex digits
  std::string parent;    // 16; the sender's span. Empty: the trace begins here
  bool sampled = true;   // the sender wants it recorded
};

// Of an event: what its `traceparent` says (platform/http.h has checked it), or else the trace of its story.
TraceContext trace_of(std::string_view traceparent, std::string_view correlation_id);

// 16 hex digits, of any words; and of what several places need to know.
std::string span_of(std::initializer_list<std::string_view> words);
std::string span_of_event(std::string_view event_id);
std::string span_of_run(std::string_view run_id, int attempt);
std::string span_of_iteration(std::string_view run_id, int attempt, int iteration);
std::string span_of_step(std::string_view run_id, int attempt, int iteration, std::string_view name);

// For whoever is called from within this span.
std::string traceparent_for(const TraceContext& trace, std::string_view span);

}  // namespace hark
