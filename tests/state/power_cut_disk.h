// A disk that can lose its power or be full: a SQLite VFS over the real one, which keeps beside every file what of it has been
// synced and what was written since. An image of what a power cut leaves can be taken at any operation.
//
// What it takes for granted is what SQLite does (https://www.sqlite.org/atomiccommit.html#hardware): a sync that returned holds; of
// what was written since, any sector (512 bytes) may be there or not, in any order, and a sector is whole. A name is in its folder
// after a sync of the folder, which SQLite's unix VFS does with the first sync of a journal or -wal that it made (os_unix.c, DIRSYNC).
#pragma once

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hark::test {

class PowerCutDisk {
 public:
  struct Image {
    std::map<std::string, std::string> files;  // name, without the folder -> content
    std::set<std::string> promised;

    void write_to(const std::filesystem::path& folder) const {
      for (const auto& [name, content] : files) std::ofstream(folder / name, std::ios::binary) << content;
    }
  };

  PowerCutDisk();   // registers the VFS
  ~PowerCutDisk();  // every connection through it is closed by then
  PowerCutDisk(const PowerCutDisk&) = delete;
  PowerCutDisk& operator=(const PowerCutDisk&) = delete;

  const std::string& name() const { return name_; }

  // For JournalOptions::sync. Says that the disk has it, and lets it be so only when `honest`.
  int sync(int fd, bool honest = true) {
    char path[4096];
    const auto length = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
    struct stat status {};
    if (length <= 0 || fstat(fd, &status) != 0) return -1;
    std::lock_guard lock(mutex_);
    if (!honest) return 0;
    S_ISDIR(status.st_mode) ? sync_folder() : sync_file(files_[std::string(path, static_cast<std::size_t>(length))]);
    return 0;
  }

  // Somebody was told that this is durable: it belongs to every image taken from now on.
  void promise(const std::string& what) {
    std::lock_guard lock(mutex_);
    promised_.insert(what);
  }

  // The power goes when this many operations (writes, syncs, truncations, deletions) have happened.
  void cut_after(std::uint64_t operations, std::uint64_t seed) {
    std::lock_guard lock(mutex_);
    cut_after_ = operations;
    seed_ = seed;
  }
  std::optional<Image> taken() {
    std::lock_guard lock(mutex_);
    return taken_;
  }
  Image cut_now(std::uint64_t seed) {
    std::lock_guard lock(mutex_);
    return image(seed);
  }

  // After this many writes every further one fails, until space_is_back().
  void full_after(std::uint64_t writes) { full_after_ = static_cast<std::int64_t>(writes); }
  void space_is_back() { full_after_ = std::numeric_limits<std::int64_t>::max(); }

  // Called by the VFS.
  void on_open(const std::string& path, bool new_journal) {
    std::lock_guard lock(mutex_);
    const auto [at, is_new] = files_.try_emplace(path);
    if (is_new) {
      std::ifstream file(path, std::ios::binary);
      std::error_code none;
      const auto size = std::filesystem::file_size(path, none);
      if (!none) at->second.durable.resize(size);
      file.read(at->second.durable.data(), static_cast<std::streamsize>(at->second.durable.size()));
      at->second.syncs_folder = new_journal;
    }
  }
  bool on_write(const std::string& path, sqlite3_int64 offset, std::string bytes) {
    if (full_after_-- <= 0) return false;
    std::lock_guard lock(mutex_);
    count();
    files_[path].since.push_back({static_cast<std::size_t>(offset), std::move(bytes)});
    return true;
  }
  void on_truncate(const std::string& path, sqlite3_int64 size) {
    std::lock_guard lock(mutex_);
    count();
    files_[path].since.push_back({static_cast<std::size_t>(size), std::nullopt});
  }
  void on_sync(const std::string& path) {
    std::lock_guard lock(mutex_);
    count();
    auto& file = files_[path];
    sync_file(file);
    if (std::exchange(file.syncs_folder, false)) sync_folder();
  }
  void on_delete(const std::string& path, bool folder_synced) {
    std::lock_guard lock(mutex_);
    count();
    const auto found = files_.find(path);
    if (found == files_.end()) return;
    if (found->second.named) deleted_[path] = std::move(found->second);
    files_.erase(found);
    if (folder_synced) sync_folder();
  }

 private:
  static constexpr std::size_t kSector = 512;

  struct Change {
    std::size_t at = 0;                // of a write; the new size of a truncation
    std::optional<std::string> bytes;  // of a write
  };
  struct File {
    std::string durable;
    std::vector<Change> since;
    bool named = false;         // its name survives
    bool syncs_folder = false;  // with its first sync
  };

  static void put(std::string& content, std::size_t at, std::string_view bytes) {
    if (content.size() < at + bytes.size()) content.resize(at + bytes.size());
    content.replace(at, bytes.size(), bytes);
  }
  static void sync_file(File& file) {
    for (const auto& change : file.since) {
      change.bytes ? put(file.durable, change.at, *change.bytes) : file.durable.resize(change.at);
    }
    file.since.clear();
  }
  void sync_folder() {
    for (auto& [path, file] : files_) file.named = true;
    deleted_.clear();
  }

  void count() {
    if (operations_++ == cut_after_) taken_ = image(seed_);
  }

  Image image(std::uint64_t seed) const {
    std::mt19937_64 random(seed);
    const auto chance = [&](double part) { return std::uniform_real_distribution<double>(0, 1)(random) < part; };
    const double part = std::array{0.0, 0.1, 0.5, 0.9, 1.0}[random() % 5];  // of what is not synced
    Image result{{}, promised_};
    for (const auto& [path, file] : deleted_) {
      if (chance(0.5)) result.files[std::filesystem::path(path).filename()] = file.durable;
    }
    for (const auto& [path, file] : files_) {
      if (!file.named && !chance(part)) continue;
      auto content = file.durable;
      const bool in_order = chance(0.3);  // up to some moment, as when the disk writes in order
      for (const auto& change : file.since) {
        if (in_order && chance(0.1)) break;
        if (!change.bytes) {
          if (in_order || chance(part)) content.resize(change.at);
          continue;
        }
        for (std::size_t from = 0; from < change.bytes->size();) {
          const auto until = std::min(change.bytes->size(), from + kSector - (change.at + from) % kSector);
          if (in_order || chance(part)) put(content, change.at + from, std::string_view(*change.bytes).substr(from, until - from));
          from = until;
        }
      }
      result.files[std::filesystem::path(path).filename()] = std::move(content);
    }
    return result;
  }

  std::string name_;
  sqlite3_vfs vfs_{};
  std::atomic<std::int64_t> full_after_{std::numeric_limits<std::int64_t>::max()};
  std::mutex mutex_;
  std::map<std::string, File> files_;    // by path
  std::map<std::string, File> deleted_;  // whose names may come back
  std::set<std::string> promised_;
  std::uint64_t operations_ = 0;
  std::uint64_t cut_after_ = ~0ull;
  std::uint64_t seed_ = 0;
  std::optional<Image> taken_;
};

// The VFS: every call goes on to SQLite's own, but for the syncs, which cost time and change nothing that can be seen.
namespace power_cut {

struct ShimFile {
  sqlite3_file base;
  PowerCutDisk* disk;
  std::string* path;
  sqlite3_file* real;
};

inline ShimFile& shim(sqlite3_file* file) { return *reinterpret_cast<ShimFile*>(file); }
inline sqlite3_file* real(sqlite3_file* file) { return shim(file).real; }
inline sqlite3_vfs* real_vfs() { return sqlite3_vfs_find("unix"); }

inline int close(sqlite3_file* file) {
  const int code = real(file)->pMethods != nullptr ? real(file)->pMethods->xClose(real(file)) : SQLITE_OK;
  sqlite3_free(shim(file).real);
  delete shim(file).path;
  return code;
}
inline int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  auto& self = shim(file);
  if (!self.disk->on_write(*self.path, offset, std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size)))) {
    return SQLITE_FULL;
  }
  return self.real->pMethods->xWrite(self.real, bytes, size, offset);
}
inline int truncate(sqlite3_file* file, sqlite3_int64 size) {
  shim(file).disk->on_truncate(*shim(file).path, size);
  return real(file)->pMethods->xTruncate(real(file), size);
}
inline int sync(sqlite3_file* file, int) {
  shim(file).disk->on_sync(*shim(file).path);
  return SQLITE_OK;
}

