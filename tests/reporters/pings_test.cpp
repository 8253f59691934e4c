#include "reporters/pings.h"

#include <doctest/doctest.h>

#include "tests/support/eventually.h"
#include "tests/support/fake_http_client.h"

using namespace hark;
using namespace hark::test;
using namespace std::chrono_literals;

namespace {

struct World {
  FakeHttpClient http;
  std::mutex mutex;
  std::vector<std::string> failures;
  std::unique_ptr<Pings> pings = std::make_unique<Pings>(
      http,
      [this](const std::string& handler, const Error& error) {
        const std::lock_guard lock(mutex);
        failures.push_back(handler + ": " + error.text());
      },
      1ms);

  World() { pings->use({{"good", {{}, "http://y/good", {}}}, {"backup", {"http://x/start", "http://x/ok", "http://x/fail"}}, {"partly", {{}, "http://x/partly", {}}}}); }

  template <class T>
  void tell(const char* handler) {
    Run run;
    run.id = "42";
    run.handler = handler;
    (*pings)(T{std::make_shared<const Run>(run)});
  }
  std::vector<std::string> urls() {
    std::vector<std::string> urls;
    for (const auto& call : http.calls()) urls.push_back(call.url);
    return urls;
  }
  std::size_t failed() {
    const std::lock_guard lock(mutex);
    return failures.size();
  }
};

}  // namespace

TEST_CASE("pings: a run's begin, success and failure are told, in order, by a GET") {
  World world;
  world.tell<lifecycle::RunStarted>("backup");
  world.tell<lifecycle::RunFailed>("backup");
  world.tell<lifecycle::RunStarted>("partly");
  world.tell<lifecycle::RunComplete>("partly");
  world.tell<lifecycle::RunComplete>("other");
  world.tell<lifecycle::RunComplete>("backup");
  world.pings.reset();  // those under way get a moment
  auto urls = world.urls();
  std::erase(urls, "http://x/partly");  // of another handler: whenever
  CHECK(urls == std::vector<std::string>{"http://x/start", "http://x/fail", "http://x/ok"});
  CHECK(world.urls().size() == 4);
  for (const auto& call : world.http.calls()) CHECK(call.method == "GET");
  CHECK(world.failed() == 0);
}

TEST_CASE("pings: one that fails is tried again, and then somebody is told") {
  World world;
  world.http.answer(503);
  world.http.answer([](const HttpCall&, const std::stop_token&) { return Result<HttpResponse>(Error{"x:80 cannot be reached", ""}); });
  world.http.answer(204);
  world.tell<lifecycle::RunComplete>("backup");
  REQUIRE(eventually([&] { return world.urls().size() == 3; }));
  CHECK(world.failed() == 0);

  for (int i = 0; i < 3; ++i) world.http.answer(500);
  world.tell<lifecycle::RunComplete>("backup");
  REQUIRE(eventually([&] { return world.failed() == 1; }));
  CHECK(world.failures[0].find("backup: the ping of the success of run 42 failed: the answer was 500") == 0);
  CHECK(world.urls().size() == 6);

  world.http.answer(404);  // would be the same again
  world.tell<lifecycle::RunComplete>("backup");
  REQUIRE(eventually([&] { return world.failed() == 2; }));
  CHECK(world.urls().size() == 7);
}

TEST_CASE("pings: a server that hangs holds up neither the run nor the end") {
  World world;
  world.http.answer([](const HttpCall&, const std::stop_token& stop) {
    eventually([&] { return stop.stop_requested(); });
    return Result<HttpResponse>(Error{"cancelled", ""});
  });
  for (int i = 0; i < 1500; ++i) world.tell<lifecycle::RunComplete>("backup");
  CHECK(world.failed() >= 499);  // no more wait than may
  REQUIRE(eventually([&] { return world.urls().size() == 1; }));
  world.pings->use({{"good", {{}, "http://y/good", {}}}});
  world.pings.reset();
  CHECK(world.urls().size() == 1);
}

TEST_CASE("pings: a server that hangs does not keep other handlers from being told of") {
  World world;
  std::atomic<bool> over = false;
  world.http.answer([&](const HttpCall&, const std::stop_token&) {
    eventually([&] { return over.load(); });
    return Result<HttpResponse>(Error{"late", ""});
  });
  world.tell<lifecycle::RunComplete>("backup");
  REQUIRE(eventually([&] { return world.urls().size() == 1; }));
  world.tell<lifecycle::RunComplete>("good");
  CHECK(eventually([&] { return world.urls().size() == 2; }));
  CHECK(world.urls().back() == "http://y/good");
  over = true;
}
