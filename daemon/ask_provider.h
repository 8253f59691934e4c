// What `hark config check --online` does: each provider of the configuration is asked once, for a word. Blocks, up to limits::kCheckTimeout
// a provider.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "daemon/settings.h"

namespace hark {

struct ProviderCheck {
  std::string name;
  std::string type;   // "openai", "anthropic", "command"
  std::string model;  // of a command: its program
  Status answer;      // of a command: its program is found; it is not started
  Duration took{};
};

bool is_relative_program(const std::string& program);  // "./agent": in the folder that a run works in

std::vector<ProviderCheck> ask_providers(const Settings& settings);

}  // namespace hark
