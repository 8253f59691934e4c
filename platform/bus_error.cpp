#include "platform/bus_error.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

namespace hark {

namespace {

constexpr std::string_view kText =
    "hark: ended by SIGBUS: a page of a mapped file, most likely of the journal's -shm, could not be had: the disk or a quota is full, or "
    "somebody cut the file. What was accepted is kept: make room, and start hark again\n";

void explain(int) { (void)!::write(STDERR_FILENO, kText.data(), kText.size()); }

}  // namespace

void explain_bus_errors() {
  struct sigaction action {};
  action.sa_handler = explain;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the instruction is tried again, and then it ends the process
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace hark
