#include "core/filter.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "tests/support/rounds.h"

using hark::Filter;
using Json = nlohmann::json;

namespace {

const Json& sample() {
  static const Json kSample = Json::parse(R"({
    "type": "webhook", "score": 95, "ratio": 0.5, "big": 9007199254740993, "text_number": "42", "version": "1.0", "one": 1,
    "yes": true, "no": false, "nothing": null, "empty": "", "title": "Fix, the (bug) | \"now\" \\ later",
    "labels": ["bug", "ui", 7], "none": [], "nested": {"a": {"b": ["x", {"c": "deep"}]}}, "path": "src/main.cpp",
    "time": "12:30", "über": "ja", "app/name@1": "k"
  })");
  return kSample;
}

const Json* look(std::string_view field) { return hark::json_at(sample(), field); }

Filter parsed(std::string_view text) {
  hark::Result<Filter> filter = Filter::parse(text);
  REQUIRE_MESSAGE(filter.ok(), std::string(text), ": ", filter.ok() ? "" : filter.error().text());
  return std::move(filter).value();
}

bool matches(std::string_view text) { return parsed(text).evaluate(look).matches; }
std::string why(std::string_view text) { return parsed(text).evaluate(look).why; }
std::string error(std::string_view text) {
  const hark::Result<Filter> filter = Filter::parse(text);
  return filter ? "none" : filter.error().message;
}

}  // namespace

TEST_CASE("filter: a term holds or not") {
  struct Row {
    const char* text;
    bool matches;
  };
  const Row rows[] = {
      {"", true},
      {"   ", true},
      {"type:webhook", true},
      {"type:web", false},
      {"type:Webhook", false},
      {"type:web*", true},
      {"type:*hook", true},
      {"type:w?bhook", true},
      {"type:\"web*\"", false},
      {"path:src/*.cpp", true},
      {"path:*", true},
      {"time:12:30", true},
      {"empty:\"\"", true},
      {"empty:*", true},
      {"missing:*", false},
      {"title:\"Fix, the (bug) | \\\"now\\\" \\\\ later\"", true},
      // numbers
      {"score:95", true},
      {"score:95.0", true},
      {"score:9.5e1", true},
      {"score:9*", true},
      {"score:>90", true},
      {"score:> 90", true},
      {"score:>95", false},
      {"score:>=95", true},
      {"score:<95", false},
      {"score:<=95", true},
      {"score:>\"90\"", true},
      {"score:>-1", true},
      {"ratio:<0.51", true},
      {"big:9007199254740993", true},
      {"big:9007199254740992", false},
      {"big:>9007199254740992", true},
      {"text_number:>41.5", true},
      {"text_number:42", true},
      {"text_number:42.0", false},  // a text is equal as text
      {"version:1.0", true},
      {"version:1", false},
      {"one:1.0", true},
      // what is no number never satisfies a comparison
      {"type:>0", false},
      {"type:<0", false},
      {"!type:>0", true},
      {"yes:>0", false},
      {"nothing:<1", false},
      {"empty:<1", false},
      {"missing:<1", false},
      {"nested:<1", false},
      // booleans, null, presence
      {"yes:true", true},
      {"no:false", true},
      {"yes:TRUE", false},
      {"nothing:null", true},
      {"nothing:\"\"", false},
      {"nothing:", true},
      {"empty:", true},
      {"nested:", true},
      {"none:", true},
      {"missing:", false},
      {"!missing:", true},
      {"missing:null", false},
      // lists and objects
      {"labels:bug", true},
      {"labels:b*", true},
      {"labels:7", true},
      {"labels:>6", true},
      {"labels:other", false},
      {"!labels:other", true},
      {"none:*", false},
      {"labels.0:bug", true},
      {"labels.3:", false},
      {"labels.-1:", false},
      {"labels.x:", false},
      {"nested:*", false},
      {"nested.a.b.1.c:deep", true},
      {"nested.a.b.1.c.d:deep", false},
      {"\xc3\xbc"
       "ber:ja",
       true},
      {"app/name@1:k", true},
  };
  for (const Row& row : rows) CHECK_MESSAGE(matches(row.text) == row.matches, std::string(row.text));
}

