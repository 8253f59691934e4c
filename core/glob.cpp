#include "core/glob.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"

namespace hark {

namespace {

constexpr std::size_t kNone = std::string_view::npos;

Error bad_pattern(std::string_view pattern, std::string_view what) {
  return Error{"pattern '" + printable(pattern, limits::kShownValue) + "': " + std::string(what), ""};
}

// The place after the `]` that closes the `[` at `open`; kNone: nothing does. A `]` that comes first is one of the bytes.
std::size_t class_end(std::string_view text, std::size_t open) {
  std::size_t at = open + 1;
  if (at < text.size() && (text[at] == '!' || text[at] == '^')) ++at;
  for (const std::size_t first = at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text.substr(at, 2) == "[:") {
      if (const std::size_t close = text.find(":]", at + 2); close != kNone) at = close + 1;
    } else if (text[at] == ']' && at != first) {
      return at + 1;
    }
  }
  return kNone;
}

// The next place from `at` on that is none of an escaped byte and of a class: where `{`, `,` and `}` count.
std::size_t skip_quoted(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    if (text[at] == '\\') {
      at += 2;
    } else if (const std::size_t end = text[at] == '[' ? class_end(text, at) : kNone; end != kNone) {
      at = end;
    } else {
      break;
    }
  }
  return at;
}

// Expands the first pair of braces at or after `from`, then the rest of each result. `out` stops growing beyond the bound.
Status expand_braces(const std::string& pattern, std::size_t from, std::vector<std::string>& out) {
  if (out.size() > limits::kGlobAlternatives) return {};
  std::size_t open = skip_quoted(pattern, from);
  while (open < pattern.size() && pattern[open] != '{') open = skip_quoted(pattern, open + 1);
  if (open >= pattern.size()) {
    out.push_back(pattern);
    return {};
  }
  std::vector<std::string> options;
  std::size_t start = open + 1;
  int depth = 1;
  std::size_t at = skip_quoted(pattern, start);
  for (; at < pattern.size(); at = skip_quoted(pattern, at + 1)) {
    if (pattern[at] == '{') ++depth;
    if (pattern[at] == '}') --depth;
    if (depth == 0 || (depth == 1 && pattern[at] == ',')) {
      options.push_back(pattern.substr(start, at - start));
      start = at + 1;
    }
    if (depth == 0) break;
  }
  if (depth != 0) return bad_pattern(pattern, "a '{' is not closed; '\\{' is the sign itself");
  for (const std::string& option : options) {
    if (Status status = expand_braces(pattern.substr(0, open) + option + pattern.substr(at + 1), open, out); !status)
      return status;
  }
  return {};
}

bool in_named_class(std::string_view name, unsigned char c) {
  const bool lower = c >= 'a' && c <= 'z';
  const bool upper = c >= 'A' && c <= 'Z';
  const bool digit = c >= '0' && c <= '9';
  if (name == "alpha") return lower || upper;
  if (name == "alnum") return lower || upper || digit;
  if (name == "digit") return digit;
  if (name == "lower") return lower;
  if (name == "upper") return upper;
  if (name == "xdigit") return digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  if (name == "blank") return c == ' ' || c == '\t';
  if (name == "space") return c == ' ' || (c >= '\t' && c <= '\r');
  if (name == "cntrl") return c < 0x20 || c == 0x7F;
  if (name == "print") return c >= 0x20 && c < 0x7F;
  if (name == "graph") return c > 0x20 && c < 0x7F;
  return c > 0x20 && c < 0x7F && !lower && !upper && !digit;  // punct
}

bool is_class_name(std::string_view name) {
  constexpr std::array<std::string_view, 12> kNames = {"alpha", "alnum", "digit", "lower", "upper", "xdigit",
                                                       "blank", "space", "cntrl", "print", "graph", "punct"};
  for (const std::string_view known : kNames) {
    if (name == known) return true;
  }
  return false;
}

using Bytes = std::bitset<256>;

// What stands between `[` and `]`.
std::optional<Bytes> parse_class(std::string_view inside) {
  const bool negated = inside.front() == '!' || inside.front() == '^';
  if (negated) inside.remove_prefix(1);
  Bytes bytes;
  const auto take = [&](std::size_t& at) {
    if (inside[at] == '\\' && at + 1 < inside.size()) ++at;
    return static_cast<unsigned char>(inside[at++]);
  };
  for (std::size_t at = 0; at < inside.size();) {
    if (inside.substr(at, 2) == "[:") {
      const std::size_t close = inside.find(":]", at + 2);
      const std::string_view name = close == kNone ? std::string_view{} : inside.substr(at + 2, close - at - 2);
      if (!is_class_name(name)) return std::nullopt;
      for (unsigned c = 0; c < 256; ++c) {
        if (in_named_class(name, static_cast<unsigned char>(c))) bytes.set(c);
      }
      at = close + 2;
      continue;
    }
    const unsigned char low = take(at);
    unsigned char high = low;
    if (at + 1 < inside.size() && inside[at] == '-') high = take(++at);
    if (high < low) return std::nullopt;
    for (unsigned c = low; c <= high; ++c) bytes.set(c);
  }
  if (negated) bytes.flip();
  return bytes;
}

