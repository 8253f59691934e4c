#include "daemon/api_access.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/support/fake_clock.h"

using namespace hark;
using namespace hark::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

struct AccessWorld {
  FakeClock clock;
  Settings settings;
  SigningKey key = SigningKey::from_secret(std::string(32, 'k')).value();
  ApiAccess access{settings, clock};
  HttpRequest request;

  AccessWorld() {
    settings.api.rules = {{key}, "", {}, 30s};
    request.peer = "127.0.0.1";
    request.headers.add("Host", "127.0.0.1:8080");
  }
  std::string token(const std::string& scope, const std::string& subject = "ci", const std::string& agent = {}) {
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock.now().wall.time_since_epoch()).count();
    json claims = {{"sub", subject}, {"exp", now + 60}, {"scope", scope}};
    if (!agent.empty()) claims["agent_type"] = agent;
    return make_token(key, claims).value();
  }
  HttpRequest with(const std::string& authorization) {
    auto made = request;
    made.headers.add("Authorization", authorization);
    return made;
  }
  std::variant<Caller, HttpResponse> admit(const HttpRequest& by, bool reads = false) { return access.admit(by, reads); }
  Caller caller(const std::string& scope, const std::string& subject = "ci", const std::string& agent = {}, bool reads = false) {
    auto admitted = admit(with("Bearer " + token(scope, subject, agent)), reads);
    REQUIRE(std::holds_alternative<Caller>(admitted));
    return std::get<Caller>(admitted);
  }
  int status(const HttpRequest& by, bool reads = false) {
    const auto admitted = admit(by, reads);
    const auto* refusal = std::get_if<HttpResponse>(&admitted);
    return refusal == nullptr ? 200 : refusal->status;
  }
};

}  // namespace

TEST_CASE("api_access: who is asked for a token") {
  AccessWorld world;
  auto& request = world.request;
  SUBCASE("not who calls from this machine, as long as it listens there alone") {
    CHECK(world.status(request) == 200);
    CHECK(std::get<Caller>(world.admit(request)).may(Scope::control));
  }
  SUBCASE("but where that is wanted") {
    world.settings.api.require_token = true;
    CHECK(world.status(request) == 401);
  }
  SUBCASE("whoever calls where it listens beyond") {
    world.settings.webhook_host = "0.0.0.0";
    CHECK(world.status(request) == 401);
    world.settings.api.rules.keys.clear();
    CHECK(world.status(request) == 403);
  }
  SUBCASE("whoever is elsewhere, or handed on from there") {
    request.peer = "192.0.2.1";
    CHECK(world.status(request) == 401);
    for (const auto* name : {"X-Forwarded-For", "Forwarded", "X-Real-IP"}) {
      auto proxied = AccessWorld().request;
      proxied.headers.add(name, "192.0.2.1");
      CHECK(world.status(proxied) == 401);
    }
  }
  SUBCASE("nobody on the control socket") {
    world.settings.api.enabled = false;
    CHECK(world.status(request) == 403);
    request.control = true;
    CHECK(world.status(request) == 200);
  }
  SUBCASE("a page of another site is not from this machine; with a token it may be anybody's") {
    request.headers.add("Origin", "http://evil.example");
    CHECK(world.status(request) == 403);
    CHECK(world.status(world.with("Bearer " + world.token("control"))) == 200);
  }
}

TEST_CASE("api_access: a token that is there is judged, also where none is asked for") {
  AccessWorld world;
  const auto good = world.token("runs:read");
  CHECK(world.status(world.with("Bearer " + good)) == 200);
  CHECK(world.status(world.with("bearer  " + good)) == 200);
  CHECK(world.status(world.with("Bearer " + good + "x")) == 401);
  CHECK(world.status(world.with("Basic " + good)) == 401);
  CHECK(world.status(world.with("")) == 401);
  auto twice = world.with("Bearer " + good);
  twice.headers.add("Authorization", "Bearer " + good);
  CHECK(world.status(twice) == 401);
  const auto refused = std::get<HttpResponse>(world.admit(world.with("Bearer nonsense")));
  CHECK(refused.headers.get("WWW-Authenticate") == "Bearer realm=\"hark\", error=\"invalid_token\", error_description=\"a token is three parts with dots between them\"");
  CHECK(refused.body.find("nonsense") == std::string::npos);
  world.clock.advance(91s);
  CHECK(world.status(world.with("Bearer " + good)) == 401);
}

TEST_CASE("api_access: in the address a token stands only where a browser has no other place for it") {
  AccessWorld world;
  world.settings.api.require_token = true;
  world.request.query = "types=a&access_token=" + world.token("events:read");
  CHECK(world.status(world.request, false) == 401);
  CHECK(world.status(world.request, true) == 200);
  CHECK(world.status(world.with("Bearer " + world.token("events:read")), true) == 401);
}

