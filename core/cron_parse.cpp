// Reads cron expressions. The grammar of an element is Debian cron's: `*` or a number or name, a range of two of them, and after
// `*` or a range a step. All that could be read in two ways, or never fires, is an error with the spelling that is meant.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <span>
#include <utility>
#include <vector>

#include "core/cron.h"
#include "core/limits.h"

namespace hark {
namespace {

using std::chrono::seconds;

using Names = std::span<const std::string_view>;
constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Field {
  std::string_view name;
  int low;
  int high;
  int star_high;  // `*` ends here: the second Sunday of 0-7 is no day of its own
  Names names;
  int first_name;  // the value of names[0]
};
constexpr std::array<Field, 6> kFields = {{{"second", 0, 59, 59, {}, 0},
                                           {"minute", 0, 59, 59, {}, 0},
                                           {"hour", 0, 23, 23, {}, 0},
                                           {"day of month", 1, 31, 31, {}, 0},
                                           {"month", 1, 12, 12, kMonths, 1},
                                           {"day of week", 0, 7, 6, kWeekdays, 0}}};
constexpr const Field& kDay = kFields[3];
constexpr const Field& kWeekday = kFields[5];

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kMacros = {{{"@hourly", "0 * * * *"},
                                                                                   {"@daily", "0 0 * * *"},
                                                                                   {"@midnight", "0 0 * * *"},
                                                                                   {"@weekly", "0 0 * * 0"},
                                                                                   {"@monthly", "0 0 1 * *"},
                                                                                   {"@yearly", "0 0 1 1 *"},
                                                                                   {"@annually", "0 0 1 1 *"}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}
std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }
std::string range_text(int from, int to) {
  return from == to ? std::to_string(from) : std::to_string(from) + "-" + std::to_string(to);
}

// A part of the expression that knows where it stands.
struct Piece {
  std::string_view text;
  std::size_t column = 1;
  Piece from(std::size_t at) const { return {text.substr(at), column + at}; }
};

std::vector<Piece> split(Piece piece, std::string_view separators, bool keep_empty) {
  std::vector<Piece> pieces;
  for (std::size_t begin = 0; begin <= piece.text.size();) {
    const auto end = std::min(piece.text.find_first_of(separators, begin), piece.text.size());
    if (keep_empty || end > begin) pieces.push_back({piece.text.substr(begin, end - begin), piece.column + begin});
    begin = end + 1;
  }
  return pieces;
}

Error at(const Field& field, const Piece& place, const std::string& what, std::string cure = {}) {
  return {std::string(field.name) + " (column " + std::to_string(place.column) + "): " + what, std::move(cure)};
}

// Signs of Quartz and Jenkins that are none here, with what to write instead.
std::optional<Error> foreign_sign(const Field& field, const Piece& element) {
  const auto refuse = [&](std::size_t place, const std::string& what, const std::string& cure) {
    return at(field, element.from(place), what + " in " + quoted(element.text), cure);
  };
  for (std::size_t i = 0; i < element.text.size(); ++i) {
    if (element.text[i] == '?') return refuse(i, "? stands for the whole of a day field", "write ? alone, in the day of month or the day of week; elsewhere *");
    if (element.text[i] == '#') {
      const bool here = field.name == kWeekday.name;
      return refuse(i, here ? "# stands behind a weekday's name of three letters" : "# is the n-th weekday of a month, and belongs into the day of week", "write it as MON#2, in the last field: a weekday's name, and 1 to 5");
    }
    if (!is_letter(element.text[i])) continue;
    auto end = i;
    while (end < element.text.size() && is_letter(element.text[end])) ++end;
    const auto word = lower(element.text.substr(i, end - i));
    if (word == "l" && field.name == kWeekday.name) {
      return refuse(i, i > 0 ? "a weekday before L is written as its name" : "L alone is no weekday", "write FRIL for the last Friday of the month, SAT for Saturdays: numbers of weekdays differ between crons");
    }
    if (word == "l" || word == "lw") return refuse(i, "L is the last day of a month, and belongs into the day of month, by itself", "write L, LW or L-3 there");
    if (word == "w") return refuse(i, "W is the weekday nearest to a day of the month", "write it as 15W, in the day of month");
    if (word == "h") {
      return refuse(i, "H (a hashed value, from Jenkins) is not known",
                    "write a fixed value, or * with a step, and spread the load with the source's key jitter");
    }
    i = end - 1;
  }
  return std::nullopt;
}

// A whole number of one or two digits; -1: it is none.
int small_number(std::string_view text) {
  if (text.empty() || text.size() > 2 || !std::all_of(text.begin(), text.end(), is_digit)) return -1;
  return std::stoi(std::string(text));
}

// L, L-3, LW and 15W of the day of month, MON#2 and FRIL of the day of week. nullopt: it is none of them.
std::optional<Status> relative_day(const Field& field, const Piece& element, CronDays& days) {
  const auto text = lower(element.text);
  if (&field == &kDay) {
    if (text == "lw") return days.last_workday = true, Status();
    if (text == "l") return days.before_last.set(0), Status();
    if (text.starts_with("l-")) {
      const int before = small_number(std::string_view(text).substr(2));
      if (before < 1 || before > 30) return at(field, element.from(2), "expected how many days before the last, 1 to 30, in " + quoted(element.text));
      return days.before_last.set(static_cast<std::size_t>(before)), Status();
    }
    if (!text.ends_with('w') || text.size() == 1) return std::nullopt;
    const int day = small_number(std::string_view(text).substr(0, text.size() - 1));
    if (day < 1 || day > 31) return at(field, element, "expected a day of the month, 1 to 31, before W in " + quoted(element.text), "write it as 15W");
    return days.workdays.set(static_cast<std::size_t>(day)), Status();
  }
  if (&field != &kWeekday || text.size() < 4) return std::nullopt;
  const auto name = std::find(kWeekdays.begin(), kWeekdays.end(), std::string_view(text).substr(0, 3));
  if (name == kWeekdays.end()) return std::nullopt;
  const auto weekday = static_cast<std::size_t>(name - kWeekdays.begin());
  if (text.size() == 4 && text[3] == 'l') return days.last.set(weekday), Status();
  if (text[3] != '#') return std::nullopt;
  const int number = small_number(std::string_view(text).substr(4));
  if (number < 1 || number > 5) return at(field, element.from(3), "a month has the first to the fifth of a weekday, in " + quoted(element.text), "write 1 to 5 behind the #, or FRIL for the last");
  return days.nth[weekday].set(static_cast<std::size_t>(number - 1)), Status();
}

class ElementParser {
 public:
  ElementParser(const Field& field, Piece element) : field_(field), element_(element) {}

