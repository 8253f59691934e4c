// Secrets, and texts without them: each occurrence of one becomes "***". Occurrences that overlap become one.
//
// A secret is looked for as it is, as JSON and an URL escape it, and in the base64 of a text around it ("Basic " + base64 of user:secret; also
// in lines, and in the alphabet for URLs), where at least limits::kSecretEncoded characters of that depend on the secret alone. One shorter
// than limits::kSecretLeast bytes is not looked for: every text holds it. All secrets are looked for in one pass (Aho and Corasick, CACM 18,
// 1975), so that the time is linear in the text, whatever it is and however many they are.
//
// A Mask is a value, cheap to copy, and may be used by any thread; a MaskedStream by one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace hark {

class Mask {
 public:
  Mask() = default;  // masks nothing
  explicit Mask(const std::vector<std::string>& secrets);

  bool empty() const { return !tree_; }
  std::string text(std::string text) const;
  nlohmann::json strings(nlohmann::json document) const;  // every string in it, names of members too

 private:
  friend class MaskedStream;
  struct Tree;
  std::shared_ptr<const Tree> tree_;
  std::shared_ptr<const Tree> base64_;  // of texts that may have line breaks anywhere
};

// A text that comes in pieces, of which a secret may begin in one and end in another: what could be the beginning of one is held back.
class MaskedStream {
 public:
  explicit MaskedStream(Mask mask) : mask_(std::move(mask)) {}

  // What is known by now not to be a part of a secret, and "***" for what is; good until the next call, and as long as `bytes` are there.
  std::string_view next(std::string_view bytes);
  std::string_view rest();  // what was held back: nothing follows

 private:
  struct Hit {
    std::size_t begin, end;  // within held_
    bool said;               // its "***" is out
  };
  void look_at(std::size_t from);
  std::size_t back(std::size_t end, std::size_t characters) const;
  void add_hit(std::size_t begin, std::size_t end);
  std::string_view settle(std::size_t bytes);

  Mask mask_;
  std::string held_, out_;
  std::vector<Hit> hits_;
  std::uint32_t state_ = 0;
  std::uint32_t base64_state_ = 0;
  int breaks_ = 0;  // characters of line breaks that were read last
};

}  // namespace hark
