// GET /metrics: what the reporter has counted, and what is read at that moment. The text is put together on a worker: with a thousand
// handlers it takes longer than the loop may be held up.
#pragma once

#include <cstdint>
#include <string_view>

namespace hark {

struct ApiParts;
class Engine;

void add_metrics_route(const ApiParts& parts);

// "running" | "paused" | "halted" | "draining"
std::string_view daemon_state(const Engine& engine);
std::uint64_t dead_letters(const ApiParts& parts);

}  // namespace hark
