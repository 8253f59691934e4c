#include "sources/git_pr.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>
#include <optional>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "core/hex.h"
#include "platform/clock.h"
#include "platform/digest.h"
#include "platform/http_client.h"
#include "platform/http_server.h"
#include "platform/workers.h"
#include "sources/webhook_provider.h"
#include "tests/sources/forge_payloads.h"
#include "tests/sources/recording_host.h"
#include "tests/support/eventually.h"
#include "tests/support/loop_thread.h"
#include "tests/support/raw_client.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::eventually;
using hark::test::RecordingHost;
using nlohmann::json;

namespace {

const std::string kMoved(40, '4');

// GitHub's list of pull requests, with faults to order. Each change comes a second after the one before, by its own clock.
class GitHub final : public HttpClient {
 public:
  Result<HttpResponse> call(const HttpCall& call, std::stop_token) override {
    std::unique_lock lock(mutex_);
    ++asked_;
    asked_at_.push_back(std::chrono::steady_clock::now());
    last_ = call;
    HttpResponse response;
    if (trouble_ != 0) {
      response.status = trouble_;
      response.headers.add("Retry-After", std::to_string(pause_));
      return response;
    }
    const bool open = call.url.find("state=open") != std::string::npos;
    const auto page = std::size_t(std::stoi(call.url.substr(call.url.rfind("page=") + 5)));
    auto items = json::array();
    for (const auto& item : newest_first()) {
      if (!open || item["state"] == "open") items.push_back(item);
    }
    const auto etag = "\"" + std::to_string(changes_) + "\"";
    if (!open && page == 1 && call.headers.get("If-None-Match") == etag) {
      ++unchanged_;
      response.status = 304;
      return response;
    }
    auto some = json::array();
    for (auto i = (page - 1) * 100; i < std::min(items.size(), page * 100); ++i) some.push_back(items[i]);
    response.body = some.dump();
    response.headers.add("ETag", etag);
    if (changes_ > held_from_) ++held_;
    released_.wait(lock, [this, computed = changes_] { return computed <= held_from_; });
    return response;
  }

  // What the webhook of this change says.
  json change(int number, const std::string& action, const json& fields = json::object()) {
    const std::lock_guard lock(mutex_);
    const bool is_new = !requests_.contains(number);
    auto& request = requests_[number];
    if (is_new) {
      request = payloads::github_item();
      request["number"] = number;
      request["created_at"] = now();
    }
    request.update(fields);
    request["updated_at"] = now();
    ++changes_;
    auto told = payloads::github_webhook();
    told["action"] = action;
    told["number"] = number;
    told["pull_request"] = request;
    told["pull_request"]["merged"] = !request["merged_at"].is_null();
    return told;
  }
  void trouble(int status, int pause = 0) {
    const std::lock_guard lock(mutex_);
    trouble_ = status;
    pause_ = pause;
  }
  // Answers with what changes from now on are on their way until they are let go.
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = 0;
    held_from_ = changes_;
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    held_from_ = kNobody;
    released_.notify_all();
  }
  // Another change within the same second.
  void amend(int number, const json& fields) {
    const std::lock_guard lock(mutex_);
    requests_[number].update(fields);
    ++changes_;
  }
  int held() const { return read(held_); }
  std::vector<std::chrono::steady_clock::time_point> asked_at() const {
    const std::lock_guard lock(mutex_);
    return asked_at_;
  }
  int asked() const { return read(asked_); }
  int unchanged() const { return read(unchanged_); }
  HttpCall last() const {
    const std::lock_guard lock(mutex_);
    return *last_;
  }

 private:
  std::string now() const { return to_rfc3339(std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) + std::chrono::seconds(changes_)); }
  std::vector<json> newest_first() const {
    std::vector<json> items;
    for (const auto& [number, item] : requests_) items.push_back(item);
    std::stable_sort(items.begin(), items.end(), [](const json& a, const json& b) { return a["updated_at"] > b["updated_at"]; });
    return items;
  }
  int read(const int& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }

  mutable std::mutex mutex_;
  std::map<int, json> requests_;
  std::optional<HttpCall> last_;
  std::condition_variable released_;
  std::vector<std::chrono::steady_clock::time_point> asked_at_;
  static constexpr int kNobody = std::numeric_limits<int>::max();
  int asked_ = 0, unchanged_ = 0, changes_ = 0, trouble_ = 0, pause_ = 0, held_ = 0, held_from_ = kNobody;
};

