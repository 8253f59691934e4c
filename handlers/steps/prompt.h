// The prompt step: a question to a provider of answers (handlers/providers/), or to a coding agent's command, which reads it from its
// standard input in the handler's folder. The answer's text is the step's output.
//
// Values come into a prompt as plain text: to whom a prompt goes it is text, and what a model makes of a stranger's text is no more to be
// trusted than that text. Nothing of an answer is run.
//
// With a schema the answer is one JSON document that fits it, also where a fence (```) stood around it; another one is a failed attempt.
#pragma once

#include "handlers/steps/attempt.h"

namespace hark {

void render(const PromptStepOptions& options, Scope& scope, RenderedStep& shown);
StepResult attempt(const PromptStepOptions& options, const StepCall& call);

}  // namespace hark
