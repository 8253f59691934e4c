// The slack step: a message by an incoming webhook, or with a token by chat.postMessage.
//
// Values come into the text and the blocks with &, < and > escaped (docs.slack.dev, "Formatting message text"), so that event data makes no
// link and calls no channel; {env.*} is configuration and comes as it is. The web API says what it refuses in a 200 ("ok": false).
#pragma once

#include "handlers/steps/attempt.h"

namespace hark {

void render(const SlackStepOptions& options, Scope& scope, RenderedStep& shown);
StepResult attempt(const SlackStepOptions& options, const StepCall& call);

}  // namespace hark
