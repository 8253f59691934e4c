#include "core/mask.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/base64.h"

using namespace hark;

namespace {

std::string in_pieces(const Mask& mask, const std::string& text, const std::vector<std::size_t>& cuts) {
  MaskedStream stream(mask);
  std::string out;
  std::size_t at = 0;
  for (const auto cut : cuts) {
    out += stream.next(std::string_view(text).substr(at, cut - at));
    at = cut;
  }
  out += stream.next(std::string_view(text).substr(at));
  out += stream.rest();
  return out;
}

// The same, one secret after the other and byte by byte: slow, and plainly right.
std::string masked_slowly(const std::vector<std::string>& secrets, const std::string& text) {
  struct Range { std::size_t begin, end; };
  std::vector<Range> ranges;
  for (std::size_t end = 1; end <= text.size(); ++end) {
    for (const auto& secret : secrets) {
      if (secret.size() > end || text.compare(end - secret.size(), secret.size(), secret) != 0) continue;
      Range found{end - secret.size(), end};
      while (!ranges.empty() && ranges.back().end > found.begin) {
        found.begin = std::min(found.begin, ranges.back().begin);
        found.end = std::max(found.end, ranges.back().end);
        ranges.pop_back();
      }
      ranges.push_back(found);
    }
  }
  std::string out;
  std::size_t at = 0;
  for (const auto& range : ranges) {
    out += text.substr(at, range.begin - at) + "***";
    at = range.end;
  }
  return out + text.substr(at);
}

}  // namespace

TEST_CASE("mask: each occurrence of each secret becomes three stars") {
  const Mask mask({"hunter22", "s3cret"});
  CHECK(mask.text("user:hunter22 s3cret, hunter22!") == "user:*** ***, ***!");
  CHECK(mask.text("hunter2 s3cre") == "hunter2 s3cre");
  CHECK(mask.text("") == "");
  CHECK(mask.text(std::string("a\0s3cret\0", 9)) == std::string("a\0***\0", 6));
}

TEST_CASE("mask: without secrets a text stays as it is") {
  CHECK(Mask().empty());
  CHECK(Mask(std::vector<std::string>()).empty());
  CHECK(Mask({"abc"}).empty());  // shorter than kSecretLeast
  CHECK(Mask().text("s3cret") == "s3cret");
}

TEST_CASE("mask: secrets that overlap, begin alike or hold one another leave nothing of themselves") {
  CHECK(Mask({"abcd", "cdef"}).text("xabcdefx") == "x***x");
  CHECK(Mask({"abcdef", "bcde"}).text("xabcdexabcdefx") == "xa***x***x");
  CHECK(Mask({"abcd", "abcdefgh"}).text("abcdefg abcdefgh") == "***efg ***");
  CHECK(Mask({"aaaa"}).text("aaaaaaa") == "***");
}

TEST_CASE("mask: a secret that is cut anywhere is masked all the same") {
  const Mask mask({"correct horse", "horse battery", "rect"});
  const std::string text = "a correct horse battery, a correct hors";
  const auto whole = mask.text(text);
  CHECK(whole == masked_slowly({"correct horse", "horse battery", "rect"}, text));
  for (std::size_t first = 0; first <= text.size(); ++first) {
    for (std::size_t second = first; second <= text.size(); ++second) CHECK(in_pieces(mask, text, {first, second}) == whole);
  }
}

TEST_CASE("mask: a secret in base64 is masked in lines of any width, and in the alphabet for URLs") {
  std::string secret;
  for (int i = 0; i < 90; ++i) secret += char(' ' + (i * 37 + 11) % 95);
  const Mask mask({secret});
  for (const std::string before : {"", "u", "us", "user:", "a longer text in front of it, and still one more word; "}) {
    const auto text = to_base64(before + secret + "behind");
    const auto whole = mask.text(text);
    CHECK(whole.find("***") != std::string::npos);
    CHECK(whole.size() < to_base64(before + "behind").size() + 10);
    for (const std::string line_break : {"\n", "\r\n"}) {
      for (const std::size_t width : {1, 2, 7, 60, 64, 76}) {
        std::string wrapped;
        for (std::size_t at = 0; at < text.size(); at += width) wrapped += text.substr(at, width) + line_break;
        auto masked = mask.text(wrapped);
        masked.erase(std::remove_if(masked.begin(), masked.end(), [](char c) { return c == '\n' || c == '\r'; }), masked.end());
        CHECK(masked == whole);
        std::vector<std::size_t> cuts;
        for (std::size_t at = 5; at < wrapped.size(); at += 11) cuts.push_back(at);
        auto in_parts = in_pieces(mask, wrapped, cuts);
        CHECK(in_parts == mask.text(wrapped));
      }
    }
    auto for_urls = text;
    std::replace(for_urls.begin(), for_urls.end(), '+', '-');
    std::replace(for_urls.begin(), for_urls.end(), '/', '_');
    CHECK(mask.text(for_urls).find("***") != std::string::npos);
  }
}

