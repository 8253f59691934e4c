// `hark daemon reload`, and `hark config plan`, which asks what that would do.
#include <cstdio>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/output.h"

namespace hark {

using nlohmann::json;

namespace {

constexpr int kRefused = 422;

int ask(const CommonOptions& common, bool plan) {
  Answer answer;
  const auto target = std::string("/api/control/reload") + (plan ? "?plan=true" : "");
  if (const auto ended = ask_daemon(common, "POST", target, {}, kPatience, answer)) return *ended;
  const bool refused = answer.status == kRefused;
  if (refused) answer.status = 200;  // it is an answer, and shown as one
  json value;
  if (const auto ended = read_answer(answer, value)) return *ended;
  const int status = refused ? exit_code::kConfig : exit_code::kOk;
  if (common.json) {
    output::print_json(value);
    return status;
  }
  const auto& lines = value[refused ? "errors" : "warnings"];
  for (const auto& line : lines) std::fprintf(stderr, "%s\n", output::printable(line.get<std::string>()).c_str());
  if (refused) {
    output::complain(plan ? "a reload would be refused, and leave everything as it is" : "the configuration is refused: everything goes on as it was");
  } else {
    const auto text = value["text"].get<std::string>();
    output::print_line(text != "nothing" ? text : plan ? "nothing would change" : "nothing has changed");
  }
  return status;
}

}  // namespace

int reload_command(const CommonOptions& common) { return ask(common, false); }
int config_plan_command(const CommonOptions& common) { return ask(common, true); }

}  // namespace hark
