// An HTTP client without a network: it records the calls and answers from a script.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "platform/http_client.h"

namespace hark::test {

class FakeHttpClient final : public HttpClient {
 public:
  using Answer = std::function<Result<HttpResponse>(const HttpCall&, const std::stop_token&)>;

  // The answers to the calls to come, in order; beyond them every call is answered with an empty 200.
  void answer(Answer next) {
    std::lock_guard lock(mutex_);
    answers_.push_back(std::move(next));
  }
  void answer(int status, std::string body = {}) {
    answer([status, body = std::move(body)](const HttpCall&, const std::stop_token&) {
      HttpResponse response;
      response.status = status;
      response.body = body;
      return Result<HttpResponse>(response);
    });
  }

  std::vector<HttpCall> calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }

  Result<HttpResponse> call(const HttpCall& call, std::stop_token stop) override {
    Answer next;
    {
      std::lock_guard lock(mutex_);
      calls_.push_back(call);
      if (!answers_.empty()) {
        next = std::move(answers_.front());
        answers_.pop_front();
      }
    }
    auto answer = next ? next(call, stop) : Result<HttpResponse>(HttpResponse{});
    if (answer && call.receive) hand_over(call, *answer);
    return answer;
  }

  std::size_t piece = 7;  // bytes of a body that is handed over as it comes

 private:
  void hand_over(const HttpCall& call, HttpResponse& answer) const {
    const std::string body = std::exchange(answer.body, {});
    for (std::size_t at = 0; at < body.size(); at += piece) {
      if (!call.receive(answer, std::string_view(body).substr(at, piece))) return;
    }
  }

  mutable std::mutex mutex_;
  std::vector<HttpCall> calls_;
  std::deque<Answer> answers_;
};

// The first header of that name as written; empty: there is none.
inline std::string header(const HttpCall& call, std::string_view name) {
  for (const auto& [key, value] : call.headers.entries()) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace hark::test