TEST_CASE("mask: line breaks without end are not held back") {
  const auto secret = std::string("correct horse battery staple");
  MaskedStream stream{Mask({secret})};
  const auto half = to_base64(secret).substr(0, 20);
  CHECK(stream.next(half) == "");
  CHECK(stream.next("\n") == "");
  CHECK(std::string(stream.next("\n\n")) == half + "\n\n\n");
  CHECK(stream.next("next") == "next");
}

TEST_CASE("mask: a secret in an URL is masked as it is written there") {
  const Mask mask({"s3/cr+t=", "plain-1"});
  CHECK(mask.text("?key=s3%2Fcr%2Bt%3D&x=plain-1") == "?key=***&x=***");
  CHECK(mask.text("?key=s3%2fcr%2bt%3d&x") == "?key=***&x");
  CHECK(mask.text("?key=s3%2Fcr%2Bt") == "?key=s3%2Fcr%2Bt");
}

TEST_CASE("mask: a stream holds back no more than what may be the beginning of a secret") {
  MaskedStream stream(Mask({"s3cret"}));
  CHECK(stream.next("password: s3c") == "password: ");
  CHECK(stream.next("ond") == "s3cond");
  CHECK(stream.next("s3cre") == "");
  CHECK(stream.rest() == "s3cre");
}

TEST_CASE("mask: any text with any secrets, in any pieces, is what looking for each of them makes of it") {
  std::mt19937 random(20261123);
  const auto below = [&](std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most - 1)(random); };
  const auto word = [&](std::size_t length) {
    std::string text;
    while (text.size() < length) text += static_cast<char>('a' + below(2));  // two letters: everything overlaps
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> secrets;
    for (auto count = 1 + below(4); count > 0; --count) secrets.push_back(word(4 + below(4)));  // too short for their base64 to be looked for
    std::string text = word(below(60));
    for (auto count = below(4); count > 0; --count) text.insert(below(text.size() + 1), secrets[below(secrets.size())]);
    std::vector<std::size_t> cuts;
    for (std::size_t cut = 0; cut < text.size(); cut += 1 + below(5)) cuts.push_back(cut);
    CAPTURE(text);
    REQUIRE(in_pieces(Mask(secrets), text, cuts) == masked_slowly(secrets, text));
  }
}

TEST_CASE("mask: a secret within base64 leaves nothing that it alone decides, whatever stands around it") {
  const std::string secret = "tok-5f3a9c1e77";
  const Mask mask({secret});
  for (const std::string before : {"", "u", "us", "user:", "someone:"}) {
    for (const std::string behind : {"", "x", "xy", "xyz"}) {
      const auto masked = mask.text("Basic " + to_base64(before + secret + behind) + "\n");
      CAPTURE(masked);
      CHECK(masked.starts_with("Basic "));
      CHECK(masked.find("***") != masked.npos);
      CHECK(masked.size() <= 6 + to_base64(before).size() + 3 + 3 + to_base64(behind).size() + 4);
    }
  }
}

TEST_CASE("mask: a secret as JSON escapes it") {
  const Mask mask({"say \"no\"\n"});
  CHECK(mask.text(nlohmann::json({{"text", "I say \"no\"\n"}}).dump()) == R"({"text":"I ***"})");
}

TEST_CASE("mask: of a JSON document strings and names are masked, and it stays one") {
  const Mask mask({"12345"});
  const nlohmann::json document = {{"12345", {"x12345", 12345, nullptr}}, {"deep", {{"a", "12345"}}}};
  CHECK(mask.strings(document) == nlohmann::json({{"***", {"x***", 12345, nullptr}}, {"deep", {{"a", "***"}}}}));
}

TEST_CASE("mask: a long text takes one look, also where it is all beginnings of a secret") {
  const Mask mask({std::string(20'000, 'a') + "b"});
  const std::string text(4'000'000, 'a');
  CHECK(mask.text(text) == text);  // some 10 ms; a search from each byte would take minutes
}
