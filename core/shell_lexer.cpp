#include "core/shell_lexer.h"

#include <algorithm>

#include "core/limits.h"
#include "core/shell_programs.h"
#include "core/shell_reader.h"

namespace hark {

namespace shell {

ShellReading Lexer::read() {
  read_list(Until::end, 0);
  return std::move(reading_);
}

// --- lists of commands

// Reads commands up to the end, to the `)` of the list opened at `open`, or to the `;;` or `esac` of a case's item. True:
// `esac`.
bool Lexer::read_list(Until until, std::size_t open) {
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

Lexer::Pipeline Lexer::fresh_pipeline() const { return {at_, pending_.size(), false}; }

Lexer::Command Lexer::fresh_command() const { return {{}, pending_.size(), false, false, std::nullopt}; }

bool Lexer::is_empty(const Command& command) { return command.words.empty() && !command.is_redirected; }

// True: it ends a case's item.
bool Lexer::read_operator(Until until) {
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

void Lexer::read_parenthesis() {
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

void Lexer::finish_command() {
  Command command = std::exchange(command_, fresh_command());
  if (command.words.empty() || reading_.problem) return;
  const ShellWordsReading reading = read_shell_words(command.words);
  if (reading.refusal) {
    const ShellWord& word = command.words[reading.refusal->word];
    const bool far = word.holes == 0 && word.expands_value && word.text.find(kShellHole) == kNone;
    return fail(place_of(word), reading.refusal->why + (far ? " (it comes there through " + word.text + ")" : ""),
                word.has_value(), reading.refusal->cure);
  }
  for (const std::size_t word : reading.joined) join_lists(command.words[word]);
  if (reading.standard_input_is_code) read_standard_input(command);
  remember_values(command);
  if (command.words.size() == 1 && command.words.front().text == "exec") is_rewired_ = true;
  if (command.words.front().text == "alias") unclear_ = "what follows an alias cannot be read with certainty";
}

// What this command reads is code: what its pipeline's earlier commands write, and its here-documents.
void Lexer::read_standard_input(const Command& command) {
  if (const std::optional<std::size_t> place = piped_value(command)) {
    const std::string& program = command.words.front().text;
    return refuse(position_of(*place), "'" + program + "' would read the value from the pipe as program text");
  }
  const std::string would_read = "'" + command.words.front().text + "' would read ";
  if (command.input) return refuse(position_of(*command.input), would_read + "the file as program text");
  const auto is_descriptor = [](const ShellWord& word) { return names_descriptor(word.text); };
  const bool from_elsewhere =
      command.duplicates_input || is_rewired_ || std::any_of(command.words.begin(), command.words.end(), is_descriptor);
  if (from_elsewhere && input_value_) return refuse(position_of(*input_value_), would_read + "the value as program text");
  for (std::size_t i = pipeline_.is_piped ? pipeline_.first_document : command.first_document; i < pending_.size(); ++i) {
    pending_[i].is_code = true;
  }
}

// The template whose value stands before this command in its pipeline.
std::optional<std::size_t> Lexer::piped_value(const Command& command) const {
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
void Lexer::remember_values(const Command& command) {
  const std::vector<ShellWord>& words = command.words;
  for (const ShellWord& word : words) {
    if (word.is_assignment && word.has_value()) variables_.try_emplace(word.text.substr(0, word.text.find('=')), word.first_hole);
  }
  const std::string& name = words.front().text;
  if (name == "for" && words.size() > 2 && words[2].text == "do") return fail(words[2].start, "write 'for NAME; do'");
  if (words.size() > 1 && (name == "for" || name == "set")) {
    const auto word = std::find_if(words.begin() + 1, words.end(), [](const ShellWord& each) { return each.has_value(); });
    if (word != words.end()) variables_.try_emplace(name == "set" ? "@" : words[1].text, word->first_hole);
  }
  if (name == "for" && words.size() == 2) {  // over the positional parameters
    if (const auto all = variables_.find("@"); all != variables_.end()) variables_.try_emplace(words[1].text, all->second);
  }
  const auto read = std::find_if(words.begin(), words.end(), [](const ShellWord& each) { return each.text == "read"; });
  if (read == words.end()) return;
  const std::optional<std::size_t> piped = piped_value(command);
  const std::optional<std::size_t> place = piped ? piped : input_value_;
  for (auto word = read + 1; place && word != words.end(); ++word) variables_.try_emplace(word->text, *place);
}

std::size_t Lexer::place_of(const ShellWord& word) const {
  return word.has_value() ? position_of(word.first_hole) : word.start;
}

void Lexer::join_lists(const ShellWord& word) {
  for (std::size_t i = 0; i < word.holes; ++i) reading_.places[word.first_hole + i].is_joined = true;
}

// --- words of a command

// True: it was the `esac` that ends a case.
bool Lexer::read_word_of_command(std::vector<std::pair<Pipeline, std::size_t>>& groups) {
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

void Lexer::read_case(std::size_t start) {
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

void Lexer::read_redirection() {
  const std::size_t start = at_;
  command_.is_redirected = true;
  const bool here_string = accept("<<<");
  const bool strips_tabs = !here_string && accept("<<-");
  const bool here_document = strips_tabs || (!here_string && accept("<<"));
  const bool is_input = peek() == '<' && peek(1) != '>';
  command_.duplicates_input |= is_input && peek(1) == '&';
  if (here_string) unclear_ = "after '<<<', which is not POSIX, the script cannot be read with certainty";
  if (!here_string && !here_document && !accept("<&") && !accept("<>") && !accept(">>") && !accept(">&") && !accept(">|")) ++at_;
  skip_blanks();
  const std::size_t word_start = at_;
  const std::size_t places = reading_.places.size();
  const ShellWord word = read_word();
  if (at_ == word_start) return fail(start, "expected a word after the redirection");
  join_lists(word);
  if (is_input && !here_document && word.has_value()) {
    command_.input = word.first_hole;
    if (!found_input_value_) found_input_value_ = word.first_hole;
  }
  if (!here_document || reading_.problem) return;
  if (reading_.places.size() != places)
    return refuse(reading_.places[places].position, "a value cannot be the end of a here-document");
  const std::string_view raw = text_.substr(word_start, at_ - word_start);
  if (raw.find_first_of("$`\n") != kNone)
    return fail(word_start, "a here-document's end with a '$', a '`' or a line break in it");
  pending_.push_back({word.text, word.is_quoted, strips_tabs, false});
}

}  // namespace shell

ShellReading read_shell(std::string_view script) {
  shell::Lexer first(script);
  ShellReading reading = first.read();
  if (reading.problem || !first.found_input_value()) return reading;
  return shell::Lexer(script, std::move(reading.places), *first.found_input_value()).read();
}

}  // namespace hark
