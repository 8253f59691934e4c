// What the end of a process by SIGBUS is about. A store to a mapped file whose page cannot be had raises it (mmap(2)): SQLite maps the
// journal's -shm, and on some file systems (Btrfs) a full disk or quota shows there before any write fails with an error.
#pragma once

namespace hark {

// Of this process, from any thread: one line on standard error, then the end that comes anyway. Nothing that was accepted depends on it.
void explain_bus_errors();

}  // namespace hark
