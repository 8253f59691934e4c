// `hark explain --refused`: what was refused before it was an event. Only the daemon that refused it knows.
#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "daemon/config_reader.h"

namespace hark {

using nlohmann::json;

namespace {

void print_refusals(const json& refusals) {
  std::vector<std::vector<output::Cell>> rows;
  for (const auto& refusal : refusals) {
    const auto source = refusal["source"].get<std::string>();
    rows.push_back({{refusal["time"].get<std::string>()},
                    {source.empty() ? "-" : source},
                    {std::to_string(refusal["count"].get<std::uint64_t>())},
                    {refusal.value("peer", std::string{})},
                    {refusal.value("delivery", std::string{})},
                    {refusal["reason"].get<std::string>()}});
  }
  output::print_table({{"TIME", true, 1}, {"SOURCE"}, {"COUNT", true}, {"FROM", false, 2}, {"DELIVERY", false, 3, output::Overflow::middle}, {"REASON", false, 0, output::Overflow::wrap}}, rows);
}

}  // namespace

int refusals_command(const RefusalsCommand& command) {
  auto target = "/api/refusals?limit=" + std::to_string(command.limit);
  if (!command.source.empty()) {
    if (const auto expected = check_config_name(command.source); !expected.empty()) {
      output::complain(Error{"--source: '" + command.source + "' is no source's name: " + expected, "`hark daemon status` lists the sources"});
      return exit_code::kUsage;
    }
    target += "&source=" + command.source;
  }
  json answer;
  if (const auto ended = ask_daemon_json(command.common, "GET", target, {}, kPatience, answer)) return *ended;
  const auto& refusals = answer["refusals"];
  if (refusals.empty()) output::complain("nothing was refused since the daemon began");
  if (command.common.json) {
    output::print_json(answer);
  } else if (!refusals.empty()) {
    print_refusals(refusals);
  }
  return exit_code::kOk;
}

}  // namespace hark