  Status parse_into(std::bitset<64>& values) {
    if (element_.text.empty())
      return fail(0, "an element of the list is missing", "remove the comma, or write a value beside it");
    if (auto error = foreign_sign(field_, element_)) return *error;
    int from = field_.low;
    int to = field_.star_high;
    bool is_range = true;
    if (!take('*')) {
      const auto first = value();
      if (!first) return first.error();
      from = to = *first;
      is_range = take('-');
      if (is_range) {
        const auto last = value();
        if (!last) return last.error();
        to = *last;
      }
    }
    const auto range_end = at_;
    int step = 1;
    if (take('/')) {
      const auto number = this->step();
      if (!number) return number.error();
      step = *number;
      if (!is_range) return step_without_range(from, step);
      if (step == 0)
        return fail(range_end, "a step of 0 never gets on", "write " + std::string(element_.text.substr(0, range_end)));
    }
    if (at_ < element_.text.size())
      return fail(at_, "unexpected " + quoted(element_.text.substr(at_, 1)) + " in " + quoted(element_.text));
    if (from > to) return wrapping_range(from, to, step);
    if (step > 1 && step > to - from) {
      return fail(range_end,
                  quoted(element_.text) + " means only " + std::to_string(from) + ": the step is larger than the range " +
                      range_text(from, to),
                  "write " + std::to_string(from) + " if that is meant" + every(step));
    }
    for (int i = from; i <= to; i += step) values.set(static_cast<std::size_t>(is_weekday() && i == 7 ? 0 : i));
    return {};
  }

