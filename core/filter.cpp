#include "core/filter.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/glob.h"
#include "core/limits.h"
#include "core/printable.h"

namespace hark {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kReason = 400;  // of an OR whose every term failed: the first few say enough

// Wide enough that every 64-bit integer is exact (x86-64 and AArch64).
using Number = long double;

std::optional<Number> parse_number(std::string_view text) {
  // from_chars knows "inf" and "nan" too; no number of JSON begins with a letter.
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  if (text.size() <= first || text[first] < '0' || text[first] > '9') return std::nullopt;
  Number number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Number> to_number(const Json& value) {
  if (value.is_string()) return parse_number(value.get_ref<const std::string&>());
  if (value.is_number_unsigned()) return static_cast<Number>(value.get<std::uint64_t>());
  if (value.is_number_integer()) return static_cast<Number>(value.get<std::int64_t>());
  if (value.is_number_float()) return static_cast<Number>(value.get<double>());
  return std::nullopt;
}

std::string in_quotes(std::string_view text) { return "'" + printable(text, limits::kShownValue) + "'"; }

std::string shown(const Json* value);

std::string shown_list(const Json& list) {
  std::string out = "[";
  for (const Json& element : list) {
    if (out.size() > 1) out += ", ";
    if (out.size() >= limits::kShownValue) return out + "…]";
    out += element.is_array() ? "a list" : shown(&element);
  }
  return out + "]";
}

std::string shown(const Json* value) {
  if (value == nullptr) return "missing";
  if (value->is_string()) return in_quotes(value->get_ref<const std::string&>());
  if (value->is_object()) return "an object";
  if (value->is_array()) return shown_list(*value);
  return value->dump();
}

}  // namespace

// What a term wants of one value, or how terms go together.
struct Filter::Node {
  enum class Kind { all, any, negation, presence, equality, comparison };
  Kind kind = Kind::all;
  std::vector<Node> children;
  std::string field;
  std::string wanted;
  bool is_glob = false;
  std::string sign;              // of a comparison
  std::optional<Number> number;  // `wanted` as one, where it is

  bool holds(const Lookup& lookup, bool negated, std::string& why) const;
  void collect(std::vector<std::string>& into) const;
  void collect_values(std::string_view of, std::vector<std::string>& into) const;
  std::optional<std::vector<std::string>> required(std::string_view of) const;

