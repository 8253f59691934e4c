#include "sources/commit_text.h"

#include <strings.h>

#include <algorithm>

namespace hark {
namespace {

std::string to_utf8(std::string_view text, const char* encoding) {
  if (encoding == nullptr || (strcasecmp(encoding, "iso-8859-1") != 0 && strcasecmp(encoding, "latin1") != 0))
    return std::string(text);
  std::string out;
  out.reserve(text.size() + 16);
  for (const char raw : text) {
    const auto byte = static_cast<unsigned char>(raw);
    if (byte < 0x80) {
      out += raw;
    } else {
      out += static_cast<char>(0xC0 | (byte >> 6));
      out += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return out;
}

}  // namespace

std::string commit_text(const char* bytes, const char* encoding, std::size_t limit, bool* truncated) {
  // Cut before the transcoding, so that its cost is bounded too, and after it, because it may have grown.
  const std::string_view all = bytes == nullptr ? std::string_view() : std::string_view(bytes);
  const std::string utf8 = to_utf8(all.substr(0, std::min(all.size(), limit + 4)), encoding);
  const auto kept = clipped_utf8(utf8, limit);
  if (truncated != nullptr) *truncated = all.size() > limit || kept.size() < utf8.size();
  return std::string(kept);
}

std::string_view clipped_utf8(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  // Back over at most three continuation bytes; more of them are no UTF-8 anyway.
  for (int back = 0; back < 3 && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80; ++back) --end;
  return text.substr(0, end);
}

}  // namespace hark