// The states of the matcher that are alive: one a token, and one for the end.
class States {
 public:
  explicit States(std::size_t count) : words_((count + 64) / 64) {}
  void set(std::size_t i) { bits_[i / 64] |= std::uint64_t{1} << (i % 64); }
  bool test(std::size_t i) const { return (bits_[i / 64] >> (i % 64) & 1) != 0; }
  void clear() {
    for (std::size_t w = 0; w < words_; ++w) bits_[w] = 0;
  }
  bool none() const {
    for (std::size_t w = 0; w < words_; ++w) {
      if (bits_[w] != 0) return false;
    }
    return true;
  }
  template <class Visit>
  void each(Visit visit) const {
    for (std::size_t w = 0; w < words_; ++w) {
      for (std::uint64_t rest = bits_[w]; rest != 0; rest &= rest - 1)
        visit(w * 64 + static_cast<std::size_t>(std::countr_zero(rest)));
    }
  }

 private:
  // Two tokens a byte at the most ("**/" makes two, of three bytes), what a trailing '/' adds, and the end.
  std::array<std::uint64_t, (limits::kGlobLength + 16 + 63) / 64> bits_{};
  std::size_t words_;
};

}  // namespace

// Turns one alternative into tokens.
class Glob::Compiler {
 public:
  Compiler(std::string_view text, Alternative& out, std::vector<Bytes>& classes) : text_(text), out_(out), classes_(classes) {}

  // nullptr: done; otherwise what is wrong.
  const char* compile() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const char* problem = nullptr;
      if (c == '*') {
        stars();
      } else if (c == '[') {
        problem = byte_class();
      } else if (c == '?') {
        push(Token::Kind::any_byte);
        ++at_;
      } else if (c == '\\' && ++at_ == text_.size()) {
        problem = "it ends in a '\\' that escapes nothing";
      } else {
        push(Token::Kind::byte, static_cast<unsigned char>(text_[at_++]));
      }
      if (problem != nullptr) return problem;
    }
    return nullptr;
  }

 private:
  void push(Token::Kind kind, unsigned value = 0) { out_.tokens.push_back({kind, static_cast<std::uint16_t>(value)}); }

  bool at_segment_start() const {
    if (out_.tokens.empty()) return true;
    const Token& last = out_.tokens.back();
    return last.kind == Token::Kind::inside_folders || (last.kind == Token::Kind::byte && last.value == '/');
  }

  void stars() {
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] == '*') ++at_;
    if (at_ - start == 1) {
      push(Token::Kind::star);
    } else if (at_segment_start() && at_ < text_.size() && text_[at_] == '/') {
      push(Token::Kind::folders);
      push(Token::Kind::inside_folders);
      ++at_;
    } else {
      if (at_ == text_.size() && at_segment_start() && !out_.tokens.empty() && out_.tokens.back().kind == Token::Kind::byte) {
        out_.folder_tokens = out_.tokens.size() - 1;
      }
      push(Token::Kind::deep_star);
    }
  }

  const char* byte_class() {
    const std::size_t end = class_end(text_, at_);
    if (end == kNone) return "a '[' is not closed; '\\[' is the sign itself";
    if (text_.substr(at_, end - at_).find('/') != kNone) return "a '/' in '[]' never matches";
    const std::optional<Bytes> bytes = parse_class(text_.substr(at_ + 1, end - at_ - 2));
    if (!bytes) return "a range in '[]' runs backwards, or a class such as [:alpha:] is misspelt";
    push(Token::Kind::byte_class, static_cast<unsigned>(classes_.size()));
    classes_.push_back(*bytes);
    classes_.back().reset('/');
    at_ = end;
    return nullptr;
  }

  std::string_view text_;
  Alternative& out_;
  std::vector<Bytes>& classes_;
  std::size_t at_ = 0;
};

Result<Glob> Glob::parse(std::string_view pattern) {
  if (pattern.empty()) return bad_pattern(pattern, "it is empty");
  if (pattern.size() > limits::kGlobLength) {
    return bad_pattern(pattern, "longer than " + std::to_string(limits::kGlobLength) + " bytes");
  }
  Glob glob;
  glob.pattern_ = pattern;
  std::vector<std::string> expanded;
  if (Status status = expand_braces(glob.pattern_, 0, expanded); !status) return status.error();
  if (expanded.size() > limits::kGlobAlternatives) {
    return bad_pattern(pattern, "its braces stand for more than " + std::to_string(limits::kGlobAlternatives) + " patterns");
  }
  for (const std::string& text : expanded) {
    if (const char* problem = glob.add(text)) return bad_pattern(pattern, problem);
  }
  return glob;
}

