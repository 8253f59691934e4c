// Text that came from outside, made fit for one line of a terminal or a log. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hark {

// Control characters (C0, DEL, C1, line separators, changes of writing direction) and bytes that are no UTF-8 are written as
// escapes (\n, \x1b, \u202e), so that no value can break a line, colour a terminal or hide its end. At most `max_bytes` bytes,
// cut between characters, with "…" after a cut.
std::string printable(std::string_view text, std::size_t max_bytes);

// "1 source", "2 sources".
std::string counted(std::size_t count, std::string_view noun);

// "a", "a and b", "a, b and c"; `last`: "and" or "or".
std::string enumerated(const std::vector<std::string>& words, std::string_view last);

// The length of the UTF-8 character at `at` (1 to 4); 0: the bytes there are none.
std::size_t utf8_length(std::string_view text, std::size_t at);
bool is_utf8(std::string_view text);

}  // namespace hark
