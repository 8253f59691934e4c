// The files of one folder by name, each with its stamp. A tree may have millions, so this is small: about 45 bytes a file beside its
// name (open addressing with linear probing; the names stand one behind the other). Not for threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hark {

// A file whose stamp is the same is taken to be the same: what make and git trust, too.
struct FileStamp {
  std::uint64_t content = 0;  // of its size and mtime; 0: nobody has looked yet
  std::uint64_t inode = 0;

  static FileStamp of(std::uint64_t size, std::int64_t modified_ns, std::uint64_t inode);
  bool looked_at() const { return content != 0; }
  bool operator==(const FileStamp&) const = default;
};

class FileTable {
 public:
  const FileStamp* find(std::string_view name) const;  // valid until the next change
  // False: it was there, and keeps its stamp.
  bool add(std::string_view name, FileStamp stamp);
  void set(std::string_view name, FileStamp stamp);  // there or not
  bool erase(std::string_view name);
  void reserve(std::size_t files, std::size_t bytes_of_names);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  template <class Visit>
  void each(Visit visit) const {  // which must not change the table
    for (const auto& slot : slots_) {
      if (slot.name != kFree) visit(name_of(slot), slot.stamp);
    }
  }

 private:
  static constexpr std::uint32_t kFree = ~std::uint32_t{0};
  struct Slot {
    FileStamp stamp;
    std::uint32_t name = kFree;  // where it begins in names_: its length in two bytes, then itself
    std::uint32_t hash = 0;
  };

  std::string_view name_of(const Slot& slot) const;
  std::size_t slot_of(std::string_view name, std::uint32_t hash) const;  // its own, or the free one where it belongs
  void rebuild(std::size_t slots, std::size_t bytes_of_names);

  std::vector<Slot> slots_;  // a power of two of them, at least one free; or none
  std::string names_;        // those of erased files among them, until the next rebuild()
  std::size_t size_ = 0;
  std::size_t erased_ = 0;  // bytes of names_
};

}  // namespace hark