const char* Glob::add(std::string_view text) {
  Alternative alternative;
  bool anchored = text.starts_with('/');
  if (anchored) text.remove_prefix(1);
  for (; text.starts_with("./"); anchored = true) text.remove_prefix(2);
  // "build/" is the folder's whole content, wherever the folder is, as in .gitignore.
  const bool content = text.ends_with('/') && !text.ends_with("\\/");
  if (content) text.remove_suffix(1);
  if (text.empty()) return "it names no path";
  anchored = anchored || text.find('/') != kNone;
  alternative.anywhere = !anchored && !content;
  std::string whole(text);
  if (content) whole = (anchored ? "" : "**/") + whole + "/**";
  if (const char* problem = Compiler(whole, alternative, classes_).compile()) return problem;
  alternatives_.push_back(std::move(alternative));
  return nullptr;
}

// All ways to match at once, as a set of states, so that no pattern makes it slow: text times tokens at the worst, and two or
// three states alive in most. `count`: how many of the tokens are to match the whole text.
bool Glob::run(const Alternative& alternative, std::size_t count, std::string_view text) const {
  const std::vector<Token>& tokens = alternative.tokens;
  States now(count);
  States next(count);
  const auto enter = [&](States& states, std::size_t i) {
    for (;; ++i) {
      states.set(i);
      if (i >= count) return;
      const Token::Kind kind = tokens[i].kind;
      if (kind == Token::Kind::folders) {
        states.set(++i);
      } else if (kind != Token::Kind::star && kind != Token::Kind::deep_star) {
        return;
      }
    }
  };
  enter(now, 0);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    next.clear();
    now.each([&](std::size_t i) {
      if (i >= count) return;
      const Token& token = tokens[i];
      switch (token.kind) {
        case Token::Kind::byte:
          if (byte == token.value) enter(next, i + 1);
          break;
        case Token::Kind::any_byte:
          if (byte != '/') enter(next, i + 1);
          break;
        case Token::Kind::byte_class:
          if (classes_[token.value].test(byte)) enter(next, i + 1);
          break;
        case Token::Kind::star:
          if (byte != '/') enter(next, i);
          break;
        case Token::Kind::deep_star:
          enter(next, i);
          break;
        case Token::Kind::folders:
          break;
        case Token::Kind::inside_folders:
          next.set(i);
          if (byte == '/') enter(next, i + 1);
          break;
      }
    });
    if (next.none()) return false;
    std::swap(now, next);
  }
  return now.test(count);
}

bool Glob::matches(std::string_view path) const {
  const std::string_view last = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  for (const Alternative& alternative : alternatives_) {
    if (run(alternative, alternative.tokens.size(), alternative.anywhere ? last : path)) return true;
  }
  return false;
}

bool Glob::covers(std::string_view folder) const {
  if (matches(folder)) return true;
  for (const Alternative& alternative : alternatives_) {
    if (alternative.folder_tokens != 0 && run(alternative, alternative.folder_tokens, folder)) return true;
  }
  return false;
}

Result<GlobSet> GlobSet::parse(const std::vector<std::string>& patterns) {
  GlobSet set;
  for (const std::string& pattern : patterns) {
    const bool exclude = pattern.starts_with('!');
    Result<Glob> glob = Glob::parse(std::string_view(pattern).substr(exclude ? 1 : 0));
    if (!glob) return glob.error();
    (exclude ? set.excludes_ : set.includes_).push_back(std::move(*glob));
  }
  return set;
}

bool GlobSet::matches(std::string_view path) const {
  bool included = includes_.empty();
  for (const Glob& glob : includes_) included = included || glob.matches(path);
  if (!included) return false;
  for (const Glob& glob : excludes_) {
    if (glob.matches(path)) return false;
  }
  const std::size_t slash = path.rfind('/');
  return slash == kNone || !prunes(path.substr(0, slash));
}

bool GlobSet::prunes(std::string_view folder) const {
  for (; !excludes_.empty() && !folder.empty();) {
    for (const Glob& glob : excludes_) {
      if (glob.covers(folder)) return true;
    }
    const std::size_t slash = folder.rfind('/');
    folder = folder.substr(0, slash == kNone ? 0 : slash);
  }
  return false;
}

bool wildcard_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = kNone;  // the last `*`, and where its share of the text ends
  std::size_t share = 0;
  const auto next = [&](std::size_t at) { return at + std::max<std::size_t>(1, utf8_length(text, at)); };
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      share = t;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      t = next(t);
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != kNone) {
      p = star + 1;
      t = share = next(share);
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace hark