// Prints what is not as it should be.
struct Lines : std::vector<std::string> {
  using vector::vector;
  friend std::ostream& operator<<(std::ostream& out, const Lines& lines) {
    for (const auto& line : lines) out << line << "; ";
    return out;
  }
};

struct World {
  test::LoopThread thread;
  SystemClock clock;
  GitHub forge;
  std::optional<Workers> workers{std::in_place, "network", 2};
  std::optional<RecordingHost> host;
  std::optional<HttpServer> server;
  std::unique_ptr<Source> source;
  GitPrOptions options;
  std::uint16_t port = 0;

  World() {
    options.name = "requests";
    thread.run([&] {
      host.emplace(thread.loop());
      server.emplace(thread.loop());
    });
  }
  ~World() {
    end();
    workers.reset();
    thread.run([&] {
      server.reset();
      host.reset();
    });
  }
  World& by_webhook() {
    options.webhook.emplace();
    options.webhook->name = options.name;
    options.webhook->path = "/hook";
    options.webhook->provider = "github";
    options.webhook->scheme = webhook_provider("github")->scheme;
    options.webhook->secrets = {"s3cret"};
    options.webhook->host = "127.0.0.1";
    return *this;
  }
  World& by_polling() {
    options.polling = ForgePolling{{Forge::github, "https://api.github.com", "Harbour/Gulls"}, "t0ken", 5ms};
    return *this;
  }
  World& start() {
    thread.run([&] {
      source = make_git_pr(options, {*server, forge, thread.loop(), clock, *workers, host->marks});
      REQUIRE(source->start(*host));
      port = server->port();
    });
    return *this;
  }
  void end() {
    thread.run([&] { source.reset(); });
  }
  // The answer's status, and its body.
  std::pair<int, json> post(const json& told, const std::string& event = "pull_request", const std::string& secret = "s3cret") {
    const auto body = told.dump();
    const auto answer = test::RawClient(port).ask("POST /hook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-GitHub-Event: " + event + "\r\nX-Hub-Signature-256: sha256=" +
                                                  to_hex(hmac(Hash::sha256, secret, {body})) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return {answer.status, json::parse(answer.body, nullptr, false)};
  }
  // Two questions that began after now are answered.
  void asked_again() {
    const auto before = forge.asked();
    REQUIRE(eventually([&] { return forge.asked() > before + 2; }));
    thread.run([] {});
  }
  void until_asked(int degradations = 0) {
    REQUIRE(eventually([&] {
      bool known = false;
      thread.run([&] { known = host->marks.kept.contains("") && int(host->degradations.size()) >= degradations; });
      return known;
    }));
  }
  // "opened #7" of each event that was taken, since the last call.
  Lines told() {
    Lines lines;
    thread.run([&] {
      for (const auto& event : host->taken) lines.push_back(event.data.json()["action"].get<std::string>() + " #" + std::to_string(event.data.json()["number"].get<int>()));
      host->taken.clear();
    });
    return lines;
  }
  Lines told(std::size_t count) {
    Lines lines;
    CHECK(eventually([&] {
      for (auto& line : told()) lines.push_back(std::move(line));
      return lines.size() >= count;
    }));
    return lines;
  }
  template <class T>
  T at_host(T RecordingHost::*what) {
    T copy;
    thread.run([&] { copy = (*host).*what; });
    return copy;
  }
};

}  // namespace

TEST_CASE("git_pr: a webhook is one event of the one shape") {
  World world;
  world.by_webhook().start();
  const auto told = world.forge.change(7, "opened");
  const auto [status, body] = world.post(told);
  CHECK(status == 202);
  CHECK(body.contains("event_id"));
  const auto events = world.at_host(&RecordingHost::taken);
  REQUIRE(events.size() == 1);
  CHECK(events[0].type == "git_pr");
  CHECK(events[0].source == "requests");
  CHECK(events[0].subject == "harbour/gulls#7");
  const auto data = events[0].data.json();
  CHECK(data["action"] == "opened");
  CHECK(data["provider"] == "github");
  CHECK(data["sender"] == "piet");
  CHECK(data["head"]["ref"] == "count");
  CHECK(events[0].marks.size() == 1);
}

