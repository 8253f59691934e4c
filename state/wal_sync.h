// The sync thread: makes what was committed to SQLite's -wal file survive power loss, once for all who ask meanwhile.
//
// Why an fdatasync of the -wal is enough, with PRAGMA synchronous=NORMAL (https://www.sqlite.org/wal.html, src/wal.c):
// - A commit is in the -wal as frames that chain by checksum from the file's header. When all frames up to it are on the disk,
//   recovery finds it whatever else the power cut did: pages that a checkpoint was copying into the database at that moment are
//   read from the -wal again, and a torn tail behind it fails its checksum and is dropped.
// - The -wal is written from its beginning again only after a checkpoint has copied every frame into the database and synced
//   that; NORMAL does these syncs, and it syncs the new header before the first new frame, so that old frames can never be read
//   half overwritten. A commit whose frames are gone when the fdatasync begins is therefore durable in the database file.
// - fdatasync works on the file, not on the descriptor, and the -wal keeps its inode while a connection is open (only the last
//   one to close removes it). SQLite takes no lock on the -wal, so closing this descriptor gives none away; on the database or
//   the -shm it would (fcntl(2): closing any descriptor of a file drops the process's locks on it).
// - Size and blocks of an appended file are data that fdatasync writes (fdatasync(2)); the name is not, so open_journal() syncs
//   the folder before anything can be asked here.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace hark {

class Clock;

class WalSync {
 public:
  using Sync = std::function<int(int fd)>;  // as fdatasync(2); called on the sync thread
  // A file as it was when it was opened, by which one knows that the name still leads to it.
  struct Known {
    std::string name;
    dev_t device;
    ino_t inode;
  };

  // Owns `fd`, which is `journal`-wal, open. The thread is started by the first request.
  WalSync(int fd, const std::string& journal, Sync sync);
  ~WalSync();  // finishes what was asked
  WalSync(const WalSync&) = delete;
  WalSync& operator=(const WalSync&) = delete;

  // Before the first request. Called on the sync thread after each sync that was made.
  void measure(const Clock& clock, std::function<void(Duration took, std::size_t group)> measured);

  // One thread calls; `durable` is called on the sync thread, in the order of the requests. It must not throw.
  void request(std::function<void(Status)> durable);

  // The error of the first sync that failed; it stays. Any thread.
  Status fault() const;

 private:
  void work();
  Status sync_once(std::size_t group);

  Status look(const Known& file) const;

  const int fd_;
  const std::vector<Known> files_;  // journal and -wal
  const Sync sync_;
  const Clock* clock_ = nullptr;  // with the next, for the thread that is made later
  std::function<void(Duration took, std::size_t group)> measured_;
  std::thread thread_;           // made and joined by the one thread that calls
  mutable std::mutex mutex_;
  std::optional<Error> failed_;  // guarded by mutex_
  std::condition_variable wake_;
  std::vector<std::function<void(Status)>> waiting_;  // guarded by mutex_
  bool stopping_ = false;                             // guarded by mutex_
};

}  // namespace hark
