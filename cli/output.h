// How things look on a terminal: tables that fit its width, colour only where it is wanted, text from outside made harmless.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"
#include "core/time.h"

namespace hark::output {

enum class Colour { none, red, green, yellow, grey };

struct Cell {
  std::string text;
  Colour colour = Colour::none;
};

// What becomes of a text that is too long for its column: its end is left out, or its middle, or it goes on in the next line. Of the last
// two are sentences: in the last column they stand below their row where there is too little room beside it.
enum class Overflow { end, middle, wrap };

struct Column {
  std::string title;
  bool whole = false;  // never cut: an id that is to be copied, a word that means nothing when it is cut
  int spare = 0;       // where there is no room columns are left out, from the highest number down; 0: never
  Overflow overflow = Overflow::end;  // wrap: the last column only
};

// Columns are as wide as their widest cell. What does not fit the terminal is taken from the widest columns, with "…", while they stay
// readable; then spare columns are left out; then the rest is cut further. Not a terminal: nothing is cut and nothing coloured.
void print_table(const std::vector<Column>& head, const std::vector<std::vector<Cell>>& rows);

bool is_terminal();                                    // standard output
void print_json(const nlohmann::json& value);
void print_line(std::string_view text);               // standard output, as it stands
void write(std::string_view text);                    // the same, without a line's end
// What `print` would have printed, by lines.
std::vector<std::string> captured(const std::function<void()>& print);
Status finish();                                      // did all of it arrive? Call at the end of a command
void complain(const Error& error);                    // "hark: message" and, on a line of its own, the cure; standard error
void complain(std::string_view message);

std::string painted(std::string_view text, Colour colour);   // for standard output
Colour colour_of_state(std::string_view state);
std::string ago(WallTime time, WallTime now);         // "3 s ago", "2 h ago"
std::string elapsed(Duration time);                   // "850 ms", "12.3 s", "4 min 05 s", "3 h 07 min"
std::string printable(std::string_view text);         // control characters escaped; line ends stay
std::string indented(std::string_view text, std::size_t columns);  // every line of it

}  // namespace hark::output