TEST_CASE("git_pr: of a known one is told what is new, by webhooks as by polls") {
  World world;
  world.by_webhook().start();
  CHECK(world.post(world.forge.change(7, "synchronize")).first == 202);  // nothing was known: its own word counts
  CHECK(world.told() == Lines{"synchronize #7"});
  world.forge.change(7, "synchronize", {{"head", {{"ref", "count"}, {"sha", kMoved}}}});  // lost on its way
  CHECK(world.post(world.forge.change(7, "closed", {{"state", "closed"}, {"merged_at", "2026-03-01T00:00:09Z"}})).second["events"].size() == 2);
  CHECK(world.told() == Lines{"synchronize #7", "merged #7"});
}

TEST_CASE("git_pr: the same webhook again, an old one and one about something else start nothing") {
  World world;
  world.by_webhook().start();
  const auto first = world.forge.change(7, "opened");
  const auto second = world.forge.change(7, "edited", {{"title", "Count all"}});
  CHECK(world.post(first).first == 202);
  CHECK(world.post(second).first == 202);
  CHECK(world.told().size() == 2);
  for (const auto& again : {second, first}) CHECK(world.post(again) == std::pair(200, json{{"unchanged", true}}));
  auto assigned = second;
  assigned["action"] = "assigned";
  CHECK(world.post(assigned).second.contains("ignored"));
  CHECK(world.post(json::object(), "push").second.contains("ignored"));
  CHECK(world.post(json::object(), "ping") == std::pair(200, json{{"pong", true}}));
  CHECK(world.told().empty());
}

TEST_CASE("git_pr: only the actions that are asked for, while the others are known all the same") {
  World world;
  world.by_webhook().options.events = {"merged", "closed"};
  world.start();
  CHECK(world.post(world.forge.change(7, "opened")) == std::pair(200, json{{"unwanted", true}}));
  CHECK(world.post(world.forge.change(7, "closed", {{"state", "closed"}})).first == 202);
  CHECK(world.told() == Lines{"closed #7"});
}

TEST_CASE("git_pr: what nobody asks for is known after a restart too") {
  World world;
  world.by_webhook().options.events = {"merged"};
  world.start();
  const auto opened = world.forge.change(7, "opened");
  CHECK(world.post(opened) == std::pair(200, json{{"unwanted", true}}));
  world.end();
  world.start();
  CHECK(world.post(opened) == std::pair(200, json{{"unchanged", true}}));
}

TEST_CASE("git_pr: one that was closed long before the forge was first asked is no new one when it comes back") {
  World world;
  for (int number = 1; number <= 130; ++number) world.forge.change(number, "closed", {{"state", "closed"}});
  world.by_webhook().by_polling().start();
  world.until_asked();
  world.forge.change(1, "reopened", {{"state", "open"}});
  CHECK(world.told(1) == Lines{"reopened #1"});
  world.forge.trouble(500);
  world.asked_again();
  CHECK(world.post(world.forge.change(2, "reopened", {{"state", "open"}})).first == 202);
  CHECK(world.told() == Lines{"reopened #2"});
}

TEST_CASE("git_pr: one that was made between the two first questions is told") {
  World world;
  world.forge.change(1, "opened");
  world.forge.hold();
  world.forge.amend(1, {{"title", "Count all"}});
  world.by_polling().start();
  REQUIRE(eventually([&] { return world.forge.held() == 1; }));
  world.forge.change(2, "opened");
  world.forge.let_go();
  CHECK(world.told(1) == Lines{"opened #2"});
}

TEST_CASE("git_pr: names that differ in their case are one") {
  World world;
  world.forge.change(1, "opened");
  world.by_webhook().by_polling().start();
  world.until_asked();
  auto told = world.forge.change(1, "edited", {{"title", "Count all"}});
  CHECK(world.told(1) == Lines{"edited #1"});
  for (auto* repository : {&told["repository"], &told["pull_request"]["base"]["repo"]}) (*repository)["full_name"] = "HARBOUR/gulls";
  CHECK(world.post(told) == std::pair(200, json{{"unchanged", true}}));
}

