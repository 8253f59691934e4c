// What /proc says of the processes there are: one pass over proc_pid_stat(5). Blocks for about 10 µs a process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hark {

struct ProcessEntry {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  std::uint64_t start = 0;  // clock ticks since boot: with the pid it names one process for good
  char state = '?';         // 'Z': it has ended and waits to be reaped
  std::string name;
};

struct ProcessTable {
  std::vector<ProcessEntry> entries;  // the highest number, mostly the youngest, first
  std::vector<pid_t> vanished;        // listed, but gone before they were read
};
ProcessTable read_process_table();
pid_t newest_process();  // the number given out last, proc_loadavg(5); 0: not known
bool read_process(pid_t pid, ProcessEntry& entry);  // false: there is none

// The environment a process was started with, "A=1\0B=2\0"; empty where it may not be read or there is none.
std::string read_environment(pid_t pid);
bool has_entry(std::string_view environment, std::string_view entry);               // "NAME=value"
bool has_variable(std::string_view environment, std::string_view name_and_equals);  // "NAME="

}  // namespace hark