inline const sqlite3_io_methods* methods() {
  static const sqlite3_io_methods table = {
      2,
      close,
      [](sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
        return real(file)->pMethods->xRead(real(file), into, size, offset);
      },
      write,
      truncate,
      sync,
      [](sqlite3_file* file, sqlite3_int64* size) { return real(file)->pMethods->xFileSize(real(file), size); },
      [](sqlite3_file* file, int level) { return real(file)->pMethods->xLock(real(file), level); },
      [](sqlite3_file* file, int level) { return real(file)->pMethods->xUnlock(real(file), level); },
      [](sqlite3_file* file, int* out) { return real(file)->pMethods->xCheckReservedLock(real(file), out); },
      [](sqlite3_file* file, int what, void* value) { return real(file)->pMethods->xFileControl(real(file), what, value); },
      [](sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); },
      [](sqlite3_file* file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); },
      [](sqlite3_file* file, int page, int size, int extend, void volatile** at) {
        return real(file)->pMethods->xShmMap(real(file), page, size, extend, at);
      },
      [](sqlite3_file* file, int offset, int n, int flags) { return real(file)->pMethods->xShmLock(real(file), offset, n, flags); },
      [](sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); },
      [](sqlite3_file* file, int remove) { return real(file)->pMethods->xShmUnmap(real(file), remove); },
      nullptr,
      nullptr,
  };
  return &table;
}

