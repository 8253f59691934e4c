#include "reporters/pings.h"

#include <utility>

#include "core/limits.h"
#include "platform/http_client.h"

namespace hark {

Pings::Pings(HttpClient& client, std::function<void(const std::string&, const Error&)> failed, Duration retry_pause)
    : client_(client), failed_(std::move(failed)), retry_pause_(retry_pause) {}

Pings::~Pings() {
  {
    std::unique_lock lock(mutex_);
    done_.wait_for(lock, limits::kPingsAtEnd, [this] { return open_ == 0; });
  }
  stop_.request_stop();
}

void Pings::use(std::map<std::string, PingUrls> by_handler) { urls_ = std::move(by_handler); }

void Pings::operator()(const lifecycle::Any& event) {
  if (urls_.empty()) return;
  const auto ping = [this](const Run& run, std::string PingUrls::*which, const char* of) {
    const auto urls = urls_.find(run.handler);
    if (urls != urls_.end() && !(urls->second.*which).empty()) send(run.handler, {urls->second.*which, of + std::string(" of run ") + run.id});
  };
  if (const auto* started = std::get_if<lifecycle::RunStarted>(&event)) ping(*started->run, &PingUrls::start, "the start");
  if (const auto* complete = std::get_if<lifecycle::RunComplete>(&event)) ping(*complete->run, &PingUrls::success, "the success");
  if (const auto* failed = std::get_if<lifecycle::RunFailed>(&event)) ping(*failed->run, &PingUrls::failure, "the failure");
}

void Pings::send(const std::string& handler, Ping ping) {
  {
    const std::lock_guard lock(mutex_);
    if (open_ >= limits::kPingsWaiting) return failed_(handler, {"a ping was left out: " + std::to_string(open_) + " wait already", ""});
    ++open_;
    const auto [at, first] = waiting_.try_emplace(handler);
    at->second.push_back(std::move(ping));
    if (!first) return;
  }
  threads_.post([this, handler] { call_those_of(handler); });
}

void Pings::call_those_of(const std::string& handler) {
  std::unique_lock lock(mutex_);
  for (auto& pings = waiting_.at(handler); !pings.empty(); pings.pop_front()) {
    const auto ping = pings.front();
    lock.unlock();
    if (!stop_.stop_requested()) call(handler, ping);
    lock.lock();
    --open_;
    done_.notify_all();
  }
  waiting_.erase(handler);
}

void Pings::call(const std::string& handler, const Ping& ping) {
  Error last;
  for (int attempt = 1; attempt <= limits::kPingAttempts; ++attempt) {
    if (attempt > 1 && !pause(retry_pause_ * (attempt - 1))) return;
    HttpCall call;
    call.url = ping.url;
    call.timeout = limits::kPingTimeout;
    const auto answer = client_.call(call, stop_.get_token());
    if (answer && answer->status / 100 == 2) return;
    last = answer ? Error{"the answer was " + std::to_string(answer->status), ""} : answer.error();
    if (answer && answer->status / 100 == 4 && answer->status != 429) break;  // the same would be said again
  }
  if (!stop_.stop_requested()) failed_(handler, {"the ping of " + ping.of + " failed: " + last.message, last.cure.empty() ? "check the URLs of its `ping`" : last.cure});
}

bool Pings::pause(Duration time) {
  std::unique_lock lock(mutex_);
  done_.wait_for(lock, stop_.get_token(), time, [] { return false; });
  return !stop_.stop_requested();
}

}  // namespace hark
