// Where an answer sends a call on (RFC 9110, 15.4): 303, and 301 and 302 of a POST, become a GET without a body. Never from https to http; to
// another origin go no headers but Accept and User-Agent, as any other may hold a secret.
#pragma once

#include "core/result.h"
#include "platform/http_client.h"

namespace hark {

bool is_redirect(int status);
Result<HttpCall> redirected(HttpCall call, const HttpResponse& answer);

}  // namespace hark
