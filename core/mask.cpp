#include "core/mask.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/limits.h"
#include "core/percent.h"

namespace hark {

// A tree of the beginnings of all secrets. Node 0 is the root: nothing of any secret.
struct Mask::Tree {
  struct Node {
    std::uint32_t child = 0, sibling = 0;  // 0: none
    std::uint32_t fail = 0;                // the longest shorter beginning that ends here as well
    std::uint32_t depth = 0;
    std::uint32_t match = 0;               // the length of the longest secret that ends here; 0: none
    unsigned char byte = 0;
  };
  std::vector<Node> nodes = std::vector<Node>(1);
  std::array<std::uint32_t, 256> first{};  // the root's children

  std::uint32_t child(std::uint32_t of, unsigned char byte) const {
    if (of == 0) return first[byte];
    auto at = nodes[of].child;
    while (at != 0 && nodes[at].byte != byte) at = nodes[at].sibling;
    return at;
  }

  std::uint32_t step(std::uint32_t state, unsigned char byte) const {
    for (;;) {
      if (const auto next = child(state, byte)) return next;
      if (state == 0) return 0;
      state = nodes[state].fail;
    }
  }

  void add(std::string_view secret) {
    std::uint32_t at = 0;
    for (const char c : secret) {
      const auto byte = static_cast<unsigned char>(c);
      auto next = child(at, byte);
      if (next == 0) {
        next = static_cast<std::uint32_t>(nodes.size());
        nodes.push_back({0, nodes[at].child, 0, nodes[at].depth + 1, 0, byte});
        nodes[at].child = next;
        if (at == 0) first[byte] = next;
      }
      at = next;
    }
    nodes[at].match = nodes[at].depth;
  }

