// The process that asks a remote repository for the daemon.
#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <iostream>
#include <iterator>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "daemon/ask_remote.h"

namespace hark {

namespace {

// A server that sends references without end is to end this process and not the machine.
constexpr rlim_t kMemory = rlim_t(1) << 30;

}  // namespace

int ls_remote_command() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody reads the answer when the daemon is gone
  const rlimit memory{kMemory, kMemory};
  setrlimit(RLIMIT_AS, &memory);
  const auto answer = ask_remote(std::string(std::istreambuf_iterator<char>(std::cin), {}));
  output::print_line(answer.text);
  return answer.succeeded ? exit_code::kOk : exit_code::kFailed;
}

}  // namespace hark
