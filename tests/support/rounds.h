// How often a property is tried. Sanitizers look at the ways through the code, which few rounds take as well, and each costs them many times
// as much.
#pragma once

namespace hark::test {

template <class Count>
constexpr Count rounds(Count count) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return count < 10 ? count : count / 10 + 1;
#else
  return count;
#endif
}

}  // namespace hark::test