 private:
  bool group_holds(const Lookup& lookup, bool negated, std::string& why) const;
  bool accepts(const Json& value) const;
  bool equals(const Json& scalar) const;
  bool compares(const Json& scalar) const;
  std::string reason(const Json* value, bool negated) const;
};

// `negated` is handed down to the terms (De Morgan), so that the term that decided is found under a `!` as well.
bool Filter::Node::holds(const Lookup& lookup, bool negated, std::string& why) const {
  if (kind == Kind::negation) return children.front().holds(lookup, !negated, why);
  if (kind == Kind::all || kind == Kind::any) return group_holds(lookup, negated, why);
  const Json* value = lookup(field);
  const bool found = value != nullptr && (kind == Kind::presence || accepts(*value));
  if (found != negated) return true;
  why = reason(value, negated);
  return false;
}

bool Filter::Node::group_holds(const Lookup& lookup, bool negated, std::string& why) const {
  const bool every = (kind == Kind::all) != negated;
  std::string reasons;
  for (const Node& child : children) {
    std::string reason;
    const bool held = child.holds(lookup, negated, reason);
    if (held && !every) return true;
    if (held) continue;
    if (every) {
      why = std::move(reason);
      return false;
    }
    if (reasons.size() < kReason) reasons += (reasons.empty() ? "" : "; ") + reason;
  }
  why = std::move(reasons);
  return every;
}

bool Filter::Node::accepts(const Json& value) const {
  const auto one = [this](const Json& scalar) { return kind == Kind::equality ? equals(scalar) : compares(scalar); };
  return value.is_array() ? std::any_of(value.begin(), value.end(), one) : one(value);
}

bool Filter::Node::equals(const Json& scalar) const {
  if (scalar.is_structured()) return false;
  const auto matches = [this](std::string_view text) { return is_glob ? wildcard_match(wanted, text) : wanted == text; };
  if (scalar.is_string()) return matches(scalar.get_ref<const std::string&>());
  if (scalar.is_number() && number) return to_number(scalar) == number;
  return matches(scalar.dump());
}

bool Filter::Node::compares(const Json& scalar) const {
  const std::optional<Number> actual = to_number(scalar);
  if (!actual) return false;
  if (sign == ">") return *actual > *number;
  if (sign == ">=") return *actual >= *number;
  if (sign == "<") return *actual < *number;
  return *actual <= *number;
}

std::string Filter::Node::reason(const Json* value, bool negated) const {
  const std::string is = printable(field, limits::kShownValue) + " is " + shown(value) + ", wanted ";
  if (kind == Kind::presence) return is + (negated ? "it missing" : "it there");
  const std::string what = kind == Kind::comparison ? sign + " " + printable(wanted, limits::kShownValue) : in_quotes(wanted);
  return is + (negated ? "not " : "") + what;
}

void Filter::Node::collect(std::vector<std::string>& into) const {
  for (const Node& child : children) child.collect(into);
  if (!field.empty() && std::find(into.begin(), into.end(), field) == into.end()) into.push_back(field);
}

void Filter::Node::collect_values(std::string_view of, std::vector<std::string>& into) const {
  for (const Node& child : children) child.collect_values(of, into);
  if (kind == Kind::equality && field == of && !is_glob) into.push_back(wanted);
}

std::optional<std::vector<std::string>> Filter::Node::required(std::string_view of) const {
  if (kind == Kind::equality && field == of && !is_glob) return std::vector<std::string>{wanted};
  if (kind != Kind::all && kind != Kind::any) return std::nullopt;
  std::vector<std::string> values;
  for (const Node& child : children) {
    const auto one = child.required(of);
    if (kind == Kind::all && one) return one;
    if (kind == Kind::any && !one) return std::nullopt;
    if (one) values.insert(values.end(), one->begin(), one->end());
  }
  return kind == Kind::any ? std::optional(std::move(values)) : std::nullopt;
}

class Filter::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Node> parse() {
    Result<Node> node = parse_group('|', 0);
    skip_blanks();
    if (node && at_ < text_.size()) return error("expected ',', '|' or the end" + found());
    return node;
  }

 private:
  // `|` parts hold `,` parts hold units.
  Result<Node> parse_group(char sign, int depth) {
    Node group;
    group.kind = sign == '|' ? Node::Kind::any : Node::Kind::all;
    do {
      Result<Node> part = sign == '|' ? parse_group(',', depth) : parse_unit(depth);
      if (!part) return part;
      group.children.push_back(std::move(*part));
      skip_blanks();
    } while (accept(sign));
    if (group.children.size() == 1) return Node(std::move(group.children.front()));
    return group;
  }

  Result<Node> parse_unit(int depth) {
    skip_blanks();
    if (depth > limits::kFilterDepth) return error("nested deeper than " + std::to_string(limits::kFilterDepth));
    if (accept('!')) {
      Result<Node> inner = parse_unit(depth + 1);
      if (!inner) return inner;
      Node node;
      node.kind = Node::Kind::negation;
      node.children.push_back(std::move(*inner));
      return node;
    }
    if (!accept('(')) return parse_term();
    Result<Node> inner = parse_group('|', depth + 1);
    if (!inner) return inner;
    skip_blanks();
    if (!accept(')')) return error("expected ',', '|' or ')'" + found());
    return inner;
  }

  Result<Node> parse_term() {
    Node node;
    const std::size_t start = at_;
    while (at_ < text_.size() && is_field_sign(text_[at_])) ++at_;
    node.field = text_.substr(start, at_ - start);
    if (node.field.empty()) return error("expected a field, '!' or '('" + found());
    if (node.field.front() == '.' || node.field.back() == '.' || node.field.find("..") != std::string::npos) {
      at_ = start;
      return error("'" + node.field + "' is no field: a part between its dots is empty");
    }
    if (!accept(':')) return error("expected ':' after '" + printable(node.field, limits::kShownValue) + "'" + found());
    skip_blanks();
    if (at_end_of_term()) {
      node.kind = Node::Kind::presence;
      return node;
    }
    if (Status read = parse_wanted(node); !read) return read.error();
    skip_blanks();
    if (!at_end_of_term())
      return error("expected ',', '|' or ')'" + found() + "; a value with a blank in it needs double quotes");
    return node;
  }