TEST_CASE("api_access: what scopes give, and what they do not") {
  AccessWorld world;
  world.settings.api.subscriptions = {{"reviewer", {"review*", "security"}}};
  const auto one = world.caller("events:publish:deploy* runs:read unknown events:read: events:readx events:publish:[");
  CHECK(one.subject() == "ci");
  CHECK(one.until() == std::chrono::floor<std::chrono::seconds>(world.clock.now().wall) + 60s);
  CHECK(one.may(Scope::runs_read));
  CHECK_FALSE(one.may(Scope::runs_write));
  CHECK_FALSE(one.may(Scope::control));
  CHECK(one.may(Scope::publish));
  CHECK_FALSE(one.may(Scope::read));
  CHECK(one.may_publish("deployment"));
  CHECK_FALSE(one.may_publish("testing"));
  CHECK_FALSE(one.may_publish("secret/deployment"));  // a scope is of the whole topic
  CHECK_FALSE(one.may_publish(""));
  CHECK_FALSE(one.may_read("deployment"));
  const auto all = world.caller("events:read events:publish");
  CHECK(all.may_read(""));
  CHECK(all.may_publish("any/thing"));
  const auto reviewer = world.caller("", "eve", "reviewer");
  CHECK(reviewer.may_read("reviews"));
  CHECK(reviewer.may_read("security"));
  CHECK_FALSE(reviewer.may_read("deployment"));
  CHECK_FALSE(reviewer.may_publish("security"));
  CHECK_FALSE(world.caller("", "reviewer", "else").may(Scope::read));
}

TEST_CASE("api_access: names of subscribers are their makers' own") {
  AccessWorld world;
  const auto a = world.caller("events:read", "a"), ab = world.caller("events:read", "a/b");
  CHECK(a.kept_name("b/c") != ab.kept_name("c"));
  CHECK(a.own_name(a.kept_name("b/c")) == "b/c");
  CHECK_FALSE(a.own_name(ab.kept_name("c")).has_value());
  CHECK(Caller().kept_name("n") == "n");
  CHECK(Caller().own_name(a.kept_name("n")) == a.kept_name("n"));
  CHECK(a.kept_name("").empty());
}

TEST_CASE("api_access: so many calls a second, of each subject by itself, and so many guesses of an address") {
  AccessWorld world;
  world.settings.api.rate_limit = {3, 1s};
  for (int i = 0; i < 3; ++i) CHECK(world.status(world.with("Bearer " + world.token("control"))) == 200);
  const auto refused = std::get<HttpResponse>(world.admit(world.with("Bearer " + world.token("control"))));
  CHECK(refused.status == 429);
  CHECK(refused.headers.get("Retry-After") == "1");
  CHECK(world.status(world.with("Bearer " + world.token("control", "another"))) == 200);
  for (int i = 0; i < 3; ++i) CHECK(world.status(world.with("Bearer x")) == 401);
  CHECK(world.status(world.with("Bearer x")) == 429);
  CHECK(world.status(world.request) == 200);
  world.clock.advance(1s);
  CHECK(world.status(world.with("Bearer " + world.token("control"))) == 200);
  world.settings.api.rate_limit = {1, 1s};
  CHECK(world.status(world.with("Bearer " + world.token("control"))) == 200);
  CHECK(world.status(world.with("Bearer " + world.token("control"))) == 429);
}

TEST_CASE("api_access: so many readers of each subject at a time") {
  AccessWorld world;
  world.settings.api.max_readers = 2;
  auto first = world.caller("events:read", "ci", "", true);
  auto second = world.caller("events:read", "ci", "", true);
  CHECK(world.status(world.with("Bearer " + world.token("events:read")), true) == 429);
  CHECK(world.status(world.with("Bearer " + world.token("events:read")), false) == 200);
  CHECK(world.status(world.with("Bearer " + world.token("events:read", "another")), true) == 200);
  const auto copy = second.open;
  second = Caller();
  CHECK(world.status(world.with("Bearer " + world.token("events:read")), true) == 429);
  first = Caller();
  CHECK(world.status(world.with("Bearer " + world.token("events:read")), true) == 200);
}

TEST_CASE("api_access: scopes that hark knows") {
  for (const auto* known : {"control", "runs:read", "runs:write", "events:read", "events:publish", "events:read:a/**", "events:publish:deploy*"}) CHECK(check_scope(known));
  for (const auto* other : {"", "runs", "events:read:", "events:publish:[", "Control", "events:write"}) {
    CAPTURE(other);
    CHECK_FALSE(check_scope(other));
  }
  CHECK(check_scope("run:read").error().message == "there is no scope 'run:read'; did you mean 'runs:read'?");
}
