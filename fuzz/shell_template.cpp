// A script is rendered, or refused; what is rendered holds no value: all of them are in the environment.
#include "core/template.h"

#include <nlohmann/json.hpp>

#include "fuzz/fuzz.h"

using namespace hark;

void fuzz(std::string_view input) {
  constexpr std::string_view kMark = "HOSTILE-VALUE";
  if (input.find(kMark) != input.npos) return;
  const auto script = Template::parse(input);
  const nlohmann::json value = std::string(kMark) + "'\"`$(id)\n;";
  const nlohmann::json list = nlohmann::json::array({value, value});
  for (const auto* given : {&value, &list}) {
    const auto command = render_shell(script, [&](std::string_view) { return given; });
    if (command) HOLDS(command->script.find(kMark) == std::string::npos);
  }
  (void)check_shell(script);
  (void)script.render([&](std::string_view) { return &value; });
  (void)script.render_arguments([&](std::string_view) { return &list; });
}
