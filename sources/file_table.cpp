#include "sources/file_table.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

namespace hark {
namespace {

constexpr std::size_t kLengthBytes = 2;  // NAME_MAX is 255, but not on every file system

std::uint32_t hash_of(std::string_view name) {
  const std::uint64_t hash = std::hash<std::string_view>{}(name);
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

// splitmix64's finalizer: every bit of the input changes half of the output's.
std::uint64_t mixed(std::uint64_t bits) {
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
  return bits ^ (bits >> 31);
}

std::size_t slots_for(std::size_t files) { return std::bit_ceil(std::max<std::size_t>(2, files + files / 3 + 1)); }

}  // namespace

FileStamp FileStamp::of(std::uint64_t size, std::int64_t modified_ns, std::uint64_t inode) {
  const auto content = mixed(mixed(size + 0x9E3779B97F4A7C15) + static_cast<std::uint64_t>(modified_ns));
  return {content == 0 ? 1 : content, inode};
}

std::string_view FileTable::name_of(const Slot& slot) const {
  const auto low = static_cast<unsigned char>(names_[slot.name]);
  const auto high = static_cast<unsigned char>(names_[slot.name + 1]);
  return std::string_view(names_).substr(slot.name + kLengthBytes, low + (std::size_t{high} << 8));
}

std::size_t FileTable::slot_of(std::string_view name, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const auto& slot = slots_[at];
    if (slot.name == kFree || (slot.hash == hash && name_of(slot) == name)) return at;
  }
}

const FileStamp* FileTable::find(std::string_view name) const {
  if (slots_.empty()) return nullptr;
  const auto& slot = slots_[slot_of(name, hash_of(name))];
  return slot.name == kFree ? nullptr : &slot.stamp;
}

bool FileTable::add(std::string_view name, FileStamp stamp) {
  if (find(name) != nullptr) return false;
  if (slots_for(size_ + 1) > slots_.size()) rebuild(slots_for(size_ + 1), 0);
  const auto hash = hash_of(name);
  slots_[slot_of(name, hash)] = {stamp, static_cast<std::uint32_t>(names_.size()), hash};
  names_.push_back(static_cast<char>(name.size() & 0xFF));
  names_.push_back(static_cast<char>(name.size() >> 8));
  names_.append(name);
  ++size_;
  return true;
}

void FileTable::set(std::string_view name, FileStamp stamp) {
  if (!add(name, stamp)) slots_[slot_of(name, hash_of(name))].stamp = stamp;
}

// What follows without a gap moves up, where it may: no slot is ever marked as deleted.
bool FileTable::erase(std::string_view name) {
  if (slots_.empty()) return false;
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = slot_of(name, hash_of(name));
  if (slots_[hole].name == kFree) return false;
  erased_ += kLengthBytes + name.size();
  --size_;
  for (std::size_t at = (hole + 1) & mask; slots_[at].name != kFree; at = (at + 1) & mask) {
    const std::size_t home = slots_[at].hash & mask;
    if (((at - home) & mask) < ((at - hole) & mask)) continue;  // it would stand before where its probing begins
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole].name = kFree;
  if (erased_ > 64 && erased_ > names_.size() / 2) rebuild(slots_for(size_), 0);
  return true;
}

void FileTable::reserve(std::size_t files, std::size_t bytes_of_names) {
  if (files > 0) rebuild(std::max(slots_.size(), slots_for(files)), bytes_of_names + kLengthBytes * files);
}

void FileTable::rebuild(std::size_t slots, std::size_t bytes_of_names) {
  FileTable fresh;
  fresh.slots_.resize(slots);
  fresh.names_.reserve(std::max(bytes_of_names, names_.size() - erased_));
  each([&](std::string_view name, const FileStamp& stamp) { fresh.add(name, stamp); });
  *this = std::move(fresh);
}

}  // namespace hark
