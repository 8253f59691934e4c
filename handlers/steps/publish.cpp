#include "handlers/steps/publish.h"

#include <memory>
#include <utility>

#include "core/ids.h"
#include "core/limits.h"
#include "core/payload.h"
#include "handlers/steps/json_document.h"
#include "platform/clock.h"

namespace hark {
namespace {

Result<Event> render_event(const PublishStepOptions& options, Scope& scope) {
  const auto lookup = [&](std::string_view name) { return scope.value(name); };
  Event event;
  event.type = options.type;
  event.topic = options.topic.render(lookup);
  event.subject = options.subject.render(lookup);
  event.source = options.source;
  event.data = Payload(render_json(options.data, scope));
  if (auto trouble = scope.take_trouble()) return *trouble;
  if (event.topic.size() > limits::kEventWord) return Error{"the topic is longer than " + std::to_string(limits::kEventWord) + " bytes", ""};
  if (event.subject.size() > limits::kEventWord) return Error{"the subject is longer than " + std::to_string(limits::kEventWord) + " bytes", ""};
  if (const auto fits = Payload::parse(std::string(event.data.text()), limits::kJsonDepth); !fits) return fits.error();
  if (event.data.text().size() > limits::kPublished) {
    return Error{"the data is larger than " + std::to_string(limits::kPublished) + " bytes", "publish where it is: {steps.NAME.output_file}"};
  }
  return event;
}

}  // namespace

void render(const PublishStepOptions& options, Scope& scope, RenderedStep& shown) {
  shown.kind = "publish";
  const auto event = render_event(options, scope);
  if (!event) {
    shown.error = event.error().text();
    return;
  }
  shown.text = event->type + (event->topic.empty() ? "" : " to " + event->topic) + "\n\n" + std::string(event->data.text());
}

StepResult attempt(const PublishStepOptions& options, const StepCall& call) {
  auto event = render_event(options, call.scope);
  if (!event) return failed_for_good(event.error());
  const auto mask = mask_of(call.tools);  // it stands in the journal, for all to read
  if (!mask.empty()) {
    event->topic = mask.text(std::move(event->topic));
    event->subject = mask.text(std::move(event->subject));
    event->data = Payload(mask.strings(event->data.json()));
  }
  event->id = derived_id(call.context.run.id, idempotency_key(call));
  if (event->source.empty()) event->source = std::string(kPublishingHandler) + call.handler.name;
  event->time = call.tools.clock.now().wall;
  event->correlation_id = call.context.run.correlation_id;
  event->causation_id = call.context.run.id;
  event->traceparent = traceparent_of(call);
  event->hops = call.context.event->hops + 1;
  StepResult result;
  nlohmann::json said = {{"event_id", event->id}, {"type", event->type}};
  if (!event->topic.empty()) said["topic"] = event->topic;
  keep_output(write_json(said), call, result);
  result.published = std::make_shared<const Event>(std::move(*event));
  return result;
}

}  // namespace hark
