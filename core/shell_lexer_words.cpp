#include <algorithm>

#include "core/limits.h"
#include "core/shell_reader.h"

namespace hark::shell {

// --- one word

bool Lexer::ends_word(char c) { return std::string_view(" \t\n;&|<>()").find(c) != kNone; }

ShellWord Lexer::read_word() {
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

void Lexer::read_backslash(ShellWord& word) {
  if (is_hole(1)) return refuse(at_ + 1, "a backslash stands before it ('{{' and '}}' are literal braces)");
  word.is_quoted = true;
  ++at_;
  if (!at_end()) word.text += text_[at_++];
}

void Lexer::read_single_quotes(ShellWord& word) {
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

void Lexer::read_double_quotes(ShellWord& word) {
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

void Lexer::close(std::size_t open, std::string_view sign, const char* otherwise) {
  if (!accept(sign)) fail(open, otherwise);
}

// --- expansions

void Lexer::read_dollar(Quoting quoting, ShellWord& word) {
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
std::string Lexer::take_name() {
  if (is_positional(peek())) {
    ++at_;
    return "@";
  }
  const std::size_t start = at_;
  while (is_name_sign(peek(), at_ == start)) ++at_;
  return std::string(text_.substr(start, at_ - start));
}

// The word expands to the value of that template.
void Lexer::bring(ShellWord& word, std::optional<std::size_t> place) {
  if (!place) return;
  if (evaluated_ != nullptr) return refuse(position_of(*place), evaluated_);
  if (!word.has_value()) word.first_hole = *place;
  word.expands_value = true;
  carriers_.push_back({at_, *place});
}

// The template whose value a variable in this expansion holds, whatever its quotes.
std::optional<std::size_t> Lexer::value_in(std::string_view expansion) const {
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

void Lexer::read_substitution(std::size_t start) {
  Scoped outer(outer_pending_, outer_pending_ || !pending_.empty());
  Scoped own(pending_, std::vector<HereDocument>{});
  read_list(Until::parenthesis, start + 1);
  if (!pending_.empty()) fail(start, "a here-document of this $( does not begin before its ')'");
}

void Lexer::read_arithmetic(std::size_t start) {
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
        return refuse(position_of(variable->second), evaluated_);
      continue;
    }
    if (c == '(') ++open;
    if (c == ')') --open;
    ++at_;
  }
  fail(start, "this $(( is not closed");
}

void Lexer::read_parameter(Quoting quoting, std::size_t start) {
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

void Lexer::read_backquotes(ShellWord& word) {
  const std::size_t open = at_++;
  while (!at_end() && peek() != '`') {
    const std::size_t ahead = peek() == '\\' ? 1 : 0;
    if (is_hole(ahead)) return refuse(at_ + ahead, "it stands inside `...` (use $(...) instead)");
    at_ = std::min(at_ + 1 + ahead, text_.size());
  }
  close(open, "`", "this '`' is not closed");
  if (reading_.problem) return;
  const auto text = text_.substr(open, at_ - open);
  if (const auto place = value_in(text)) return refuse(position_of(*place), "it comes into `...` by a variable (use $(...) instead)");
  word.text += text;
}

// --- blanks, lines, comments, here-documents

void Lexer::skip_blanks() {
  while (accept(" ") || accept("\t") || accept("\\\n")) {
  }
}

void Lexer::skip_lines() {
  for (skip_blanks(); !at_end() && (peek() == '\n' || peek() == '#'); skip_blanks()) {
    if (peek() == '#') {
      read_comment();
    } else {
      read_newline();
    }
  }
}

void Lexer::read_comment() {
  while (!at_end() && peek() != '\n') {
    if (is_hole()) {
      take_hole(Kind::comment, nullptr);
    } else {
      ++at_;
    }
  }
}

void Lexer::read_newline() {
  if (at_end()) return;  // the command before it failed
  if (outer_pending_) return fail(at_, "a line ends inside $(...) before the here-document that was opened outside");
  ++at_;
  for (const HereDocument& document : std::exchange(pending_, {})) read_here_document(document);
  pipeline_.first_document = command_.first_document = 0;
}

void Lexer::read_here_document(const HereDocument& document) {
  Scoped inside(inside_, document.is_quoted ? "the here-document's end is quoted, so that nothing is replaced in it"
                         : document.is_code ? "a shell would read this here-document, and the value, as program text"
                                            : inside_);
  Scoped evaluated(evaluated_, document.is_code ? inside_ : nullptr);
  const std::size_t start = at_;
  const std::size_t end = find_end(document);
  const std::size_t places = reading_.places.size(), carriers = carriers_.size();
  while (at_ < end) read_here_line(document.is_quoted);
  if (!found_input_value_ && reading_.places.size() > places) found_input_value_ = places;
  if (!found_input_value_ && carriers_.size() > carriers) found_input_value_ = carriers_[carriers].place;
  // Some shells find the end first and then expand the text, others expand as they read.
  if (at_ > end) return fail(start, "an expansion or a '\\' in this here-document reaches beyond its end");
  const std::size_t line_end = std::min(text_.find('\n', end), text_.size());
  at_ = std::min(line_end + 1, text_.size());
}

// Where the line that ends it begins.
std::size_t Lexer::find_end(const HereDocument& document) const {
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
void Lexer::read_here_line(bool is_quoted) {
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

}  // namespace hark::shell
