// What a commit says about itself, as text of a bounded size. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hark {

// At most `limit` bytes of `bytes` (may be null) as UTF-8. `encoding` is the commit's own word for what it is written in, null
// where it gives none, which means UTF-8. Latin-1 is what commits of before UTF-8 are in, and is transcoded. Of any other
// encoding the bytes stay, and what is no UTF-8 becomes U+FFFD in the payload: iconv would take a stranger's word for which of
// its modules to load.
std::string commit_text(const char* bytes, const char* encoding, std::size_t limit, bool* truncated = nullptr);

// At most `limit` bytes of `text`, never ending inside a UTF-8 character.
std::string_view clipped_utf8(std::string_view text, std::size_t limit);

}  // namespace hark
