// Tells somebody outside that a handler's run began, succeeded or failed: a GET of the URL that the handler names (`ping`), for services
// that call for help when nobody calls them (healthchecks and the like). A run never waits for one.
//
// Those of one handler go in order, each is tried three times; the others do not wait for them. use() and operator() on the loop;
// `failed` is called on any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>

#include "core/lifecycle.h"
#include "core/limits.h"
#include "core/ping_urls.h"
#include "core/result.h"
#include "platform/workers.h"

namespace hark {

class HttpClient;

class Pings {
 public:
  // `retry_pause`: before the second attempt; before the third twice that.
  Pings(HttpClient& client, std::function<void(const std::string& handler, const Error&)> failed, Duration retry_pause);
  ~Pings();  // those under way get a moment, what is left then is given up

  void use(std::map<std::string, PingUrls> by_handler);
  void operator()(const lifecycle::Any& event);

 private:
  struct Ping {
    std::string url;
    std::string of;  // for an error: "the start of run ID"; the URL is as good as a password
  };

  void send(const std::string& handler, Ping ping);
  void call_those_of(const std::string& handler);
  void call(const std::string& handler, const Ping& ping);
  bool pause(Duration time);  // false: there is no time left

  HttpClient& client_;
  const std::function<void(const std::string&, const Error&)> failed_;
  const Duration retry_pause_;
  std::map<std::string, PingUrls> urls_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable_any done_;
  std::map<std::string, std::deque<Ping>> waiting_;  // by handler that a thread is at; guarded by mutex_
  std::size_t open_ = 0;                                    // guarded by mutex_
  Workers threads_{"hark-pings", limits::kPingThreads};
};

}  // namespace hark
