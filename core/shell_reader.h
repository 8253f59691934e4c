// The reader behind shell_lexer.h, for its two files: shell_lexer.cpp reads lists of commands and judges each, and
// shell_lexer_words.cpp what stands inside a word, an expansion or a here-document, which may hold commands again. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/shell_lexer.h"
#include "core/shell_words.h"

namespace hark::shell {

inline constexpr std::size_t kNone = std::string_view::npos;

inline bool is_name_sign(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

inline bool is_positional(char c) { return c == '@' || c == '*' || (c >= '1' && c <= '9'); }

inline bool all_digits(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == kNone; }

// Sets a variable for the length of a scope.
template <class T>
class Scoped {
 public:
  Scoped(T& variable, T value) : variable_(variable), before_(std::exchange(variable, std::move(value))) {}
  ~Scoped() { variable_ = std::move(before_); }
  Scoped(const Scoped&) = delete;
  Scoped& operator=(const Scoped&) = delete;
  const T& before() const { return before_; }

 private:
  T& variable_;
  T before_;
};

// After a failure the place is the script's end, so that every loop ends.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  // With what an earlier reading of the same script found: its places, and found_input_value().
  Lexer(std::string_view text, std::vector<ShellPlace> known, std::size_t input_value)
      : text_(text), known_(std::move(known)), input_value_(input_value) {}

  ShellReading read();

  // The first template that stands in a here-document or names what is redirected into a command. It may come after the command that
  // reads it, or by a number that `exec` opened, so that who reads it is known only when all has been read.
  std::optional<std::size_t> found_input_value() const { return found_input_value_; }

 private:
  enum class Until { end, parenthesis, case_item };
  enum class Quoting { bare, double_quotes, here_document };
  using Kind = ShellPlace::Kind;

  struct HereDocument {
    std::string delimiter;
    bool is_quoted = false;
    bool strips_tabs = false;
    bool is_code = false;  // the command that reads it is a shell
  };

  struct Command {
    std::vector<ShellWord> words;
    std::size_t first_document = 0;
    bool is_redirected = false;
    bool duplicates_input = false;     // <&3
    std::optional<std::size_t> input;  // the template in what is redirected into it
  };

  // A word that expands to a value: where it stands, and the template's number.
  struct Carrier {
    std::size_t position = 0;
    std::size_t place = 0;
  };

  // Commands joined by `|`: where they begin, from which here-document on, and whether a `|` was there.
  struct Pipeline {
    std::size_t start = 0;
    std::size_t first_document = 0;
    bool is_piped = false;
  };

  // --- the text

  bool at_end() const { return at_ >= text_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\n'; }
  bool is_hole(std::size_t ahead = 0) const { return at_ + ahead < text_.size() && text_[at_ + ahead] == kShellHole; }
  bool looking_at(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  bool accept(std::string_view what) {
    if (!looking_at(what)) return false;
    at_ += what.size();
    return true;
  }

  void fail(std::size_t position, std::string why, bool about_value = false, ShellCure cure = ShellCure::general) {
    if (!reading_.problem) reading_.problem = ShellProblem{position, std::move(why), about_value, cure};
    at_ = text_.size();
  }
  void refuse(std::size_t position, std::string why, ShellCure cure = ShellCure::general) {
    fail(position, std::move(why), true, cure);
  }

  void take_hole(Kind kind, ShellWord* word) {
    if (inside_ != nullptr) return refuse(at_, inside_);
    if (unclear_ != nullptr) return refuse(at_, unclear_);
    if (word != nullptr) {
      if (word->holes++ == 0) word->first_hole = reading_.places.size();  // before what an expansion brought
      word->text += kShellHole;
    }
    reading_.places.push_back({kind, at_++});
  }

  // --- lists of commands

  bool read_list(Until until, std::size_t open);
  Pipeline fresh_pipeline() const;
  Command fresh_command() const;
  static bool is_empty(const Command& command);
  bool read_operator(Until until);
  void read_parenthesis();
  void finish_command();
  void read_standard_input(const Command& command);
  std::optional<std::size_t> piped_value(const Command& command) const;
  void remember_values(const Command& command);
  std::size_t position_of(std::size_t place) const { return place < known_.size() ? known_[place].position : reading_.places[place].position; }
  std::size_t place_of(const ShellWord& word) const;
  void join_lists(const ShellWord& word);

  // --- words of a command

  bool read_word_of_command(std::vector<std::pair<Pipeline, std::size_t>>& groups);
  void read_case(std::size_t start);
  void read_redirection();

  // --- one word

  static bool ends_word(char c);
  ShellWord read_word();
  void read_backslash(ShellWord& word);
  void read_single_quotes(ShellWord& word);
  void read_double_quotes(ShellWord& word);
  void close(std::size_t open, std::string_view sign, const char* otherwise);

  // --- expansions

  void read_dollar(Quoting quoting, ShellWord& word);
  std::string take_name();
  void bring(ShellWord& word, std::optional<std::size_t> place);
  std::optional<std::size_t> value_in(std::string_view expansion) const;
  void read_substitution(std::size_t start);
  void read_arithmetic(std::size_t start);
  void read_parameter(Quoting quoting, std::size_t start);
  void read_backquotes(ShellWord& word);

  // --- blanks, lines, comments, here-documents

  void skip_blanks();
  void skip_lines();
  void read_comment();
  void read_newline();
  void read_here_document(const HereDocument& document);
  std::size_t find_end(const HereDocument& document) const;
  void read_here_line(bool is_quoted);

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  Command command_;
  Pipeline pipeline_;
  std::size_t feed_ = kNone;                      // where what is piped into the group that we are in begins; kNone: nothing is
  std::vector<HereDocument> pending_;             // opened on this line; their text begins on the next
  bool outer_pending_ = false;                    // outside of the $(...) that we are in there are some
  const char* inside_ = nullptr;                  // why no value may stand here
  const char* unclear_ = nullptr;                 // why no value may stand from here on
  std::vector<ShellPlace> known_;
  std::optional<std::size_t> input_value_;        // somewhere in the script; see found_input_value()
  std::optional<std::size_t> found_input_value_;
  bool is_rewired_ = false;                       // `exec` has opened what later commands may read
  const char* evaluated_ = nullptr;               // why no expansion may bring a value here
  std::vector<Carrier> carriers_;                 // in order
  std::map<std::string, std::size_t> variables_;  // that hold a value, and of which template
  ShellReading reading_;
};

}  // namespace hark::shell
