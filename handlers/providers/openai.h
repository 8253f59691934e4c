// Chat Completions of OpenAI and of all who speak it: Ollama, vLLM, llama.cpp, OpenRouter, ... (platform.openai.com/docs/api-reference/chat).
//
// POST {base_url}/chat/completions with `stream`; each event is a `chat.completion.chunk`, the last one [DONE]. Who does not know `stream`
// answers with one `chat.completion`. Pure.
#pragma once

#include "handlers/providers/provider.h"

namespace hark {

extern const Protocol kOpenAi;

}  // namespace hark