TEST_CASE("git_pr: a webhook that is refused for now is told when it comes again, with the same key") {
  World world;
  world.by_webhook().start();
  const auto told = world.forge.change(7, "opened");
  world.thread.run([&] { world.host->refusals_left = 1; });
  CHECK(world.post(told).first == 503);
  CHECK(world.post(told).first == 202);
  const auto offered = world.at_host(&RecordingHost::offered);
  REQUIRE(offered.size() == 2);
  CHECK(offered[0].dedupe_key == offered[1].dedupe_key);
  const auto refusals = world.at_host(&RecordingHost::refusals);
  REQUIRE(refusals.size() == 1);
  CHECK(refusals[0].cause == Refusal::Cause::unavailable);
}

TEST_CASE("git_pr: a poll tells what changed since the first, of which nothing is told") {
  World world;
  world.forge.change(1, "opened");
  world.forge.change(2, "closed", {{"state", "closed"}});
  world.by_polling().start();
  world.until_asked();
  CHECK(world.forge.last().headers.get("Authorization") == "Bearer t0ken");
  world.asked_again();
  CHECK(world.told().empty());
  CHECK(world.forge.unchanged() > 0);

  world.forge.change(3, "opened");
  CHECK(world.told(1) == Lines{"opened #3"});
  world.forge.change(1, "synchronize", {{"head", {{"ref", "count"}, {"sha", kMoved}}}});
  CHECK(world.told(1) == Lines{"synchronize #1"});
  world.forge.change(4, "opened", {{"state", "closed"}});  // and closed before anybody looked
  CHECK(world.told(2) == Lines{"opened #4", "closed #4"});
  world.forge.change(2, "reopened", {{"state", "open"}});
  CHECK(world.told(1) == Lines{"reopened #2"});
  world.asked_again();
  CHECK(world.told().empty());
}

TEST_CASE("git_pr: webhook and poll of one change are told once, whichever is first") {
  World world;
  world.forge.change(1, "opened");
  world.by_webhook().by_polling().start();
  world.until_asked();
  // The poll first.
  const auto opened = world.forge.change(2, "opened");
  CHECK(world.told(1) == Lines{"opened #2"});
  CHECK(world.post(opened) == std::pair(200, json{{"unchanged", true}}));
  // The webhook first: nobody is asked meanwhile.
  world.forge.trouble(500);
  world.asked_again();
  const auto moved = world.forge.change(2, "synchronize", {{"head", {{"ref", "count"}, {"sha", kMoved}}}});
  CHECK(world.post(moved).first == 202);
  CHECK(world.told() == Lines{"synchronize #2"});
  world.forge.trouble(0);
  REQUIRE(eventually([&] { return world.at_host(&RecordingHost::recoveries) == 1; }));
  world.asked_again();
  CHECK(world.told().empty());
  // A webhook of one that was made meanwhile and whose own got lost.
  world.forge.trouble(500);
  world.asked_again();
  world.forge.change(3, "opened");
  CHECK(world.post(world.forge.change(3, "closed", {{"state", "closed"}})).first == 202);
  CHECK(world.told() == Lines{"opened #3", "closed #3"});
}

TEST_CASE("git_pr: of two states of one second the forge says which is the newer") {
  World world;
  world.forge.change(1, "opened");
  world.by_webhook().by_polling().start();
  world.until_asked();
  // Two changes of one second: the webhook of the first comes when a poll told the second.
  auto first = world.forge.change(1, "edited", {{"title", "Count some"}});
  CHECK(world.told(1) == Lines{"edited #1"});
  first["pull_request"]["title"] = "Count a few";
  CHECK(world.post(first) == std::pair(202, json{{"asking", true}}));
  world.asked_again();
  CHECK(world.told().empty());
  // Nobody can be asked: its word has to do.
  world.forge.trouble(500);
  world.asked_again();
  CHECK(world.post(first).second.contains("event_id"));
  CHECK(world.told() == Lines{"edited #1"});
}