inline int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  auto& self = shim(file);
  self.disk = static_cast<PowerCutDisk*>(vfs->pAppData);
  self.path = new std::string(path != nullptr ? path : "");
  self.real = static_cast<sqlite3_file*>(sqlite3_malloc(real_vfs()->szOsFile));
  std::memset(self.real, 0, static_cast<std::size_t>(real_vfs()->szOsFile));
  const bool existed = path != nullptr && access(path, F_OK) == 0;
  const int code = real_vfs()->xOpen(real_vfs(), path, self.real, flags, out_flags);
  self.base.pMethods = code == SQLITE_OK ? methods() : nullptr;
  if (code != SQLITE_OK) {
    sqlite3_free(self.real);
    delete self.path;
    return code;
  }
  const bool journal = (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
  if (path != nullptr) self.disk->on_open(*self.path, journal && !existed);
  return code;
}
inline int remove(sqlite3_vfs* vfs, const char* path, int sync_folder) {
  static_cast<PowerCutDisk*>(vfs->pAppData)->on_delete(path, sync_folder != 0);
  return real_vfs()->xDelete(real_vfs(), path, 0);
}

}  // namespace power_cut

inline PowerCutDisk::PowerCutDisk() {
  static std::atomic<int> count{0};
  name_ = "power-cut-" + std::to_string(count++);
  vfs_ = *sqlite3_vfs_find("unix");  // the methods that are left as they are need no more than their arguments
  vfs_.szOsFile = sizeof(power_cut::ShimFile);
  vfs_.zName = name_.c_str();
  vfs_.pNext = nullptr;
  vfs_.pAppData = this;
  vfs_.xOpen = power_cut::open;
  vfs_.xDelete = power_cut::remove;
  sqlite3_vfs_register(&vfs_, 0);
}
inline PowerCutDisk::~PowerCutDisk() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace hark::test