TEST_CASE("filter: ',' binds tighter than '|', parentheses and '!' group, blanks around terms do not matter") {
  CHECK(matches("type:a,type:b|yes:true"));
  CHECK(matches("yes:true|type:a,type:b"));
  CHECK_FALSE(matches("(yes:true|type:a),type:b"));
  CHECK_FALSE(matches("!(yes:true|type:a)"));
  CHECK(matches("!(yes:true,type:a)"));
  CHECK(matches("!!yes:true"));
  CHECK(matches(" ! ( type:a , yes:true ) , ( ( score: >90 ) ) "));
  CHECK(matches("yes: true | type:a"));
  CHECK(matches("score:,yes:|missing:"));
  CHECK_FALSE(matches("!yes:true,score:95"));  // `!` takes one term, not the whole conjunction
  CHECK(matches("yes:\"true\" , type:\"webhook\""));
}

TEST_CASE("filter: every formula of three variables agrees with its truth table") {
  std::mt19937 random(20240607);
  for (int round = 0; round < 400; ++round) {
    // A random formula as text, and its value for each assignment computed beside it.
    std::function<std::pair<std::string, unsigned>(int)> make = [&](int depth) -> std::pair<std::string, unsigned> {
      const unsigned masks[] = {0xAA, 0xCC, 0xF0};
      const unsigned pick = depth == 0 ? 0 : random() % 5;
      if (pick <= 1) {
        const unsigned variable = random() % 3;
        return {std::string(1, static_cast<char>('a' + variable)) + ":1", masks[variable]};
      }
      auto [left, left_mask] = make(depth - 1);
      if (pick == 2) return {"!(" + left + ")", ~left_mask & 0xFF};
      auto [right, right_mask] = make(depth - 1);
      if (pick == 3) return {"(" + left + ")|" + right, left_mask | right_mask};
      return {"(" + left + "),(" + right + ")", left_mask & right_mask};
    };
    const auto [text, mask] = make(5);
    const Filter filter = parsed(text);
    for (unsigned row = 0; row < 8; ++row) {
      const Json values = {{"a", row & 1}, {"b", row >> 1 & 1}, {"c", row >> 2 & 1}};
      const Filter::Verdict verdict = filter.evaluate([&](std::string_view field) { return hark::json_at(values, field); });
      CHECK_MESSAGE(verdict.matches == ((mask >> row & 1) != 0), text, " row ", row);
      CHECK(verdict.why.empty() == verdict.matches);
      for (const char* field : {"a", "b", "c"}) {
        const auto required = filter.required(field);
        const bool has_it = !required || std::find(required->begin(), required->end(), values[field].dump()) != required->end();
        CHECK_MESSAGE((!verdict.matches || has_it), text, " requires of ", field, " what row ", row, " does without");
      }
    }
  }
}

TEST_CASE("filter: what it requires of a field is known where every way to match asks for it") {
  using Values = std::vector<std::string>;
  CHECK(parsed("state:failed").required("state") == Values{"failed"});
  CHECK(parsed("(state:failed|state:timed_out),error:*disk*").required("state") == Values{"failed", "timed_out"});
  CHECK(parsed("a:1,state:failed|state:timed_out,!b:2").required("state") == Values{"failed", "timed_out"});
  for (const char* any : {"", "state:f*", "!state:failed", "state:", "state:failed|error:x", "state:>1", "event.state:failed"}) {
    CHECK_MESSAGE(!parsed(any).required("state"), any);
  }
}

