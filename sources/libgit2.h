// What every file that meets libgit2 needs, without libgit2's own headers: git_repository.cpp, and ls_remote.cpp for what is
// remote.
#pragma once

#include <string>
#include <utility>

namespace hark {

// To be called before anything of libgit2, as often as one likes. Never undone: libgit2 keeps its errors by thread, and a thread
// that ends after the last shutdown would leave its behind.
void prepare_libgit2();

// Why the last call of this thread failed.
std::string libgit2_error();

// Owns what libgit2 hands out: Owned<git_commit, git_commit_free>.
template <class T, void (*FreeFunction)(T*)>
class Owned {
 public:
  Owned() = default;
  ~Owned() { FreeFunction(held_); }  // every free of libgit2's takes null
  Owned(Owned&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  T* get() const { return held_; }
  T** out() { return &held_; }  // while empty
  explicit operator bool() const { return held_ != nullptr; }

 private:
  T* held_ = nullptr;
};

}  // namespace hark
