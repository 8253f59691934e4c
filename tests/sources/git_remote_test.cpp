#include "sources/git_remote.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "sources/remote_reader.h"
#include "tests/sources/git_bench.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::GitBench;
using hark::test::GitFolder;
using nlohmann::json;

namespace {

const std::string kZeros(40, '0');

// libgit2 in this process, with faults to order.
struct Reader final : RemoteReader {
  Result<RemoteRefs> read(const RemoteRequest& request, std::stop_token stop) override {
    ++asked;
    if (hangs) {
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any ended;
      ended.wait(lock, stop, [] { return false; });
      return Error{"not waited for", {}};
    }
    if (failing > 0) {
      --failing;
      return Error{"no way there", "mend the way"};
    }
    return ls_remote(request.url, request.credentials, request.wanted);
  }
  std::atomic<int> asked = 0, failing = 0;
  std::atomic<bool> hangs = false;
};

struct Bench : GitBench {
  Reader reader;
  Workers workers{"network", 2};
  Duration interval = 10ms;

  Bench() {
    folder.git(".", "init -q -b main work");
    folder.commit("work", "a", "one");
    folder.git(".", "clone -q --bare work bare");
    folder.git("work", "remote add origin ../bare");
  }
  ~Bench() { source.reset(); }

  std::string url() const { return "file://" + (folder / "bare").string(); }
  void start(WantedRefs wanted = {}, std::string repository = {}) {
    source = make_git_remote({"remote", repository.empty() ? url() : repository, {}, std::move(wanted), interval}, loop, clock, workers, reader, host.marks);
    REQUIRE(source->start(host));
  }
  // Two questions later, of which at least one began after now.
  void asked_again() {
    until([&, seen = reader.asked.load()] { return reader.asked > seen + 1; });
  }
  json next() { return next_event().data.json(); }
};

}  // namespace

TEST_CASE("git_push, remote: what moves there is told, from where it stood at first") {
  Bench bench;
  bench.start({{{"main", "topic/*"}}, {{"v*"}}});
  bench.asked_again();
  CHECK(bench.host.offered.empty());

  const auto one = bench.folder.tip("work");
  const auto two = bench.folder.commit("work", "b", "two");
  bench.folder.git("work", "push -q origin main");
  auto data = bench.next();
  CHECK(data["repository"] == bench.url());
  CHECK(data["ref"] == "refs/heads/main");
  CHECK(data["branch"] == "main");
  CHECK(data["before"] == one);
  CHECK(data["after"] == two);
  CHECK(data["created"] == false);
  for (const char* unknown : {"forced", "commits", "files", "message"}) CHECK_FALSE(data.contains(unknown));

  bench.folder.git("work", "tag -a -m first v1");
  bench.folder.git("work", "push -q origin HEAD:refs/heads/topic/x HEAD:refs/heads/other v1");
  data = bench.next();
  CHECK(data["branch"] == "topic/x");
  CHECK(data["before"] == kZeros);
  data = bench.next();
  CHECK(data["tag"] == "v1");
  CHECK(data["after"] == bench.folder.tip("work", "refs/tags/v1"));
  CHECK(data["commit"] == two);

  bench.folder.git("work", "push -q origin :topic/x :v1");
  data = bench.next();
  CHECK(data["branch"] == "topic/x");
  CHECK(data["deleted"] == true);
  CHECK(bench.next()["tag"] == "v1");
  CHECK(bench.host.offered.size() == 5);
}

TEST_CASE("git_push, remote: what moved while hark was away is told once at its next start") {
  Bench bench;
  bench.start();
  bench.asked_again();
  bench.source.reset();
  const auto two = bench.folder.commit("work", "b", "two");
  bench.folder.git("work", "push -q origin main");
  bench.start();
  CHECK(bench.next()["after"] == two);
  bench.asked_again();
  CHECK(bench.host.offered.size() == 1);
}

TEST_CASE("git_push, remote: a refused event is offered again with the same key") {
  Bench bench;
  bench.start();
  bench.asked_again();
  bench.host.refusals_left = 1;
  bench.folder.commit("work", "b", "two");
  bench.folder.git("work", "push -q origin main");
  bench.next();
  REQUIRE(bench.host.offered.size() == 2);
  CHECK(bench.host.offered[0].dedupe_key == bench.host.offered[1].dedupe_key);
}

