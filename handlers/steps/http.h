// The http step: one request, its answer the step's output. With `follow` it goes after redirects (redirect.h).
#pragma once

#include <cstddef>
#include <string>

#include "core/result.h"
#include "handlers/steps/attempt.h"
#include "platform/http_client.h"

namespace hark {

// Values come into the url percent-encoded (RFC 3986: all but the unreserved characters), so that event data cannot change its
// shape: no other host, segment, query parameter or fragment; one that would be a dot segment is an error. As they are: a url
// that is one template as a whole, and {env.*}, which is configuration. Into headers as they are, line breaks are an error. In
// `json` a string that is one template keeps its value's type, and is null where there is none.
Result<HttpCall> render_call(const HttpStepOptions& options, Scope& scope);  // but for the content of `file`

void render(const HttpStepOptions& options, Scope& scope, RenderedStep& shown);
StepResult attempt(const HttpStepOptions& options, const StepCall& call);

}  // namespace hark