TEST_CASE("filter: the reason names the deciding term and the actual value") {
  CHECK(why("type:push") == "type is 'webhook', wanted 'push'");
  CHECK(why("yes:true,score:>99,type:x") == "score is 95, wanted > 99");
  CHECK(why("type:a|score:1") == "type is 'webhook', wanted 'a'; score is 95, wanted '1'");
  CHECK(why("!type:web*") == "type is 'webhook', wanted not 'web*'");
  CHECK(why("!(yes:true|type:a)") == "yes is true, wanted not 'true'");
  CHECK(why("missing:a") == "missing is missing, wanted 'a'");
  CHECK(why("missing:") == "missing is missing, wanted it there");
  CHECK(why("!empty:") == "empty is '', wanted it missing");
  CHECK(why("labels:x") == "labels is ['bug', 'ui', 7], wanted 'x'");
  CHECK(why("nested:x") == "nested is an object, wanted 'x'");
  CHECK(why("type:webhook").empty());
}

TEST_CASE("filter: a hostile value is cut and escaped in the reason") {
  const Json values = {{"a", "x\x1b[31m\n\t" + std::string(10000, 'y')}, {"b", "\xff\xc2\x9bz\xe2\x80\xae"}};
  const auto lookup = [&](std::string_view field) { return hark::json_at(values, field); };
  const std::string a = parsed("a:1").evaluate(lookup).why;
  CHECK(a.find("x\\x1b[31m\\n\\tyyy") != std::string::npos);
  CHECK(a.size() < 150);
  CHECK(parsed("b:1").evaluate(lookup).why == "b is '\\xff\\u009bz\\u202e', wanted '1'");
  CHECK(parsed("b:\"\x1b\"").evaluate(lookup).why.find('\x1b') == std::string::npos);
}

TEST_CASE("filter: an error names the column and what was expected") {
  CHECK(error("type") == "filter, column 5: expected ':' after 'type', found the end");
  CHECK(error("a:1,") == "filter, column 5: expected a field, '!' or '(', found the end");
  CHECK(error("a:1,,b:2") == "filter, column 5: expected a field, '!' or '(', found ','");
  CHECK(error("(a:1") == "filter, column 5: expected ',', '|' or ')', found the end");
  CHECK(error("a:1)") == "filter, column 4: expected ',', '|' or the end, found ')'");
  CHECK(error("a:>x") == "filter, column 4: expected a number after '>', found 'x'");
  CHECK(error("a:>") == "filter, column 4: expected a number after '>', found the end");
  CHECK(error("a:>0x10").find("expected a number") != std::string::npos);
  CHECK(error("a:>nan").find("expected a number") != std::string::npos);
  CHECK(error("a:>1e999999").find("expected a number") != std::string::npos);
  CHECK(error("a:\"x") == "filter, column 3: this double quote is not closed");
  CHECK(error("a:\"x\\").find("expected '\"' or '\\' after '\\'") != std::string::npos);
  CHECK(error("a:\"x\\n\"") == "filter, column 6: expected '\"' or '\\' after '\\', found 'n'");
  CHECK(error("a:\"x\"y").find("column 6") != std::string::npos);
  CHECK(error("a:one two").find("needs double quotes") != std::string::npos);
  CHECK(error("a:f(x)").find("needs double quotes") != std::string::npos);
  CHECK(error("a:=1").find("'field:value' is equality") != std::string::npos);
  CHECK(error("a:!b").find("'!field:value'") != std::string::npos);
  CHECK(error("a..b:1") == "filter, column 1: 'a..b' is no field: a part between its dots is empty");
  CHECK(error(".a:1") != "none");
  CHECK(error("a.:1") != "none");
  CHECK(error("()") != "none");
  CHECK(error("!") != "none");
  CHECK(error(":") != "none");
  CHECK(error("\xc3\xbc:1 x").find("column 5") != std::string::npos);  // characters, not bytes
}

TEST_CASE("filter: length and depth are bounded") {
  CHECK(error(std::string(100000, '(')) != "none");
  CHECK(error(std::string(3000, '(') + "a:1").find("nested deeper") != std::string::npos);
  CHECK(error(std::string(3000, '!') + "a:1").find("nested deeper") != std::string::npos);
  CHECK(matches(std::string(30, '(') + "yes:true" + std::string(30, ')')));
  CHECK(error("a:" + std::string(hark::limits::kFilterLength, 'x')) != "none");
}

