#include "core/printable.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace hark {

namespace {

unsigned char byte_at(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

std::uint32_t decode(std::string_view text, std::size_t at, std::size_t length) {
  if (length == 1) return byte_at(text, at);
  std::uint32_t code = byte_at(text, at) & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) code = (code << 6) | (byte_at(text, at + i) & 0x3Fu);
  return code;
}

bool harmless(std::uint32_t code) {
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;
  if (code >= 0x200B && code <= 0x200F) return false;  // zero width, direction marks
  if (code >= 0x2028 && code <= 0x202E) return false;  // line and paragraph separators, direction overrides
  return (code < 0x2066 || code > 0x2069) && code != 0xFEFF;
}

std::string escaped(std::uint32_t code, bool is_character) {
  if (code == '\n') return "\\n";
  if (code == '\r') return "\\r";
  if (code == '\t') return "\\t";
  std::array<char, 12> text{};
  std::snprintf(text.data(), text.size(), is_character && code >= 0x80 ? "\\u%04x" : "\\x%02x", static_cast<unsigned>(code));
  return text.data();
}

}  // namespace

std::size_t utf8_length(std::string_view text, std::size_t at) {
  const unsigned char lead = byte_at(text, at);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(text, at + i) & 0xC0) != 0x80) return 0;
  }
  const std::uint32_t code = decode(text, at, length);
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return overlong || surrogate || code > 0x10FFFF ? 0 : length;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto length = utf8_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string counted(std::size_t count, std::string_view noun) {
  const auto* plural = noun.ends_with('s') ? "es" : "s";
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : plural);
}

std::string enumerated(const std::vector<std::string>& words, std::string_view last) {
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) list += i + 1 < words.size() ? ", " : " " + std::string(last) + " ";
    list += words[i];
  }
  return list;
}

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const std::uint32_t code = length == 0 ? byte_at(text, at) : decode(text, at, length);
    const bool plain = length != 0 && harmless(code);
    const std::string piece = plain ? std::string(text.substr(at, length)) : escaped(code, length != 0);
    if (out.size() + piece.size() > max_bytes) return out + "…";
    out += piece;
    at += length == 0 ? 1 : length;
  }
  return out;
}

}  // namespace hark
