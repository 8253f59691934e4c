#include "cli/payload_argument.h"

#include "cli/standard_input.h"
#include "core/json_keys.h"
#include "platform/file_system.h"

namespace hark {

namespace {

constexpr std::uint64_t kLargest = 64 * 1024 * 1024;

}  // namespace

Result<std::string> read_payload_argument(const std::string& argument) {
  if (argument.empty()) return std::string{};
  std::string text = argument;
  std::string what = "--payload";
  if (argument == "-") {
    auto input = read_standard_input();
    if (!input) return input.error();
    text = std::move(*input);
    what = "standard input";
  } else if (argument.front() == '@') {
    what = argument.substr(1);
    RealFileSystem files;
    auto content = files.read(what, kLargest);
    if (!content) return content.error();
    if (!*content) return Error{what + ": no such file", {}};
    text = std::move(**content);
  }
  auto parsed = parse_event_data(std::move(text));
  if (!parsed) return Error{what + ": " + parsed.error().message, "give JSON, @FILE, or - for standard input"};
  return parsed->text();
}

}  // namespace hark