 private:
  // What a step beyond the range may have been meant for.
  std::string every(int step) const {
    const auto unit = field_.name.substr(0, 1);
    const bool is_time = field_.name == "second" || field_.name == "minute" || field_.name == "hour";
    return is_time && element_.text.starts_with('*') ? ", or @every " + std::to_string(step) + std::string(unit) : "";
  }
  bool is_weekday() const { return field_.name == kWeekday.name; }
  bool take(char c) {
    if (at_ == element_.text.size() || element_.text[at_] != c) return false;
    ++at_;
    return true;
  }
  Error fail(std::size_t place, const std::string& what, std::string cure = {}) const {
    return at(field_, element_.from(place), what, std::move(cure));
  }
  std::string_view run(bool (*belongs)(char)) {
    const auto begin = at_;
    while (at_ < element_.text.size() && belongs(element_.text[at_])) ++at_;
    return element_.text.substr(begin, at_ - begin);
  }
  // Numbers of more than six digits are beyond every field: they need not be exact.
  static int number(std::string_view digits) {
    int result = 0;
    for (const char c : digits) result = std::min(result * 10 + (c - '0'), 999'999);
    return result;
  }

  static std::optional<int> index_of(Names names, std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? std::nullopt : std::optional(static_cast<int>(found - names.begin()));
  }

  Result<int> value() {
    const auto begin = at_;
    if (const auto digits = run(is_digit); !digits.empty()) {
      const int result = number(digits);
      if (result >= field_.low && result <= field_.high) return result;
      std::string cure;
      if (field_.high == 23 && result == 24) cure = "midnight is hour 0 of the next day";
      if (field_.high == 59 && result == 60) cure = "write 0";
      return fail(begin,
                  std::string(digits) + " is not between " + std::to_string(field_.low) + " and " + std::to_string(field_.high),
                  cure);
    }
    const auto word = run(is_letter);
    if (word.empty())
      return fail(begin, "expected a value" + (at_ < element_.text.size() ? " instead of " + quoted(element_.text.substr(at_))
                                                                          : " at the end of " + quoted(element_.text)));
    const auto wanted = lower(word);
    if (const auto index = index_of(field_.names, wanted)) return field_.first_name + *index;
    std::string cure;
    const auto beginning = wanted.substr(0, 3);
    if (index_of(field_.names, beginning)) {
      cure = "names have three letters: " + beginning;
    } else if (index_of(kMonths, beginning)) {
      cure = "a month belongs into the month field, the last but one";
    } else if (index_of(kWeekdays, beginning)) {
      cure = "a weekday belongs into the last field";
    } else if (!field_.names.empty()) {
      cure = "the names are " + std::string(field_.names.front()) + " to " + std::string(field_.names.back());
    }
    return fail(begin, quoted(word) + " is no " + std::string(field_.name), cure);
  }

  Result<int> step() {
    const auto begin = at_;
    const auto digits = run(is_digit);
    if (digits.empty()) return fail(begin, "expected a step, a number, after / in " + quoted(element_.text));
    return number(digits);
  }

  Error step_without_range(int from, int step) const {
    const bool reaches = step > 0 && step <= field_.high - from;
    return fail(0, "a step needs a range or * before it in " + quoted(element_.text),
                "write " + (reaches ? range_text(from, field_.high) + "/" + std::to_string(step) : std::to_string(from)));
  }

  Error wrapping_range(int from, int to, int step) const {
    std::string spelling;
    if (is_weekday() && from == 7) {
      spelling = range_text(0, to) + (step > 1 && to > 0 ? "/" + std::to_string(step) : "");
    } else if (is_weekday() && to == 0) {
      spelling = range_text(from, 7) + (step > 1 ? "/" + std::to_string(step) : "");
    } else if (step == 1) {
      spelling = range_text(from, field_.star_high) + "," + range_text(field_.low, to);
    } else {
      const int size = field_.star_high - field_.low + 1;
      for (int i = from; i <= to + size; i += step) {
        if (!spelling.empty()) spelling += ',';
        spelling += std::to_string((i - field_.low) % size + field_.low);
      }
    }
    return fail(0, "the range " + quoted(element_.text) + " ends before it begins", "write " + spelling);
  }

  const Field& field_;
  const Piece element_;
  std::size_t at_ = 0;
};

Result<std::bitset<64>> parse_field(const Field& field, const Piece& piece, CronDays& days) {
  std::bitset<64> values;
  if (piece.text == "?" && (&field == &kDay || &field == &kWeekday)) return parse_field(field, {"*", piece.column}, days);
  for (const auto& element : split(piece, ",", true)) {
    if (auto relative = relative_day(field, element, days)) {
      if (!*relative) return relative->error();
      continue;
    }
    if (auto status = ElementParser(field, element).parse_into(values); !status) return status.error();
  }
  return values;
}

// "@every 90s".
Result<seconds> read_every(const Piece& whole) {
  const auto words = split(whole, " \t", false);
  const std::string place = "@every (column " + std::to_string(whole.column) + ")";
  const auto pause = words.size() == 2 ? parse_duration(words[1].text) : std::nullopt;
  if (!pause) return Error{place + " wants one duration behind it", "write @every 90s, @every 5m, @every 6h"};
  const auto whole_seconds = std::chrono::duration_cast<seconds>(*pause);
  if (whole_seconds != *pause || whole_seconds < seconds{1} || whole_seconds > std::chrono::hours(24 * 366)) {
    return Error{place + " wants whole seconds, from 1 to a year", "write @every 90s, @every 5m, @every 6h"};
  }
  return whole_seconds;
}

Error unknown_macro(const Piece& piece) {
  const auto words = split(piece, " \t", false);
  const auto name = lower(words.front().text);
  const std::string place = " (column " + std::to_string(piece.column) + ")";
  std::string known;
  for (const auto& [macro, expansion] : kMacros) known += (known.empty() ? "" : " ") + std::string(macro);
  return {quoted(piece.text) + place + " is no name of a schedule", "known are " + known + " @reboot, and @every with a duration"};
}

std::optional<Error> wrong_text(const Piece& whole) {
  constexpr const char* kShape =
      "minute hour day-of-month month day-of-week, as in 0 9 * * mon-fri; a sixth field in front is the second";
  if (whole.text.empty()) return Error{"the cron expression is empty", kShape};
  if (whole.text.size() > limits::kCronExpression) return Error{"the cron expression is longer than any that is meant", kShape};
  for (std::size_t i = 0; i < whole.text.size(); ++i) {
    const char c = whole.text[i];
    if (c == '\t' || (c >= ' ' && c <= '~')) continue;
    std::array<char, 8> byte{};
    std::snprintf(byte.data(), byte.size(), "0x%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    return Error{"column " + std::to_string(whole.column + i) + ": a byte that no cron expression has (" + byte.data() + ")",
                 "write plain ASCII; a range has a plain hyphen"};
  }
  return std::nullopt;
}

std::optional<Error> wrong_count(const std::vector<Piece>& fields) {
  const auto first = lower(fields.front().text);
  if (first.starts_with("tz=") || first.starts_with("cron_tz=")) {
    return Error{"a time zone in front of the fields (column " + std::to_string(fields.front().column) + ") is not supported",
                 "set the source's key timezone"};
  }
  if (fields.size() == 5 || fields.size() == 6) return std::nullopt;
  std::string cure = "write minute hour day-of-month month day-of-week, or six with seconds first";
  if (fields.size() == 7) cure += "; a field for the year, as in Quartz, is not supported";
  if (fields.size() > 7) cure += "; what to run belongs into the handler";
  return Error{"the cron expression has " + std::to_string(fields.size()) + (fields.size() == 1 ? " field" : " fields") +
                   " instead of 5 or 6",
               cure};
}

}  // namespace

class CronParser {
 public:
  static Result<Cron> parse(const Piece& whole);

