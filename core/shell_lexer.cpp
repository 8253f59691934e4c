#include "core/shell_lexer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/limits.h"
#include "core/shell_words.h"

namespace hark {

namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool is_name_sign(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

bool is_positional(char c) { return c == '@' || c == '*' || (c >= '1' && c <= '9'); }

bool all_digits(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == kNone; }

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

  ShellReading read() {
    read_list(Until::end, 0);
    return std::move(reading_);
  }

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

  // Reads commands up to the end, to the `)` of the list opened at `open`, or to the `;;` or `esac` of a case's item. True:
  // `esac`.
  bool read_list(Until until, std::size_t open) {
    Scoped depth(depth_, depth_ + 1);
    if (depth_ > limits::kShellDepth) fail(open, "nested deeper than " + std::to_string(limits::kShellDepth));
    Scoped saved_pipeline(pipeline_, fresh_pipeline());
    Scoped saved_command(command_, fresh_command());
    const Pipeline& outer = saved_pipeline.before();
    Scoped saved_feed(feed_, outer.is_piped ? outer.start : feed_);
    std::vector<std::pair<Pipeline, std::size_t>> groups;  // of `{`, `if`, `while`, `for`: the pipelines that they are part of
    for (;;) {
      skip_blanks();
      if (at_end()) {
        finish_command();
        if (until != Until::end) fail(open, until == Until::parenthesis ? "this '(' is not closed" : "this case has no esac");
        return false;
      }
      const char c = peek();
      if (c == '#') {
        read_comment();
      } else if (c == '\n') {
        const bool goes_on = pipeline_.is_piped && is_empty(command_);  // "a |", and the next line
        finish_command();
        read_newline();
        if (!goes_on) pipeline_ = fresh_pipeline();
      } else if (c == ')') {
        finish_command();
        if (until != Until::parenthesis) {
          fail(at_, "this ')' closes nothing");
        } else if (!reading_.problem) {
          ++at_;
        }
        return false;
      } else if (c == ';' || c == '&' || c == '|') {
        if (read_operator(until)) return false;
      } else if (c == '(') {
        read_parenthesis();
      } else if (c == '<' || c == '>') {
        read_redirection();
      } else if (read_word_of_command(groups) && until == Until::case_item) {
        return true;
      }
    }
  }

  Pipeline fresh_pipeline() const { return {at_, pending_.size(), false}; }
  Command fresh_command() const { return {{}, pending_.size(), false}; }
  static bool is_empty(const Command& command) { return command.words.empty() && !command.is_redirected; }

  // True: it ends a case's item.
  bool read_operator(Until until) {
    const std::size_t start = at_;
    finish_command();
    if (reading_.problem) return false;
    if (accept(";;") || accept(";&")) {
      accept("&");
      if (until != Until::case_item) fail(start, "';;' outside of a case");
      return until == Until::case_item;
    }
    const bool pipes = peek() == '|' && peek(1) != '|';
    if (!accept("||") && !accept("&&")) ++at_;
    if (pipes) {
      pipeline_.is_piped = true;
    } else {
      pipeline_ = fresh_pipeline();
    }
    return false;
  }

  void read_parenthesis() {
    const std::size_t open = at_++;
    if (is_empty(command_)) {
      // Nested subshells for dash, arithmetic for others.
      Scoped inside(inside_, peek() == '(' && inside_ == nullptr ? "(( is arithmetic in some shells (write '( (')" : inside_);
      read_list(Until::parenthesis, open);
      return;
    }
    skip_blanks();
    const bool is_function = command_.words.size() == 1 && !command_.is_redirected;
    if (is_function && command_.words.front().holes > 0)
      return refuse(place_of(command_.words.front()), "a value here would name a function");
    if (!is_function || !accept(")")) return fail(open, "a '(' here is no shell syntax");
    command_ = fresh_command();
  }

  void finish_command() {
    Command command = std::exchange(command_, fresh_command());
    if (command.words.empty() || reading_.problem) return;
    const ShellWordsReading reading = read_shell_words(command.words);
    if (reading.refusal) {
      const ShellWord& word = command.words[reading.refusal->word];
      const bool far = word.holes == 0;
      return refuse(place_of(word), reading.refusal->why + (far ? " (it comes there through " + word.text + ")" : ""),
                    reading.refusal->cure);
    }
    for (const std::size_t word : reading.joined) join_lists(command.words[word]);
    if (reading.standard_input_is_code) read_standard_input(command);
    remember_values(command);
    if (command.words.front().text == "alias") unclear_ = "what follows an alias cannot be read with certainty";
  }

  // What this command reads is code: what its pipeline's earlier commands write, and its here-documents.
  void read_standard_input(const Command& command) {
    if (const std::optional<std::size_t> place = piped_value(command)) {
      const std::string& program = command.words.front().text;
      return refuse(reading_.places[*place].position, "'" + program + "' would read the value from the pipe as program text");
    }
    for (std::size_t i = pipeline_.is_piped ? pipeline_.first_document : command.first_document; i < pending_.size(); ++i) {
      pending_[i].is_code = true;
    }
  }

  // The template whose value stands before this command in its pipeline.
  std::optional<std::size_t> piped_value(const Command& command) const {
    const std::size_t from = pipeline_.is_piped ? pipeline_.start : feed_;
    const std::size_t to = command.words.front().start;
    const auto before = [](const auto& each, std::size_t position) { return each.position < position; };
    const std::vector<ShellPlace>& places = reading_.places;
    auto place = std::lower_bound(places.begin(), places.end(), from, before);
    while (place != places.end() && place->kind == Kind::comment) ++place;
    if (place != places.end() && place->position < to) return place - places.begin();
    const auto carrier = std::lower_bound(carriers_.begin(), carriers_.end(), from, before);
    if (carrier != carriers_.end() && carrier->position < to) return carrier->place;
    return std::nullopt;
  }

  // The variables that hold a value from here on.
  void remember_values(const Command& command) {
    const std::vector<ShellWord>& words = command.words;
    for (const ShellWord& word : words) {
      if (word.is_assignment && word.has_value())
        variables_.try_emplace(word.text.substr(0, word.text.find('=')), word.first_hole);
    }
    const std::string& name = words.front().text;
    if (words.size() > 1 && (name == "for" || name == "set")) {
      const auto word = std::find_if(words.begin() + 1, words.end(), [](const ShellWord& each) { return each.has_value(); });
      if (word != words.end()) variables_.try_emplace(name == "set" ? "@" : words[1].text, word->first_hole);
    }
    const auto read = std::find_if(words.begin(), words.end(), [](const ShellWord& each) { return each.text == "read"; });
    if (read == words.end()) return;
    const std::optional<std::size_t> place = piped_value(command);
    for (auto word = read + 1; place && word != words.end(); ++word) variables_.try_emplace(word->text, *place);
  }

  std::size_t place_of(const ShellWord& word) const {
    return word.has_value() ? reading_.places[word.first_hole].position : word.start;
  }

  void join_lists(const ShellWord& word) {
    for (std::size_t i = 0; i < word.holes; ++i) reading_.places[word.first_hole + i].is_joined = true;
  }

  // --- words of a command

  // True: it was the `esac` that ends a case.
  bool read_word_of_command(std::vector<std::pair<Pipeline, std::size_t>>& groups) {
    ShellWord word = read_word();
    const bool reserved = is_empty(command_) && !word.is_quoted && word.holes == 0 && !reading_.problem;
    const std::string& text = word.text;
    if (all_digits(text) && !word.is_quoted && (peek() == '<' || peek() == '>')) return false;  // the number of a redirection
    if (reserved && text == "esac") return true;
    if (reserved && text == "case") {
      read_case(word.start);
    } else if (reserved && (text == "{" || text == "if" || text == "while" || text == "until" || text == "for")) {
      groups.emplace_back(pipeline_, feed_);
      if (pipeline_.is_piped) feed_ = pipeline_.start;
      pipeline_ = fresh_pipeline();
      if (text == "for") command_.words.push_back(std::move(word));
    } else if (reserved && (text == "}" || text == "fi" || text == "done")) {
      if (groups.empty()) return false;
      pipeline_ = groups.back().first;
      feed_ = groups.back().second;
      groups.pop_back();
    } else if (!reserved || (text != "!" && text != "then" && text != "else" && text != "elif" && text != "do")) {
      command_.words.push_back(std::move(word));
    }
    return false;
  }

  void read_case(std::size_t start) {
    Scoped depth(depth_, depth_ + 1);
    skip_blanks();
    join_lists(read_word());
    skip_lines();
    if (const ShellWord in = read_word(); in.text != "in" || in.is_quoted) return fail(start, "this case has no 'in'");
    for (;;) {
      skip_lines();
      if (at_end()) return fail(start, "this case has no esac");
      const bool open = accept("(");
      skip_blanks();
      for (bool first = !open;; first = false) {
        const std::size_t pattern_start = at_;
        const ShellWord pattern = read_word();
        if (first && pattern.text == "esac" && !pattern.is_quoted && pattern.holes == 0) return;
        if (at_ == pattern_start) return fail(at_, "expected a pattern of the case");
        join_lists(pattern);
        skip_blanks();
        if (!accept("|")) break;
        skip_blanks();
      }
      if (!accept(")")) return fail(at_, "expected ')' after a pattern of the case");
      if (read_list(Until::case_item, start)) return;
    }
  }

  void read_redirection() {
    const std::size_t start = at_;
    command_.is_redirected = true;
    const bool here_string = accept("<<<");
    const bool strips_tabs = !here_string && accept("<<-");
    const bool here_document = strips_tabs || (!here_string && accept("<<"));
    if (here_string) unclear_ = "after '<<<', which is not POSIX, the script cannot be read with certainty";
    if (!here_string && !here_document && !accept("<&") && !accept("<>") && !accept(">>") && !accept(">&") && !accept(">|"))
      ++at_;
    skip_blanks();
    const std::size_t word_start = at_;
    const std::size_t places = reading_.places.size();
    const ShellWord word = read_word();
    if (at_ == word_start) return fail(start, "expected a word after the redirection");
    join_lists(word);
    if (!here_document || reading_.problem) return;
    if (reading_.places.size() != places)
      return refuse(reading_.places[places].position, "a value cannot be the end of a here-document");
    const std::string_view raw = text_.substr(word_start, at_ - word_start);
    if (raw.find_first_of("$`\n") != kNone)
      return fail(word_start, "a here-document's end with a '$', a '`' or a line break in it");
    pending_.push_back({word.text, word.is_quoted, strips_tabs, false});
  }

  // --- one word

  static bool ends_word(char c) { return std::string_view(" \t\n;&|<>()").find(c) != kNone; }

  ShellWord read_word() {
    ShellWord word;
    word.start = at_;
    bool is_name = true;  // so far, so that a `=` makes it an assignment
    while (!at_end() && !ends_word(peek())) {
      const std::size_t size = word.text.size();
      const char c = peek();
      if (c == kShellHole) {
        take_hole(Kind::bare, &word);
      } else if (c == '\\') {
        if (accept("\\\n")) continue;
        read_backslash(word);
      } else if (c == '\'') {
        read_single_quotes(word);
      } else if (c == '"') {
        read_double_quotes(word);
      } else if (c == '$') {
        if (peek(1) == '\'') unclear_ = "after $'...', which is not POSIX, the script cannot be read with certainty";
        read_dollar(Quoting::bare, word);
      } else if (c == '`') {
        read_backquotes(word);
      } else {
        if (c == '=' && is_name && size > 0) word.is_assignment = true;
        is_name = is_name && is_name_sign(c, size == 0);
        word.text += c;
        ++at_;
        continue;
      }
      is_name = false;
    }
    const bool alone = word.holes == 1 && word.text.size() == 1 && !word.is_quoted;
    if (alone && !reading_.problem) reading_.places[word.first_hole].is_alone = true;
    return word;
  }

  void read_backslash(ShellWord& word) {
    if (is_hole(1)) return refuse(at_ + 1, "a backslash stands before it ('{{' and '}}' are literal braces)");
    word.is_quoted = true;
    ++at_;
    if (!at_end()) word.text += text_[at_++];
  }

  void read_single_quotes(ShellWord& word) {
    const std::size_t open = at_++;
    word.is_quoted = true;
    while (!at_end() && peek() != '\'') {
      if (is_hole()) {
        take_hole(Kind::single_quotes, &word);
      } else {
        word.text += text_[at_++];
      }
    }
    close(open, "'", "this single quote is not closed");
  }

  void read_double_quotes(ShellWord& word) {
    const std::size_t open = at_++;
    word.is_quoted = true;
    while (!at_end() && peek() != '"') {
      if (is_hole()) {
        take_hole(Kind::double_quotes, &word);
      } else if (peek() == '\\') {
        if (!accept("\\\n")) read_backslash(word);
      } else if (peek() == '$') {
        read_dollar(Quoting::double_quotes, word);
      } else if (peek() == '`') {
        read_backquotes(word);
      } else {
        word.text += text_[at_++];
      }
    }
    close(open, "\"", "this double quote is not closed");
  }

  void close(std::size_t open, std::string_view sign, const char* otherwise) {
    if (!accept(sign)) fail(open, otherwise);
  }

  // --- expansions

  void read_dollar(Quoting quoting, ShellWord& word) {
    const std::size_t start = at_++;
    const std::size_t places = reading_.places.size();
    while (accept("\\\n")) {
    }
    if (is_hole()) return refuse(at_, "a '$' stands before it");
    if (accept("((")) {
      read_arithmetic(start);
    } else if (accept("(")) {
      read_substitution(start);
    } else if (accept("{")) {
      read_parameter(quoting, start);
    } else {
      take_name();
    }
    if (reading_.problem) return;
    const std::string_view expansion = text_.substr(start, at_ - start);
    word.text += expansion;
    bring(word, reading_.places.size() > places ? std::optional(places) : value_in(expansion));
  }

  // The name of a variable, or of a positional parameter.
  std::string take_name() {
    if (is_positional(peek())) {
      ++at_;
      return "@";
    }
    const std::size_t start = at_;
    while (is_name_sign(peek(), at_ == start)) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  // The word expands to the value of that template.
  void bring(ShellWord& word, std::optional<std::size_t> place) {
    if (!place) return;
    if (evaluated_ != nullptr) return refuse(reading_.places[*place].position, evaluated_);
    if (!word.has_value()) word.first_hole = *place;
    word.expands_value = true;
    carriers_.push_back({at_, *place});
  }

  // The template whose value a variable in this expansion holds, whatever its quotes.
  std::optional<std::size_t> value_in(std::string_view expansion) const {
    for (std::size_t at = 0; (at = expansion.find('$', at)) != kNone;) {
      at += expansion.substr(at + 1, 1) == "{" ? 2 : 1;
      const std::size_t start = at;
      while (at < expansion.size() && is_name_sign(expansion[at], at == start)) ++at;
      const bool positional = at == start && at < expansion.size() && is_positional(expansion[at]);
      const auto variable = variables_.find(positional ? "@" : std::string(expansion.substr(start, at - start)));
      if (variable != variables_.end()) return variable->second;
    }
    return std::nullopt;
  }

  void read_substitution(std::size_t start) {
    Scoped outer(outer_pending_, outer_pending_ || !pending_.empty());
    Scoped own(pending_, std::vector<HereDocument>{});
    read_list(Until::parenthesis, start + 1);
    if (!pending_.empty()) fail(start, "a here-document of this $( does not begin before its ')'");
  }

  void read_arithmetic(std::size_t start) {
    Scoped depth(depth_, depth_ + 1);
    if (depth_ > limits::kShellDepth) return fail(start, "nested too deep");
    constexpr const char* kWhy = "arithmetic would evaluate the value as an expression (expr takes it as a number)";
    Scoped inside(inside_, kWhy);
    Scoped evaluated(evaluated_, kWhy);
    ShellWord ignored;
    for (int open = 2; !at_end();) {
      const char c = peek();
      if (c == kShellHole) return refuse(at_, inside_);
      if (c == '\'' || c == '"' || c == '\\') unclear_ = "after a quote inside $((...)) the script cannot be read with certainty";
      if (c == '$') {
        read_dollar(Quoting::double_quotes, ignored);
        continue;
      }
      if (c == '`') {
        read_backquotes(ignored);
        continue;
      }
      if (open == 2 && c == ')')
        return close(start, "))", "this $(( is not closed by '))' (a subshell in $( needs a space: '$( (')");
      if (is_name_sign(c, true)) {
        if (const auto variable = variables_.find(take_name()); variable != variables_.end())
          return refuse(reading_.places[variable->second].position, evaluated_);
        continue;
      }
      if (c == '(') ++open;
      if (c == ')') --open;
      ++at_;
    }
    fail(start, "this $(( is not closed");
  }

  void read_parameter(Quoting quoting, std::size_t start) {
    Scoped depth(depth_, depth_ + 1);
    if (depth_ > limits::kShellDepth) return fail(start, "nested too deep");
    Scoped inside(inside_, "inside ${...} it cannot be quoted with certainty (put the value into a variable first: v={name})");
    ShellWord ignored;
    while (!at_end() && peek() != '}') {
      const char c = peek();
      const bool unclear = (c == '\'' && quoting != Quoting::bare) || (c == '"' && quoting == Quoting::here_document);
      if (unclear) unclear_ = "after a quote inside a quoted ${...} the script cannot be read with certainty";
      if (c == kShellHole) return refuse(at_, inside_);
      if (c == '\\') {
        read_backslash(ignored);
      } else if (c == '$') {
        read_dollar(quoting, ignored);
      } else if (c == '`') {
        read_backquotes(ignored);
      } else if (c == '"' && !unclear) {
        read_double_quotes(ignored);
      } else if (c == '\'' && !unclear) {
        read_single_quotes(ignored);
      } else {
        ++at_;
      }
    }
    close(start, "}", "this ${ is not closed");
  }

  void read_backquotes(ShellWord& word) {
    const std::size_t open = at_++;
    while (!at_end() && peek() != '`') {
      const std::size_t ahead = peek() == '\\' ? 1 : 0;
      if (is_hole(ahead)) return refuse(at_ + ahead, "it stands inside `...` (use $(...) instead)");
      at_ = std::min(at_ + 1 + ahead, text_.size());
    }
    close(open, "`", "this '`' is not closed");
    if (!reading_.problem) word.text += text_.substr(open, at_ - open);
  }

  // --- blanks, lines, comments, here-documents

  void skip_blanks() {
    while (accept(" ") || accept("\t") || accept("\\\n")) {
    }
  }

  void skip_lines() {
    for (skip_blanks(); !at_end() && (peek() == '\n' || peek() == '#'); skip_blanks()) {
      if (peek() == '#') {
        read_comment();
      } else {
        read_newline();
      }
    }
  }

  void read_comment() {
    while (!at_end() && peek() != '\n') {
      if (is_hole()) {
        take_hole(Kind::comment, nullptr);
      } else {
        ++at_;
      }
    }
  }

  void read_newline() {
    if (at_end()) return;  // the command before it failed
    if (outer_pending_) return fail(at_, "a line ends inside $(...) before the here-document that was opened outside");
    ++at_;
    for (const HereDocument& document : std::exchange(pending_, {})) read_here_document(document);
    pipeline_.first_document = command_.first_document = 0;
  }

  void read_here_document(const HereDocument& document) {
    Scoped inside(inside_, document.is_quoted ? "the here-document's end is quoted, so that nothing is replaced in it"
                           : document.is_code ? "a shell would read this here-document, and the value, as program text"
                                              : inside_);
    Scoped evaluated(evaluated_, document.is_code ? inside_ : nullptr);
    const std::size_t start = at_;
    const std::size_t end = find_end(document);
    while (at_ < end) read_here_line(document.is_quoted);
    // Some shells find the end first and then expand the text, others expand as they read.
    if (at_ > end) return fail(start, "an expansion or a '\\' in this here-document reaches beyond its end");
    const std::size_t line_end = std::min(text_.find('\n', end), text_.size());
    at_ = std::min(line_end + 1, text_.size());
  }

  // Where the line that ends it begins.
  std::size_t find_end(const HereDocument& document) const {
    for (std::size_t line = at_; line < text_.size();) {
      const std::size_t end = std::min(text_.find('\n', line), text_.size());
      std::string_view content = text_.substr(line, end - line);
      if (document.strips_tabs) content.remove_prefix(std::min(content.find_first_not_of('\t'), content.size()));
      if (content == document.delimiter) return line;
      line = end + 1;
    }
    return text_.size();
  }

  // To the end of the line, or of a later one that an escaped line break or an expansion joins to it.
  void read_here_line(bool is_quoted) {
    ShellWord ignored;
    while (!at_end()) {
      const char c = peek();
      if (c == kShellHole) {
        take_hole(Kind::here_document, nullptr);
      } else if (c == '\\' && !is_quoted) {
        if (!accept("\\\n")) read_backslash(ignored);
      } else if (c == '$' && !is_quoted) {
        read_dollar(Quoting::here_document, ignored);
      } else if (c == '`' && !is_quoted) {
        read_backquotes(ignored);
      } else {
        ++at_;
        if (c == '\n') return;
      }
    }
  }

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
  const char* evaluated_ = nullptr;               // why no expansion may bring a value here
  std::vector<Carrier> carriers_;                 // in order
  std::map<std::string, std::size_t> variables_;  // that hold a value, and of which template
  ShellReading reading_;
};

}  // namespace

ShellReading read_shell(std::string_view script) { return Lexer(script).read(); }

}  // namespace hark
