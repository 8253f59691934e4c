#include "core/ids.h"

namespace hark {

namespace {
constexpr char kCrockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
}

std::string IdGenerator::next(WallTime now) {
  const auto ms = std::uint64_t(std::chrono::floor<std::chrono::milliseconds>(now).time_since_epoch().count());
  if (ms > last_ms_) {
    last_ms_ = ms;
    for (std::size_t i = 0; i < tail_.size(); i += 8) {
      auto word = random_();
      for (std::size_t j = i; j < tail_.size() && j < i + 8; ++j, word >>= 8) tail_[j] = std::uint8_t(word);
    }
    tail_[0] &= 0x7f;  // room to count upward within a millisecond
  } else {
    // The same millisecond, or a clock that went back: go up by a random step, so that neighbours differ in one of the first characters
    // and a few of them name one. The last byte is left alone; where the first overflows, the id is of the next millisecond.
    unsigned carry = 1;
    auto step = random_();
    for (std::size_t i = tail_.size() - 1; i-- > 0; carry >>= 8, step >>= 8) {
      carry += unsigned(tail_[i]) + unsigned(step & 0xff);
      tail_[i] = std::uint8_t(carry);
    }
    last_ms_ += carry;
  }

  std::string id(26, '0');
  auto time = last_ms_;
  for (int i = 9; i >= 0; --i, time >>= 5) id[std::size_t(i)] = kCrockford[time & 31];
  // 80 bits as sixteen digits of five bits.
  for (std::size_t digit = 0; digit < 16; ++digit) {
    const std::size_t bit = digit * 5;
    const auto high = unsigned(tail_[bit / 8]) << 8;
    const auto low = bit / 8 + 1 < tail_.size() ? unsigned(tail_[bit / 8 + 1]) : 0u;
    id[10 + digit] = kCrockford[((high | low) >> (11 - bit % 8)) & 31];
  }
  return id;
}

std::string derived_id(std::string_view run_id, std::string_view what) {
  // FNV-1a, 64 bits; two of them give the sixteen digits.
  const auto hash = [what](std::uint64_t state) {
    for (const char c : what) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return state;
  };
  std::string id(run_id.substr(0, 10));
  for (auto state : {hash(0xcbf29ce484222325), hash(0x84222325cbf29ce4)}) {
    state ^= state >> 32;  // its low bits alone know little of the last characters
    for (int digit = 0; digit < 8; ++digit, state >>= 5) id += kCrockford[state & 31];
  }
  return id;
}

bool is_id(std::string_view text) {
  return text.size() == 26 && text.find_first_not_of(kCrockford) == std::string_view::npos;
}

}  // namespace hark