 private:
  static bool can_fire(const Cron& cron);
};

Result<Cron> CronParser::parse(const Piece& whole) {
  if (auto error = wrong_text(whole)) return *error;
  if (lower(split(whole, " \t", false).front().text) == "@every") {
    const auto every = read_every(whole);
    if (!every) return every.error();
    Cron cron;
    cron.every_ = *every;
    return cron;
  }
  if (whole.text.front() == '@') {
    const auto wanted = lower(whole.text);
    if (wanted == "@reboot") {
      Cron cron;
      cron.at_boot_ = true;
      return cron;
    }
    const auto macro = std::find_if(kMacros.begin(), kMacros.end(), [&](const auto& row) { return row.first == wanted; });
    return macro == kMacros.end() ? Result<Cron>(unknown_macro(whole)) : parse({macro->second, 1});
  }
  auto fields = split(whole, " \t", false);
  if (auto error = wrong_count(fields)) return *error;
  if (fields.size() == 5) fields.insert(fields.begin(), Piece{"0", 1});

  std::array<std::bitset<64>, 6> sets;
  std::array<bool, 6> stars{};
  Cron cron;
  for (std::size_t i = 0; i < 6; ++i) {
    auto set = parse_field(kFields[i], fields[i], cron.relative_);
    if (!set) return set.error();
    sets[i] = *set;
    stars[i] = fields[i].text.front() == '*' || fields[i].text == "?";
  }
  cron.seconds_ = std::bitset<60>(sets[0].to_ullong());
  cron.minutes_ = std::bitset<60>(sets[1].to_ullong());
  cron.hours_ = std::bitset<24>(sets[2].to_ullong());
  cron.days_ = std::bitset<32>(sets[3].to_ullong());
  cron.months_ = std::bitset<13>(sets[4].to_ullong());
  cron.weekdays_ = std::bitset<7>(sets[5].to_ullong());
  cron.follows_real_time_ = stars[1] || stars[2];
  cron.day_is_star_ = stars[3];
  cron.weekday_is_star_ = stars[5];
  if (!can_fire(cron)) {
    const bool plain = cron.days_.any() && cron.weekday_is_star_;
    return at(kFields[3], fields[3], plain ? "none of the months has such a day, so that this never fires" : "no day of these months is such a day, so that this never fires",
              "February has 29 days, April, June, September and November have 30");
  }
  return cron;
}

// Within 40 years all there is has been: a leap year that begins on each day of the week, and the century that is none.
bool CronParser::can_fire(const Cron& cron) {
  using namespace std::chrono;
  const auto end = local_days{year{2040} / 1 / 1};
  for (auto day = local_days{year{2000} / 1 / 1}; day < end; day += days{1}) {
    if (cron.months_.test(static_cast<unsigned>(year_month_day{day}.month())) && cron.runs_on(day)) return true;
  }
  return false;
}

Result<Cron> Cron::parse(std::string_view expression) {
  const auto begin = std::min(expression.find_first_not_of(" \t"), expression.size());
  const auto end = expression.find_last_not_of(" \t");
  const Piece whole{expression.substr(begin, end == std::string_view::npos ? 0 : end + 1 - begin), begin + 1};
  auto cron = CronParser::parse(whole);
  if (cron) cron->text_ = std::string(whole.text);
  return cron;
}

}  // namespace hark
