#include "reporters/trace_export.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "platform/http_client.h"
#include "platform/secrets.h"
#include "platform/thread.h"

namespace hark {

namespace {

// https://opentelemetry.io/docs/specs/otlp/#otlphttp-response: of these alone another attempt may do better.
bool may_be_tried_again(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

}  // namespace

TraceExport::TraceExport(TraceOptions options, Parts parts, Pace pace)
    : options_(std::move(options)), parts_(std::move(parts)), pace_(pace), thread_(start_thread("hark-traces", Scheduling::batch, [this] { work(); })) {}

TraceExport::~TraceExport() {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    wake_.wait_for(lock, limits::kSpansAtEnd, [this] { return waiting_.empty() && !sending_; });
  }
  stop_.request_stop();
  wake_.notify_all();
  thread_.join();
}

void TraceExport::operator()(const lifecycle::Any& event) {
  auto span = spans_.of(event, parts_.clock.now().wall);
  if (!span) return;
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    full = waiting_.size() >= pace_.backlog;
    if (!full) waiting_.push_back(std::move(*span));
    if (waiting_.size() == 1 || waiting_.size() == limits::kSpanBatch) wake_.notify_all();
  }
  if (full) parts_.lost(1);
}

void TraceExport::work() {
  for (auto spans = next_batch(); !spans.empty(); spans = next_batch()) {
    send(std::move(spans));
    const std::lock_guard lock(mutex_);
    sending_ = false;
    wake_.notify_all();
  }
}

std::vector<Span> TraceExport::next_batch() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
  wake_.wait_for(lock, pace_.delay, [this] { return stopping_ || waiting_.size() >= limits::kSpanBatch; });
  const auto count = std::min(waiting_.size(), limits::kSpanBatch);
  const auto end = waiting_.begin() + std::ptrdiff_t(count);
  std::vector<Span> batch(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  sending_ = !batch.empty();
  return batch;
}

void TraceExport::send(std::vector<Span> spans) {
  if (stop_.stop_requested()) return parts_.lost(spans.size());
  const auto mask = parts_.secrets.mask();
  for (auto& span : spans) {
    for (auto& text : span.texts) text.second = mask.text(std::move(text.second));
    if (span.error) span.error = mask.text(std::move(*span.error));
  }
  HttpCall call;
  call.method = "POST";
  call.url = options_.url;
  call.headers = options_.headers;
  call.content_type = "application/json";
  call.body = otlp_json(options_, spans);
  call.timeout = options_.timeout;
  auto pause_before_next = pace_.pause;
  for (int attempt = 1;; ++attempt) {
    std::optional<Duration> again;
    const auto refused = try_to_send(call, again);
    if (refused) {
      failing_ = false;
      if (*refused > 0) give_up(*refused, {"it refused " + std::to_string(*refused) + " of " + std::to_string(spans.size()) + " spans", ""});
      return;
    }
    if (!again || attempt == limits::kSpanAttempts || !pause(std::max(*again, pause_before_next))) return give_up(spans.size(), refused.error());
    pause_before_next *= 2;
  }
}

Result<std::size_t> TraceExport::try_to_send(const HttpCall& call, std::optional<Duration>& again) {
  const auto answer = parts_.client.call(call, stop_.get_token());
  if (!answer) {
    again = Duration::zero();
    return answer.error();
  }
  if (answer->status / 100 == 2) {
    // {"partialSuccess": {"rejectedSpans": "3", "errorMessage": ...}}: a number may be a text.
    const auto body = nlohmann::json::parse(answer->body, nullptr, false);
    const auto partial = body.is_object() ? body.value("partialSuccess", nlohmann::json()) : nlohmann::json();
    const auto rejected = partial.is_object() ? partial.value("rejectedSpans", nlohmann::json()) : nlohmann::json();
    if (rejected.is_number_unsigned()) return rejected.get<std::size_t>();
    if (rejected.is_string()) return std::size_t(std::strtoull(rejected.get_ref<const std::string&>().c_str(), nullptr, 10));
    return std::size_t(0);
  }
  if (may_be_tried_again(answer->status)) again = std::min<Duration>(retry_after(answer->headers, parts_.clock.now().wall).value_or(Duration::zero()), limits::kSpanLongestPause);
  return Error{"the answer was " + std::to_string(answer->status), ""};
}

bool TraceExport::pause(Duration time) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, stop_.get_token(), time, [this] { return stopping_; });
  return !stopping_;
}

void TraceExport::give_up(std::uint64_t spans, const Error& error) {
  parts_.lost(spans);
  if (!std::exchange(failing_, true)) parts_.failed(error);
}

}  // namespace hark