TEST_CASE("filter: random text never crashes, and what parses can be evaluated") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string signs = "ab.:,|!()*?\"\\<>= 19\n\xc3\xbc";
  int valid = 0;
  for (int round = 0; round < hark::test::rounds(20000); ++round) {
    std::string text;
    for (unsigned length = random() % 24; length > 0; --length) text += signs[random() % signs.size()];
    const hark::Result<Filter> filter = Filter::parse(text);
    if (!filter) continue;
    ++valid;
    (void)filter->evaluate(look);
  }
  CHECK(valid > hark::test::rounds(100));
}

TEST_CASE("filter: any text survives being quoted") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < hark::test::rounds(2000); ++round) {
    std::string value;
    for (unsigned length = random() % 20; length > 0; --length) value += "a\"\\*?,|()! \n<"[random() % 13];
    const Json values = {{"v", value}, {"w", value + "x"}};
    const auto lookup = [&](std::string_view field) { return hark::json_at(values, field); };
    CHECK(parsed("v:" + hark::quote_filter_value(value)).evaluate(lookup).matches);
    CHECK_FALSE(parsed("w:" + hark::quote_filter_value(value)).evaluate(lookup).matches);
  }
}

TEST_CASE("filter: the fields it looks at, each once") {
  CHECK(parsed("b:1,(a:2|!b:3),c.d:").fields() == std::vector<std::string>{"b", "a", "c.d"});
  CHECK(Filter().empty());
  CHECK(Filter().fields().empty());
  CHECK(Filter().evaluate(look).matches);
  CHECK(parsed(" a:1 ").text() == " a:1 ");
}

TEST_CASE("filter: the values it wants of a field are those it names, globs and comparisons left out") {
  CHECK(parsed("b:1,(a:2|!b:\"x*\"),b:y*,b:,b:>3").values("b") == std::vector<std::string>{"1", "x*"});
  CHECK(Filter().values("b").empty());
}

TEST_CASE("filter: fields of an event are looked up in the envelope, then in the data") {
  hark::Event event;
  event.id = "01H";
  event.type = "webhook";
  event.source = "hooks";
  event.correlation_id = "c1";
  event.priority = 5;
  event.sequence = 12;
  event.data = hark::Payload(Json::parse(R"({"type": "inner", "topic": "from data", "action": "closed", "data": {"x": 1},
                                             "commits": [{"author": "ann"}], "payload": 3})"));
  const auto holds = [&](std::string_view text) { return parsed(text).evaluate(event).matches; };
  CHECK(holds("type:webhook"));
  CHECK(holds("event.type:webhook"));
  CHECK(holds("payload.type:inner"));
  CHECK(holds("event.data.type:inner"));
  CHECK(holds("data.type:inner"));
  CHECK(holds("data.x:1"));  // a member "data" of the data
  CHECK(holds("action:closed"));
  CHECK(holds("payload.action:closed"));
  CHECK_FALSE(holds("event.action:closed"));
  CHECK(holds("priority:>=5,sequence:12,id:01H,correlation_id:c1,source:hooks"));
  CHECK(holds("time:1970-01-01T00:00:00*"));
  CHECK(holds("!event.topic:,!causation_id:,!ttl:"));
  CHECK(holds("topic:\"from data\""));  // the envelope has none
  CHECK(holds("commits.0.author:ann"));
  CHECK(holds("payload.payload:3"));
  CHECK(holds("payload:,event:,event.data:"));
  CHECK(parsed("payload.action:opened").evaluate(event).why == "payload.action is 'closed', wanted 'opened'");
}

TEST_CASE("filter: a misspelt attribute of the envelope is found without an event") {
  CHECK(hark::check_event_fields(parsed("event.type:x,anything.else:y,payload.z:,event.data.q:")).ok());
  const hark::Status status = hark::check_event_fields(parsed("payload.x:1|event.tpye:x"));
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().text() == "an event has no attribute 'tpye' (did you mean event.type?)");
  CHECK_FALSE(hark::check_event_fields(parsed("event.type.x:1")).ok());
  CHECK_FALSE(hark::check_event_fields(parsed("event.zzzzzz:1")).ok());
}