TEST_CASE("git_pr: a webhook that comes while the forge is asked, of the same second: it is asked once more") {
  World world;
  world.forge.change(1, "opened");
  world.by_webhook().by_polling().start();
  world.until_asked();
  world.forge.hold();
  auto webhook = world.forge.change(1, "edited", {{"title", "Count all"}});
  REQUIRE(eventually([&] { return world.forge.held() == 1; }));
  webhook["pull_request"]["title"] = "Count a few";
  bool webhook_is_newer = false;
  SUBCASE("the webhook is older") {}
  SUBCASE("the webhook is newer") { webhook_is_newer = true; }
  if (webhook_is_newer) world.forge.amend(1, {{"title", "Count a few"}});
  CHECK(world.post(webhook).first == 202);
  CHECK(world.told() == Lines{"edited #1"});
  world.forge.let_go();
  if (!webhook_is_newer) CHECK(world.told(1) == Lines{"edited #1"});
  world.asked_again();
  CHECK(world.told().empty());
}

TEST_CASE("git_pr: what changed while hark was away is told once at its next start") {
  World world;
  world.forge.change(1, "opened");
  world.by_polling().start();
  world.until_asked();
  world.end();
  world.forge.change(1, "closed", {{"state", "closed"}});
  world.forge.change(2, "opened");
  world.start();
  CHECK(world.told(2) == Lines{"closed #1", "opened #2"});
  world.asked_again();
  world.end();
  world.start();
  world.asked_again();
  CHECK(world.told().empty());
}

TEST_CASE("git_pr: more than a page, at the first question and at a later one") {
  World world;
  for (int number = 1; number <= 130; ++number) world.forge.change(number, "opened");
  world.by_polling().start();
  world.until_asked();
  world.forge.trouble(500);
  world.asked_again();
  for (int number = 1; number <= 230; ++number) world.forge.change(number, number <= 130 ? "closed" : "opened", number <= 130 ? json{{"state", "closed"}} : json::object());
  world.forge.trouble(0);
  const auto lines = world.told(230);
  CHECK(lines.size() == 230);
  CHECK(lines.front() == "closed #1");
  CHECK(lines.back() == "opened #230");
}

TEST_CASE("git_pr: events of a poll that are refused are told by a later one") {
  World world;
  world.by_polling().start();
  world.until_asked();
  world.thread.run([&] { world.host->refusals_left = 1; });
  world.forge.change(1, "opened");
  world.forge.change(2, "opened");
  auto lines = world.told(2);
  std::sort(lines.begin(), lines.end());
  CHECK(lines == Lines{"opened #1", "opened #2"});
  world.asked_again();
  CHECK(world.told().empty());
}

TEST_CASE("git_pr: a forge that refuses, or is no forge, is said so with what to do") {
  World world;
  world.forge.trouble(401);
  world.by_polling().start();
  REQUIRE(eventually([&] { return !world.at_host(&RecordingHost::degradations).empty(); }));
  const auto error = world.at_host(&RecordingHost::degradations).front();
  CHECK(error.message == "pull requests of Harbour/Gulls cannot be asked for: it answers 401");
  CHECK(error.cure.find("`token`") != std::string::npos);
  world.forge.trouble(200);
  REQUIRE(eventually([&] {
    const auto errors = world.at_host(&RecordingHost::degradations);
    return errors.back().message.find("not understood") != std::string::npos;
  }));
  world.forge.trouble(0);
  world.until_asked();
  CHECK(world.at_host(&RecordingHost::recoveries) == 1);
}

TEST_CASE("git_pr: a forge that wants a pause gets it") {
  World world;
  world.forge.trouble(429, 1);
  world.by_polling().start();
  REQUIRE(eventually([&] { return world.forge.asked() == 2; }));
  const auto times = world.forge.asked_at();
  CHECK(times[1] - times[0] >= 1s);
  CHECK(world.at_host(&RecordingHost::degradations).front().cure.find("a pause of 1s") != std::string::npos);
}

TEST_CASE("git_pr: a request that cannot be taken keeps the source in trouble until it can") {
  World world;
  world.forge.change(1, "opened", {{"title", 7}});
  world.by_polling().start();
  world.until_asked(1);
  CHECK(world.at_host(&RecordingHost::degradations).front().message.find("could not be taken, the first: ") != std::string::npos);
  world.asked_again();
  CHECK(world.at_host(&RecordingHost::recoveries) == 0);
  world.forge.change(1, "edited", {{"title", "Count all"}});
  REQUIRE(eventually([&] { return world.at_host(&RecordingHost::recoveries) == 1; }));
}