  // Level by level, as a node's `fail` is one of a level above.
  void link() {
    std::vector<std::uint32_t> level;
    for (auto at = nodes[0].child; at != 0; at = nodes[at].sibling) level.push_back(at);
    for (std::size_t i = 0; i < level.size(); ++i) {
      const auto parent = level[i];
      for (auto at = nodes[parent].child; at != 0; at = nodes[at].sibling) {
        nodes[at].fail = step(nodes[parent].fail, nodes[at].byte);
        if (nodes[at].match == 0) nodes[at].match = nodes[nodes[at].fail].match;
        level.push_back(at);
      }
    }
  }
};

namespace {

using Json = nlohmann::json;

constexpr std::string_view kStars = "***";

std::string in_json(const std::string& secret) {
  const auto quoted = Json(secret).dump(-1, ' ', false, Json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

// As some write it: what an escape holds is in lower case.
std::string in_url_lower(const std::string& secret) {
  auto text = percent_encoded(secret);
  for (auto at = text.find('%'); at != text.npos; at = text.find('%', at + 3)) {
    for (auto digit : {at + 1, at + 2}) text[digit] = char(std::tolower(static_cast<unsigned char>(text[digit])));
  }
  return text;
}

// Of the base64 of any text that has `before` bytes (modulo 3) in front of the secret: the characters that the secret alone decides. A
// character holds 6 bits, so those at its ends hold bits of its neighbours.
std::string in_base64(const std::string& secret, std::size_t before) {
  constexpr std::array<std::size_t, 3> kOfOthers = {0, 2, 3};
  auto text = to_base64(std::string(before, '\0') + secret);
  if (const auto padding = text.find('='); padding != text.npos) text.resize(padding - 1);
  return text.substr(std::min(kOfOthers[before], text.size()));
}

// RFC 4648, 5.
std::string for_urls(std::string base64) {
  std::replace(base64.begin(), base64.end(), '+', '-');
  std::replace(base64.begin(), base64.end(), '/', '_');
  return base64;
}

bool is_break(char c) { return c == '\n' || c == '\r'; }

void mask_strings(const Mask& mask, Json& document) {
  if (document.is_string()) {
    document = mask.text(std::move(document.get_ref<std::string&>()));
  } else if (document.is_array()) {
    for (Json& item : document) mask_strings(mask, item);
  } else if (document.is_object()) {
    Json masked = Json::object();
    for (auto& [name, value] : document.items()) {
      mask_strings(mask, value);
      masked[mask.text(name)] = std::move(value);
    }
    document = std::move(masked);
  }
}

}  // namespace

Mask::Mask(const std::vector<std::string>& secrets) {
  auto tree = std::make_shared<Tree>(), base64 = std::make_shared<Tree>();
  for (const auto& secret : secrets) {
    if (secret.size() < limits::kSecretLeast) continue;
    tree->add(secret);
    tree->add(in_json(secret));
    tree->add(percent_encoded(secret));
    tree->add(in_url_lower(secret));
    for (std::size_t before = 0; before < 3; ++before) {
      const auto encoded = in_base64(secret, before);
      if (encoded.size() < limits::kSecretEncoded) continue;
      base64->add(encoded);
      base64->add(for_urls(encoded));
    }
  }
  if (tree->nodes.size() == 1) return;
  for (auto* each : {tree.get(), base64.get()}) each->link();
  tree_ = std::move(tree);
  base64_ = std::move(base64);
}

std::string Mask::text(std::string text) const {
  if (empty()) return text;
  MaskedStream stream(*this);
  std::string masked(stream.next(text));
  masked += stream.rest();
  return masked;
}

Json Mask::strings(Json document) const {
  if (!empty()) mask_strings(*this, document);
  return document;
}

std::string_view MaskedStream::next(std::string_view bytes) {
  if (mask_.empty()) return bytes;
  const auto from = held_.size();
  held_ += bytes;
  look_at(from);
  const auto plain = held_.size() - mask_.tree_->nodes[state_].depth;
  return settle(std::min(plain, back(held_.size(), mask_.base64_->nodes[base64_state_].depth)));
}

std::string_view MaskedStream::rest() {
  state_ = base64_state_ = 0;
  return settle(held_.size());
}

void MaskedStream::look_at(std::size_t from) {
  const auto &tree = *mask_.tree_, &base64 = *mask_.base64_;
  for (auto i = from; i < held_.size(); ++i) {
    const auto byte = static_cast<unsigned char>(held_[i]);
    state_ = tree.step(state_, byte);
    if (const auto length = tree.nodes[state_].match) add_hit(i + 1 - length, i + 1);
    breaks_ = is_break(held_[i]) ? breaks_ + 1 : 0;
    if (breaks_ > 2) base64_state_ = 0;  // more than one line break: what is held back has a bound
    if (breaks_ > 0) continue;
    base64_state_ = base64.step(base64_state_, byte);
    if (const auto length = base64.nodes[base64_state_].match) add_hit(back(i + 1, length), i + 1);
  }
}

// Where the last so many characters before `end` begin, those of line breaks not counted.
std::size_t MaskedStream::back(std::size_t end, std::size_t characters) const {
  while (characters > 0) characters -= is_break(held_[--end]) ? 0 : 1;
  return end;
}

void MaskedStream::add_hit(std::size_t begin, std::size_t end) {
  bool said = false;
  for (; !hits_.empty() && hits_.back().end > begin; hits_.pop_back()) {
    begin = std::min(begin, hits_.back().begin);
    said |= hits_.back().said;
  }
  hits_.push_back({begin, end, said});
}

// Gives out the first `bytes` of what is held.
std::string_view MaskedStream::settle(std::size_t bytes) {
  out_.clear();
  std::size_t at = 0;
  std::vector<Hit> open;
  for (auto& hit : hits_) {
    if (hit.begin < bytes) {
      out_.append(held_, at, hit.begin - at);
      if (!std::exchange(hit.said, true)) out_ += kStars;
      at = std::min(hit.end, bytes);
    }
    if (hit.end > bytes) open.push_back({hit.begin - std::min(hit.begin, bytes), hit.end - bytes, hit.said});
  }
  out_.append(held_, at, bytes - at);
  held_.erase(0, bytes);
  hits_ = std::move(open);
  return out_;
}

}  // namespace hark
