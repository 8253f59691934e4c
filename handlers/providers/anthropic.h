// Anthropic's Messages (docs.anthropic.com/en/api/messages, .../messages-streaming, .../errors).
//
// POST {base_url}/v1/messages with `stream`: message_start, then for each block of the answer content_block_start, _delta, _stop, then
// message_delta and message_stop; `ping` and `error` anywhere. Pure.
#pragma once

#include "handlers/providers/provider.h"

namespace hark {

extern const Protocol kAnthropic;

}  // namespace hark