  Status parse_wanted(Node& node) {
    node.kind = Node::Kind::equality;
    if (peek() == '<' || peek() == '>') {
      node.kind = Node::Kind::comparison;
      node.sign = text_[at_++];
      if (accept('=')) node.sign += '=';
      skip_blanks();
    } else if (peek() == '=') {
      return error("'=' is no sign of this language: 'field:value' is equality");
    } else if (peek() == '!') {
      return error("'!' stands before the field ('!field:value'); a value that begins with it needs double quotes");
    }
    const std::size_t start = at_;
    Status read = peek() == '"' ? parse_quoted(node) : parse_bare(node);
    if (!read) return read;
    if (!node.is_glob) node.number = parse_number(node.wanted);
    if (node.kind == Node::Kind::comparison && !node.number) {
      at_ = start;
      return error("expected a number after '" + node.sign + "'" + found());
    }
    return {};
  }

  Status parse_bare(Node& node) {
    const std::size_t start = at_;
    while (!at_end_of_term() && !is_blank(text_[at_])) {
      if (text_[at_] == '"' || text_[at_] == '(')
        return error(std::string("a value with '") + text_[at_] + "' needs double quotes");
      ++at_;
    }
    node.wanted = text_.substr(start, at_ - start);
    node.is_glob = node.wanted.find_first_of("*?") != std::string::npos;
    return {};
  }

  Status parse_quoted(Node& node) {
    const std::size_t open = at_++;
    for (; peek() != '"'; ++at_) {
      if (peek() == '\\') {
        ++at_;
        if (peek() != '"' && peek() != '\\') return error("expected '\"' or '\\' after '\\'" + found());
      }
      if (at_ >= text_.size()) {
        at_ = open;
        return error("this double quote is not closed");
      }
      node.wanted += text_[at_];
    }
    ++at_;
    return {};
  }

  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  static bool is_field_sign(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80 ||
           c == '_' || c == '-' || c == '.' || c == '/' || c == '@';
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool at_end_of_term() const { return at_ >= text_.size() || text_[at_] == ',' || text_[at_] == '|' || text_[at_] == ')'; }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool accept(char sign) {
    if (at_ >= text_.size() || text_[at_] != sign) return false;
    ++at_;
    return true;
  }
  std::string found() const {
    if (at_ >= text_.size()) return ", found the end";
    return ", found '" + printable(text_.substr(at_, std::max<std::size_t>(1, utf8_length(text_, at_))), limits::kShownValue) +
           "'";
  }
  Error error(std::string what) const {
    const auto is_first_byte = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
    const auto column = 1 + std::count_if(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), is_first_byte);
    return Error{"filter, column " + std::to_string(column) + ": " + std::move(what), ""};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Filter::Filter() = default;

Result<Filter> Filter::parse(std::string_view text) {
  Filter filter;
  filter.text_ = text;
  if (text.size() > limits::kFilterLength) {
    return Error{"a filter of " + std::to_string(text.size()) + " bytes, the most is " + std::to_string(limits::kFilterLength),
                 ""};
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return filter;
  Result<Node> root = Parser(text).parse();
  if (!root) return root.error();
  filter.root_ = std::make_shared<const Node>(std::move(*root));
  return filter;
}

bool Filter::empty() const { return root_ == nullptr; }

const std::string& Filter::text() const { return text_; }

std::vector<std::string> Filter::fields() const {
  std::vector<std::string> names;
  if (root_) root_->collect(names);
  return names;
}

std::vector<std::string> Filter::values(std::string_view field) const {
  std::vector<std::string> wanted;
  if (root_) root_->collect_values(field, wanted);
  return wanted;
}

std::optional<std::vector<std::string>> Filter::required(std::string_view field) const { return root_ ? root_->required(field) : std::nullopt; }

Filter::Verdict Filter::evaluate(const Lookup& lookup) const {
  Verdict verdict;
  verdict.matches = !root_ || root_->holds(lookup, false, verdict.why);
  return verdict;
}

Filter::Verdict Filter::evaluate(const Event& event) const {
  Json scratch;
  return evaluate([&](std::string_view field) { return event_field(event, field, scratch); });
}

Status check_event_fields(const Filter& filter) {
  for (const std::string& field : filter.fields()) {
    if (Status status = check_event_field(field); !status) return status;
  }
  return {};
}

std::string quote_filter_value(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace hark