TEST_CASE("git_push, remote: neither a refused event nor the rest of many waits for the next interval") {
  Bench bench;
  bench.interval = 1h;
  bench.start();
  bench.until([&] { return bench.reader.asked == 1 && !bench.host.marks.marks_of("remote")->empty(); });
  bench.source.reset();
  SUBCASE("refused") {
    bench.folder.commit("work", "b", "two");
    bench.folder.git("work", "push -q origin main");
    bench.host.refusals_left = 1;
    bench.start();
    CHECK(bench.next()["branch"] == "main");
  }
  SUBCASE("many") {
    bench.folder.shell("bare", "for i in $(seq 300); do echo \"create refs/heads/many-$i HEAD\"; done | git update-ref --stdin");
    bench.start();
    std::set<std::string> told;
    for (int i = 0; i < 300; ++i) told.insert(bench.next()["branch"].get<std::string>());
    CHECK(told.size() == 300);
  }
}

TEST_CASE("git_push, remote: while it cannot be asked the source says so, and tells what moved meanwhile") {
  Bench bench;
  bench.reader.failing = 2;
  bench.start();
  bench.until([&] { return bench.host.recoveries == 1; });
  REQUIRE(bench.host.degradations.size() == 2);
  CHECK(bench.host.degradations[0].message.find(bench.url() + " cannot be asked: no way there") != std::string::npos);
  CHECK(bench.host.degradations[0].cure == "mend the way");
  CHECK(bench.host.offered.empty());
  bench.reader.failing = 1;
  const auto two = bench.folder.commit("work", "b", "two");
  bench.folder.git("work", "push -q origin main");
  CHECK(bench.next()["after"] == two);
}

TEST_CASE("git_push, remote: one that hangs is let go when the source stops") {
  Bench bench;
  bench.reader.hangs = true;
  bench.start();
  bench.until([&] { return bench.reader.asked == 1; });
  bench.source->stop();
  bench.reader.hangs = false;
  REQUIRE(bench.source->start(bench.host));  // the one thread that hung would be missing else
  bench.asked_again();
  CHECK(bench.host.degradations.empty());
}

TEST_CASE("ls-remote: errors say what to do") {
  GitFolder folder;
  folder.git(".", "init -q plain");
  const auto missing = ls_remote("file://" + (folder / "nothing").string(), {}, {});
  REQUIRE_FALSE(missing);
  CHECK_FALSE(missing.error().cure.empty());
  const auto empty = ls_remote("file://" + (folder / "plain").string(), {}, {});
  REQUIRE(empty);
  CHECK(empty->tips.empty());
  const auto refused = ls_remote("http://127.0.0.1:1/x.git", {}, {});
  REQUIRE_FALSE(refused);
  CHECK_FALSE(refused.error().message.empty());
}

TEST_CASE("ls-remote: an answer and a request keep their meaning on their way through a pipe") {
  const std::string a(40, 'a'), b(40, 'b');
  const RemoteRefs refs{{{"refs/heads/main", a}, {"refs/tags/v 1", b}}, {{"refs/tags/v 1", a}}};
  const auto back = from_lines(to_lines(refs));
  REQUIRE(back);
  CHECK(back->tips == refs.tips);
  CHECK(back->commits == refs.commits);
  CHECK(from_lines("")->tips.empty());
  for (const char* wrong : {"x", "0123 refs/heads/main\n", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz refs/heads/main\n"}) CHECK_FALSE(from_lines(wrong));

  const RemoteRequest request{"https://x.org/y", {"u", "t\"\n", "/k"}, {std::nullopt, {{"v*"}}}};
  const auto same = remote_request_from_text(to_text(request));
  REQUIRE(same);
  CHECK(same->url == request.url);
  CHECK(same->credentials == request.credentials);
  CHECK(same->wanted == request.wanted);
  for (const char* wrong : {"", "{}", "[1]", "{\"url\": 1}"}) CHECK_FALSE(remote_request_from_text(wrong));
}

TEST_CASE("ls-remote: what is a remote repository, and what a path") {
  for (const char* url : {"https://x.org/a.git", "ssh://git@x.org:22/a", "git@x.org:a/b.git", "x:y", "file:///a"}) CHECK(is_remote(url));
  for (const char* path : {".", "/srv/git/a.git", "./a:b", "~/src", "a/b:c"}) CHECK_FALSE(is_remote(path));
}
