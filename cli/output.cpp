#include "cli/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "core/payload.h"
#include "core/printable.h"
#include "platform/errno_text.h"

namespace hark::output {

namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kReadable = 16;  // a column is not cut below this while there is another that can be spared
constexpr std::size_t kNarrowest = 8;  // nor below this at all
constexpr std::size_t kSentence = 40;  // what people read as sentences is not squeezed into less
constexpr std::size_t kBelow = 4;      // how far it is indented below its row instead

bool wants_colour() {
  const auto* no_colour = std::getenv("NO_COLOR");
  if (no_colour != nullptr && no_colour[0] != '\0') return false;
  const auto* term = std::getenv("TERM");
  return is_terminal() && !(term != nullptr && std::string_view(term) == "dumb");
}

std::size_t terminal_width() {
  if (const auto* columns = std::getenv("COLUMNS"); columns != nullptr && std::atoi(columns) > 0) return std::size_t(std::atoi(columns));
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

// Columns on the screen, taking every character for one: names of people's handlers, times, states.
std::size_t width(std::string_view text) {
  return std::size_t(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// The bytes of the first `most` characters.
std::size_t bytes_of(std::string_view text, std::size_t most) {
  std::size_t bytes = 0;
  for (std::size_t shown = 0; bytes < text.size(); ++bytes) {
    if ((static_cast<unsigned char>(text[bytes]) & 0xc0) != 0x80 && ++shown > most) break;
  }
  return bytes;
}

std::string cut(std::string_view text, std::size_t most, Overflow overflow) {
  const auto whole = width(text);
  if (whole <= most) return std::string(text);
  const auto end = overflow == Overflow::middle ? (most - 1) * 2 / 3 : 0;  // an error's end says more than its beginning
  return std::string(text.substr(0, bytes_of(text, most - 1 - end))) + "…" + std::string(text.substr(bytes_of(text, whole - end)));
}

// Lines of at most `most` characters, broken between words where there are any.
std::vector<std::string> wrapped(std::string_view text, std::size_t most) {
  std::vector<std::string> lines;
  while (width(text) > most) {
    const auto room = bytes_of(text, most);
    const auto blank = text.rfind(' ', room);
    const auto end = blank == std::string_view::npos || blank == 0 ? room : blank;
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  lines.emplace_back(text);
  return lines;
}

std::size_t total(const std::vector<std::size_t>& widths) {
  std::size_t sum = 0;
  for (const auto each : widths) sum += each == 0 ? 0 : each + kGap;
  return sum - kGap;
}

// Takes from the widest columns, down to `least` each, until all fit in `most`. False: they do not.
bool narrow(std::vector<std::size_t>& widths, const std::vector<Column>& head, std::size_t most, std::size_t least) {
  while (total(widths) > most) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < head.size(); ++i) {
      if (!head[i].whole && widths[i] > least && (widest == nullptr || widths[i] > *widest)) widest = &widths[i];
    }
    if (widest == nullptr) return false;
    --*widest;
  }
  return true;
}

// Whether the last column, of sentences, has too little room beside the others.
bool goes_below(const std::vector<std::size_t>& widths, const std::vector<Column>& head, std::size_t most) {
  if (head.size() == 1 || head.back().overflow == Overflow::end || total(widths) <= most) return false;
  return total(widths) - widths.back() + kSentence > most;
}

// The widths that fit in `most`, as near as can be. A width of 0: the column is left out.
std::vector<std::size_t> fitted(std::vector<std::size_t> widths, const std::vector<Column>& head, std::size_t most) {
  while (true) {
    if (auto narrowed = widths; narrow(narrowed, head, most, kReadable)) return narrowed;
    std::size_t spare = head.size();
    for (std::size_t i = 0; i < head.size(); ++i) {
      if (widths[i] > 0 && head[i].spare > (spare == head.size() ? 0 : head[spare].spare)) spare = i;
    }
    if (spare == head.size()) break;
    widths[spare] = 0;
  }
  narrow(widths, head, most, kNarrowest);
  return widths;
}

}  // namespace

bool is_terminal() { return isatty(STDOUT_FILENO) == 1; }

std::string painted(std::string_view text, Colour colour) {
  if (colour == Colour::none || !wants_colour()) return std::string(text);
  const char* code = "";
  switch (colour) {
    case Colour::red: code = "31"; break;
    case Colour::green: code = "32"; break;
    case Colour::yellow: code = "33"; break;
    case Colour::grey: code = "90"; break;
    case Colour::none: break;
  }
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

void print_table(const std::vector<Column>& head, const std::vector<std::vector<Cell>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& column : head) widths.push_back(width(column.title));
  std::vector<std::vector<Cell>> clean = rows;
  for (auto& row : clean) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i].text = printable(row[i].text);
      std::replace(row[i].text.begin(), row[i].text.end(), '\n', ' ');
      widths[i] = std::max(widths[i], width(row[i].text));
    }
  }
  const auto most = terminal_width();
  const bool below = is_terminal() && goes_below(widths, head, most);
  if (below) widths.back() = 0;
  if (is_terminal()) widths = fitted(std::move(widths), head, most);
  const auto print_row = [&](const auto& row, auto text_of, auto paint) {
    std::string line;
    std::size_t indent = 0;
    std::vector<std::string> rest;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths[i] == 0) continue;
      std::string text = text_of(row[i]);
      if (head[i].overflow == Overflow::wrap) {
        rest = wrapped(text, widths[i]);
        text = rest.front();
        rest.erase(rest.begin());
      }
      text = cut(text, widths[i], head[i].overflow);
      line += paint(row[i], text);
      if (i + 1 == row.size()) break;
      line += std::string(widths[i] - width(text) + kGap, ' ');
      indent += widths[i] + kGap;
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    print_line(line);
    for (const auto& more : rest) print_line(std::string(indent, ' ') + paint(row.back(), more));
  };
  const auto print_below = [&](const Cell& cell) {
    if (cell.text.empty()) return;
    const auto room = std::max(most, kBelow + kNarrowest) - kBelow;
    for (const auto& line : head.back().overflow == Overflow::wrap ? wrapped(cell.text, room) : std::vector{cut(cell.text, room, head.back().overflow)}) {
      print_line(std::string(kBelow, ' ') + painted(line, cell.colour));
    }
  };
  print_row(head, [](const Column& column) { return column.title; }, [](const Column&, const std::string& text) { return painted(text, Colour::grey); });
  for (const auto& row : clean) {
    print_row(row, [](const Cell& cell) { return cell.text; }, [](const Cell& cell, const std::string& text) { return painted(text, cell.colour); });
    if (below) print_below(row.back());
  }
}

