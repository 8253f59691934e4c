// The command line: which words hark understands. Everything about CLI11 is in the one .cpp.
#pragma once

namespace hark {

int run_command_line(int argc, const char* const* argv);

}  // namespace hark
