// POST /api/git/pushes: what a post-receive hook saw. {"repository": the folder of its references, "moves": [{"ref", "before", "after"}]}.
#pragma once

#include <string>

#include "platform/http.h"

namespace hark {

class PushDesk;

// 202 {"sources": how many watch that repository}. It is not asked to be durable: the push stands in the repository.
HttpResponse take_pushes(PushDesk& desk, const std::string& body);

}  // namespace hark
