// Who calls the API, and what they may. Loop thread only.
//
// The control socket is its owner's, who may everything, and so may whoever calls over TCP where that listens on loopback and no token is
// asked for. Everybody else brings a bearer token (RFC 6750), whose scopes say what is theirs:
//   events:publish[:TOPIC]  events:read[:TOPIC]  runs:read  runs:write  control
// TOPIC is a glob; without one it is all events, also those that have no topic.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/glob.h"
#include "core/rate.h"
#include "core/result.h"
#include "core/time.h"
#include "daemon/settings.h"
#include "platform/http.h"
#include "platform/jwt.h"

namespace hark {

class Clock;

// What a route is for. Those of events look at the topics themselves.
enum class Scope { runs_read, runs_write, control, publish, read };
std::string_view to_string(Scope scope);
// A scope that hark knows, with a topic where it may have one; the Error says which there are.
Status check_scope(std::string_view scope);

// How many streams, sockets and polls a client has: one of them as long as this is held.
using OpenReader = std::shared_ptr<void>;

class Caller {
 public:
  Caller() = default;  // the machine's owner
  Caller(Token token, const ApiSettings& settings);

  bool may(Scope scope) const;  // for the two of events: of any topic
  bool may_publish(std::string_view topic) const;
  bool may_read(std::string_view topic) const;
  // Who it is of; empty: nobody was asked.
  const std::string& subject() const { return token_ ? token_->subject : none_; }
  std::optional<WallTime> until() const;  // when the token ends; nullopt: never

  // The name of a subscriber, which belongs to who made it: as it is kept, and as its owner calls it (nullopt: it is another's).
  std::string kept_name(std::string_view name) const;
  std::optional<std::string> own_name(std::string_view kept) const;

  OpenReader open;  // what a reader of this call is to hold; null: nobody counts

 private:
  struct Topics {
    bool all = false;
    std::vector<Glob> globs;
    void add(std::string_view glob);
    bool any() const { return all || !globs.empty(); }
    bool contain(std::string_view topic) const;
  };
  static const std::string none_;

  std::optional<Token> token_;
  bool runs_read_ = false, runs_write_ = false, control_ = false;
  Topics publish_, read_;
};

// Lets in, or answers why not.
class ApiAccess {
 public:
  ApiAccess(const Settings& settings, const Clock& clock) : settings_(settings), clock_(clock) {}
  ApiAccess(const ApiAccess&) = delete;
  ApiAccess& operator=(const ApiAccess&) = delete;

  // `reads`: the answer may be one without an end, whose caller may be a browser that has no way to set a header: its token may stand in
  // the address (RFC 6750, 2.3), and it is one of so many.
  std::variant<Caller, HttpResponse> admit(const HttpRequest& request, bool reads);

 private:
  struct Client {
    Rate rate;
    RateLimiter limiter;
    SteadyTime used;
    std::shared_ptr<int> readers = std::make_shared<int>(0);
  };
  Client& client(const std::string& name);

  const Settings& settings_;
  const Clock& clock_;
  std::map<std::string, Client> clients_;
};

// 403: what the token lacks. `scope`: as it would have to say.
HttpResponse insufficient_scope(const std::string& scope);

}  // namespace hark