void print_json(const nlohmann::json& value) { print_line(write_json(value)); }

namespace {

std::vector<std::string>* capturing = nullptr;  // the command line has one thread that prints

}  // namespace

void print_line(std::string_view text) {
  if (capturing == nullptr) return write(std::string(text) + "\n");
  while (true) {
    const auto end = text.find('\n');
    capturing->emplace_back(text.substr(0, end));
    if (end == text.npos) return;
    text.remove_prefix(end + 1);
  }
}

void write(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::vector<std::string> captured(const std::function<void()>& print) {
  std::vector<std::string> lines;
  capturing = &lines;
  print();
  capturing = nullptr;
  return lines;
}

Status finish() {
  const bool failed_before = std::ferror(stdout) != 0;
  errno = 0;
  if (std::fflush(stdout) == 0 && !failed_before) return {};
  return Error{std::string("standard output could not be written") + (errno != 0 ? ": " + errno_text(errno) : ""),
               "what was printed is not complete"};
}

void complain(std::string_view message) { std::fprintf(stderr, "hark: %s\n", printable(message).c_str()); }
void complain(const Error& error) {
  complain(error.message);
  if (!error.cure.empty()) std::fprintf(stderr, "      %s\n", printable(error.cure).c_str());
}

Colour colour_of_state(std::string_view state) {
  if (state == "succeeded" || state == "running") return Colour::green;
  if (state == "failed" || state == "timed_out") return Colour::red;
  if (state == "queued" || state == "skipped" || state == "stopped") return Colour::grey;
  return Colour::yellow;  // cancelled, interrupted, degraded, paused, draining
}

std::string ago(WallTime time, WallTime now) {
  using namespace std::chrono;
  const auto past = duration_cast<seconds>(now - time).count();
  if (past < 1) return "just now";
  if (past < 120) return std::to_string(past) + " s ago";
  if (past < 2 * 3600) return std::to_string(past / 60) + " min ago";
  if (past < 2 * 86400) return std::to_string(past / 3600) + " h ago";
  return std::to_string(past / 86400) + " days ago";
}

std::string elapsed(Duration time) {
  using namespace std::chrono;
  char text[64];
  const auto ms = std::max<std::int64_t>(0, duration_cast<milliseconds>(time).count());
  const auto s = ms / 1000;
  if (ms < 1000) {
    std::snprintf(text, sizeof text, "%lld ms", static_cast<long long>(ms));
  } else if (s < 60) {
    std::snprintf(text, sizeof text, "%lld.%lld s", static_cast<long long>(s), static_cast<long long>(ms % 1000 / 100));
  } else if (s < 3600) {
    std::snprintf(text, sizeof text, "%lld min %02lld s", static_cast<long long>(s / 60), static_cast<long long>(s % 60));
  } else {
    std::snprintf(text, sizeof text, "%lld h %02lld min", static_cast<long long>(s / 3600), static_cast<long long>(s % 3600 / 60));
  }
  return text;
}

std::string printable(std::string_view text) {
  std::string out;
  while (true) {
    const auto line = text.substr(0, text.find_first_of("\n\t"));
    out += hark::printable(line, std::string::npos);
    if (line.size() == text.size()) return out;
    out += text[line.size()];
    text.remove_prefix(line.size() + 1);
  }
}

std::string indented(std::string_view text, std::size_t columns) {
  const std::string margin(columns, ' ');
  std::string out = margin;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += margin;
  }
  return out;
}

}  // namespace hark::output
