#include "sources/webhook_signature.h"

#include <doctest/doctest.h>

#include <random>

#include "core/base64.h"
#include "core/hex.h"
#include "platform/http.h"
#include "sources/webhook_provider.h"

using namespace hark;
using namespace std::chrono_literals;

namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Sent {
  std::vector<std::string> secrets;
  Headers headers;
  std::string body;
  WallTime now{};
};

std::string doubt(const SignatureScheme& scheme, const Sent& sent) {
  HttpHeaders headers;
  for (const auto& [name, value] : sent.headers) headers.add(name, value);
  return SignatureCheck(scheme, sent.secrets).doubt(headers, sent.body, sent.now).value_or("");
}
std::string doubt(const std::string& provider, const Sent& sent) { return doubt(webhook_provider(provider)->scheme, sent); }

WallTime at(std::int64_t seconds) { return WallTime{std::chrono::seconds(seconds)}; }

// As the senders publish them.
const Sent kGitHub{{"It's a Secret to Everybody"},
                   {{"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
                   "Hello, World!"};
const Sent kSlack{{"8f742231b10e8888abcd99yyyzzz85a5"},
                  {{"X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}, {"X-Slack-Request-Timestamp", "1531420618"}},
                  "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&"
                  "user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F"
                  "commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
                  at(1531420618)};
const Sent kStandard{{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
                     {{"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"},
                      {"webhook-timestamp", "1614265330"},
                      {"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}},
                     "{\"test\": 2432232314}",
                     at(1614265330)};
// With the key of RFC 8032's first test; signed by OpenSSL's command.
const std::string kPublicKey = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const std::string kEd25519 = "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw==";
// By the documented rule; computed by Python's hmac.
const Sent kStripe{{"whsec_test_secret"},
                   {{"Stripe-Signature", "t=1492774577,v1=799c4ba7bb339f3c8601adfd112f0e477c930a268be1243d341abb8286501c2f,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"}},
                   "{\"id\":\"evt_1\"}",
                   at(1492774577)};

Sent with(Sent sent, const std::string& header, const std::string& value) {
  for (auto& [name, old] : sent.headers) {
    if (name == header) old = value;
  }
  return sent;
}

Sent without(Sent sent, const std::string& header) {
  std::erase_if(sent.headers, [&](const auto& each) { return each.first == header; });
  return sent;
}

}  // namespace

TEST_CASE("webhook signature: the examples that senders publish are believed") {
  CHECK(doubt("github", kGitHub) == "");
  CHECK(doubt("slack", kSlack) == "");
  CHECK(doubt("standard", kStandard) == "");
  CHECK(doubt("stripe", kStripe) == "");
}

TEST_CASE("webhook signature: a change of any byte of what is signed, or of the signature, is noticed") {
  std::mt19937 random(7);
  const std::vector<std::pair<std::string, Sent>> all = {{"github", kGitHub}, {"slack", kSlack}, {"standard", kStandard}, {"stripe", kStripe}};
  for (const auto& [provider, sent] : all) {
    CAPTURE(provider);
    for (std::size_t i = 0; i < sent.body.size(); ++i) {
      auto changed = sent;
      changed.body[i] = static_cast<char>(changed.body[i] ^ (1 << random() % 8));
      CHECK(doubt(provider, changed) == "the secret did not match");
    }
    auto longer = sent;
    longer.body += ' ';
    CHECK(doubt(provider, longer) != "");
    auto other = sent;
    other.secrets = {"another", "whsec_AAAA"};
    CHECK(doubt(provider, other) != "");
    for (std::size_t which = 0; which < sent.headers.size(); ++which) {
      for (std::size_t i = 0; i < sent.headers[which].second.size(); ++i) {
        auto changed = sent;
        char& byte = changed.headers[which].second[i];
        if (provider == "stripe" && i > sent.headers[0].second.find(",v0=")) continue;  // not looked at
        if (byte >= 'a' && byte <= 'f') continue;  // might become the same digit in upper case
        byte = static_cast<char>(byte ^ 1);
        CAPTURE(changed.headers[which].second);
        CHECK(doubt(provider, changed) != "");
      }
    }
  }
}

TEST_CASE("webhook signature: any of the secrets may have made it, an empty one never") {
  const auto asked = [](std::vector<std::string> secrets) {
    auto sent = kGitHub;
    sent.secrets = std::move(secrets);
    return doubt("github", sent);
  };
  CHECK(asked({"new", kGitHub.secrets[0]}) == "");
  CHECK(asked({kGitHub.secrets[0], "old"}) == "");
  CHECK(asked({"new", "old"}) == "none of 2 secrets matched");
  CHECK(asked({}) == "there is no secret");
  CHECK(asked({""}) == "there is no secret");
  Sent empty{{"", "x"}, {{"X-Hub-Signature-256", "sha256=" + to_hex(hmac(Hash::sha256, "", {"x"}))}}, "x"};
  CHECK(doubt("github", empty) == "the secret did not match");
}

TEST_CASE("webhook signature: malformed headers are named, never what they should have been") {
  const auto hex = kGitHub.headers[0].second.substr(7);
  for (const std::string& bad : {std::string(), std::string("sha256="), hex, "sha1=" + hex, "SHA256=" + hex, " sha256=" + hex, "sha256=" + hex + "0", "sha256=" + hex + "00",
                                 "sha256=" + hex.substr(2), "sha256=" + hex.substr(1), "sha256=" + hex.substr(0, 63) + "g", "sha256=" + hex + ",sha256=" + hex,
                                 "sha256=" + std::string(64, '\0')}) {
    CAPTURE(bad);
    CHECK(doubt("github", with(kGitHub, "X-Hub-Signature-256", bad)) == "X-Hub-Signature-256 is not `sha256=` and the hexadecimal form of an HMAC-SHA256");
  }
  std::string upper = hex;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  CHECK(doubt("github", with(kGitHub, "X-Hub-Signature-256", "sha256=" + upper)) == "");
  CHECK(doubt("github", without(kGitHub, "X-Hub-Signature-256")) == "no X-Hub-Signature-256 header");
  auto twice = kGitHub;
  twice.headers.push_back(twice.headers[0]);
  CHECK(doubt("github", twice) == "2 X-Hub-Signature-256 headers, wanted one");
}

TEST_CASE("webhook signature: the generic scheme knows three hashes, two encodings and any prefix (RFC 2202, RFC 4231)") {
  const auto asked = [](Hash hash, SignatureScheme::Encoding encoding, const std::string& prefix, const std::string& value) {
    SignatureScheme scheme;
    scheme.headers = {"X-Sign"};
    scheme.hash = hash;
    scheme.encoding = encoding;
    scheme.prefix = prefix;
    return doubt(scheme, {{"Jefe"}, {{"x-sign", value}}, "what do ya want for nothing?"});
  };
  using Encoding = SignatureScheme::Encoding;
  const std::string sha512 = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
  CHECK(asked(Hash::sha1, Encoding::hex, "sha1=", "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79") == "");
  CHECK(asked(Hash::sha1, Encoding::base64, "", "7/zfauXrL6LSdBbV8YTfnCWafHk=") == "");
  CHECK(asked(Hash::sha256, Encoding::hex, "HMAC ", "HMAC 5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843") == "");
  CHECK(asked(Hash::sha512, Encoding::hex, "", sha512) == "");
  CHECK(asked(Hash::sha512, Encoding::base64, "sha512=", "sha512=" + to_base64(*from_hex(sha512))) == "");
  CHECK(asked(Hash::sha512, Encoding::hex, "", sha512.substr(0, 64)) == "X-Sign is not the hexadecimal form of an HMAC-SHA512");
  CHECK(asked(Hash::sha256, Encoding::hex, "", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3844") == "the secret did not match");
  CHECK(asked(Hash::sha1, Encoding::base64, "", "7/zfauXrL6LSdBbV8YTfnCWafHk") == "X-Sign is not the base64 form of an HMAC-SHA1");
}

TEST_CASE("webhook signature: what signs a time is believed for so long before and after it") {
  const std::vector<std::pair<std::string, Sent>> all = {{"slack", kSlack}, {"standard", kStandard}, {"stripe", kStripe}};
  for (const auto& [provider, sent] : all) {
    CAPTURE(provider);
    const auto asked = [&, provider = provider, sent = sent](Duration off, Duration tolerance) {
      auto scheme = webhook_provider(provider)->scheme;
      scheme.tolerance = tolerance;
      auto later = sent;
      later.now += std::chrono::duration_cast<std::chrono::microseconds>(off);
      return doubt(scheme, later);
    };
    CHECK(asked(5min, 5min) == "");
    CHECK(asked(-5min, 5min) == "");
    CHECK(asked(301s, 5min).find(" is 5m1s old, at most 5m (tolerance)") != std::string::npos);
    CHECK(asked(-301s, 5min).find(" is 5m1s ahead, at most 5m (tolerance)") != std::string::npos);
    CHECK(asked(2h, 3h) == "");
    CHECK(asked(24h * 365 * 150, 5min).find("old") != std::string::npos);
  }
}

TEST_CASE("webhook signature: a time that is none is said, where it was signed") {
  for (const std::string& bad : {std::string("now"), std::string("-1"), std::string("1614265330000"), std::string("9999999999999999999999"), std::string("16142653\x1b[30m")}) {
    auto sent = kStandard;
    const auto message = "msg_p5jXN8AQM9LWM0D4loKWxJek." + bad + "." + sent.body;
    sent = with(with(sent, "webhook-timestamp", bad), "webhook-signature", "v1," + to_base64(hmac(Hash::sha256, *from_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), {message})));
    const auto said = doubt("standard", sent);
    CHECK(said.starts_with("webhook-timestamp is '"));
    CHECK(said.ends_with("', wanted seconds since 1970"));
    CHECK(said.find('\x1b') == std::string::npos);
    CHECK(doubt("standard", with(kStandard, "webhook-timestamp", bad)) == "the secret did not match");  // of what nobody signed nothing is said
  }
}

TEST_CASE("webhook signature: Standard Webhooks, several signatures and both kinds of key") {
  const auto good = kStandard.headers[2].second;
  const auto asked = [](std::vector<std::string> secrets, const std::string& signatures) {
    auto sent = with(kStandard, "webhook-signature", signatures);
    sent.secrets = std::move(secrets);
    return doubt("standard", sent);
  };
  const auto& secret = kStandard.secrets[0];
  CHECK(asked({secret}, "v1,AAAA v2,what " + good) == "");
  CHECK(asked({secret.substr(6)}, good) == "");
  CHECK(asked({kPublicKey}, kEd25519) == "");
  CHECK(asked({kPublicKey}, good + " " + kEd25519) == "");
  CHECK(asked({secret, kPublicKey}, kEd25519) == "");
  CHECK(asked({kPublicKey}, good) == "the secret did not match");
  auto changed = kEd25519;
  changed[10] = changed[10] == 'A' ? 'B' : 'A';
  CHECK(asked({kPublicKey}, changed) == "the secret did not match");
  auto another = with(kStandard, "webhook-signature", kEd25519);
  another.secrets = {kPublicKey};
  another.body += ' ';
  CHECK(doubt("standard", another) == "the secret did not match");
  CHECK(asked({secret}, kEd25519) == "the secret did not match");
  // The other kind's name does not make it of that kind.
  CHECK(asked({secret}, "v1a," + good.substr(3)) == "the secret did not match");
  CHECK(asked({kPublicKey}, "v1," + kEd25519.substr(4)) == "the secret did not match");
  CHECK(asked({secret}, "v2,what") == "webhook-signature holds neither a v1 nor a v1a signature");
  CHECK(doubt("standard", with(kStandard, "webhook-id", "")) == "webhook-id is empty");
  std::string many;
  for (int i = 0; i < 9; ++i) many += "v1,AAAA ";
  CHECK(asked({secret}, many) == "webhook-signature holds more than 8 signatures");
  CHECK(asked({secret}, many.substr(8) + "v2,what") == "the secret did not match");
  // Those of versions to come are not counted, wherever they stand.
  std::string unknown;
  for (int i = 0; i < 1000; ++i) unknown += i % 2 == 0 ? "v2,what " : "v9a,ever ";
  CHECK(asked({secret}, unknown + good) == "");
  CHECK(asked({secret}, good + " " + unknown) == "");
  CHECK(asked({kPublicKey}, unknown + kEd25519) == "");
  CHECK(asked({secret}, unknown + many) == "webhook-signature holds more than 8 signatures");
  for (const char* name : {"webhook-id", "webhook-timestamp", "webhook-signature"}) CHECK(doubt("standard", without(kStandard, name)) == std::string("no ") + name + " header");
}

TEST_CASE("webhook signature: Stripe's test signatures do not count, nor does a second time") {
  const auto header = kStripe.headers[0].second;
  const auto v1 = header.substr(0, header.find(",v0="));
  std::string as_v0 = v1;
  as_v0.replace(as_v0.find("v1="), 3, "v0=");
  CHECK(doubt("stripe", with(kStripe, "Stripe-Signature", as_v0)) == "Stripe-Signature holds no v1= signature");
  CHECK(doubt("stripe", with(kStripe, "Stripe-Signature", v1 + ",t=9999999999")) == "Stripe-Signature holds two times");
  CHECK(doubt("stripe", with(kStripe, "Stripe-Signature", v1.substr(v1.find("v1=")))) == "Stripe-Signature holds no time (t=)");
  CHECK(doubt("stripe", with(kStripe, "Stripe-Signature", "t=1492774577,v1=00" + v1.substr(v1.find(",v1=")))) == "");
  std::string unknown, many;
  for (int i = 0; i < 100; ++i) unknown += ",v2=00";
  for (int i = 0; i < 8; ++i) many += ",v1=00";
  CHECK(doubt("stripe", with(kStripe, "Stripe-Signature", v1 + unknown)) == "");
  CHECK(doubt("stripe", with(kStripe, "Stripe-Signature", v1 + many)) == "Stripe-Signature holds more than 8 signatures");
}

TEST_CASE("webhook signature: GitLab's token is compared whole, and a signing token takes its place") {
  CHECK(doubt("gitlab", {{"t0ken"}, {{"X-Gitlab-Token", "t0ken"}}, "{}"}) == "");
  for (const char* bad : {"", "t0ke", "t0kenn", "T0ken"}) CHECK(doubt("gitlab", {{"t0ken"}, {{"X-Gitlab-Token", bad}}, "{}"}) == "the secret did not match");
  CHECK(doubt("gitlab", {{"t0ken"}, {}, "{}"}) == "no X-Gitlab-Token header");
  auto both = kStandard;
  both.secrets = {"t0ken", kStandard.secrets[0]};
  CHECK(doubt("gitlab", both) == "");
  both.body += ' ';
  both.headers.emplace_back("X-Gitlab-Token", "t0ken");
  CHECK(doubt("gitlab", both) == "none of 2 secrets matched");  // what is signed must be signed right
  // A signing token is no token.
  CHECK(doubt("gitlab", {{kStandard.secrets[0]}, {{"X-Gitlab-Token", kStandard.secrets[0]}}, "{}"}) == "no webhook-id header");
}

TEST_CASE("webhook signature: Gitea's, Forgejo's and Bitbucket's headers") {
  const auto hex = to_hex(hmac(Hash::sha256, "s", {"{}"}));
  CHECK(doubt("gitea", {{"s"}, {{"X-Gitea-Signature", hex}}, "{}"}) == "");
  CHECK(doubt("gitea", {{"s"}, {{"X-Gitea-Signature", hex}, {"X-Forgejo-Signature", hex}}, "{}"}) == "");
  CHECK(doubt("gitea", {{"s"}, {{"X-Gitea-Signature", hex}, {"X-Forgejo-Signature", std::string(64, '0')}}, "{}"}) == "the secret did not match");
  CHECK(doubt("gitea", {{"s"}, {{"X-Hub-Signature-256", "sha256=" + hex}}, "{}"}) == "no X-Forgejo-Signature or X-Gitea-Signature header");
  CHECK(doubt("bitbucket", {{"s"}, {{"X-Hub-Signature", "sha256=" + hex}}, "{}"}) == "");
  CHECK(doubt("bitbucket", {{"s"}, {{"X-Hub-Signature", hex}}, "{}"}) != "");
}

TEST_CASE("webhook signature: a secret that is none for its scheme is told") {
  const auto expected = [](const std::string& provider, const std::string& secret) {
    const auto usable = check_secret(webhook_provider(provider)->scheme, secret);
    return usable ? std::string() : usable.error().message;
  };
  CHECK(expected("github", "x") == "");
  CHECK(expected("github", "") == "expected a secret, found an empty string");
  CHECK(expected("standard", kStandard.secrets[0]) == "");
  CHECK(expected("standard", kPublicKey) == "");
  CHECK(expected("standard", "whsec_no base64") == "expected `whsec_` and base64, or `whpk_` and the base64 of an Ed25519 public key");
  CHECK(expected("standard", "whsec_") != "");
  CHECK(expected("standard", "") != "");
  CHECK(expected("standard", "whpk_AAAA") == "expected `whpk_` and the base64 of an Ed25519 public key (32 bytes)");
  CHECK(expected("gitlab", "anything") == "");
  CHECK(expected("gitlab", "whsec_no base64") == "expected `whsec_` and base64");
  CHECK(expected("stripe", "whsec_no base64") == "");  // Stripe's secrets are what they look like
}
