// Which handler a request belongs to: exact paths, and patterns with {name} segments. On the loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/limits.h"
#include "platform/http.h"

namespace hark {

// Answers one request, at once or later, on the loop thread, exactly once. Dropping it unanswered sends 500; when the client
// is gone meanwhile nothing happens.
using HttpResponder = std::function<void(HttpResponse)>;

struct HttpRoute {
  std::string method;  // "GET", "POST", ...; another method on the same path is answered 405 with Allow
  std::string path;    // exact, or with {name} segments: "/api/runs/{id}" (read them with path_parameter)
  std::uint64_t max_body = limits::kHttpBodyDefault;  // larger: 413, whether announced, chunked or lied about
  std::function<void(HttpRequest, HttpResponder)> handle;
  // Told of each request of this route that `handle` never sees, just before it is answered with that status: a body that is too large
  // (413), breaks the rules (400) or does not come (408), a server that has enough to do (503). Its body is not to be read.
  std::function<void(const HttpRequest& head, int status, const std::string& reason)> on_refused = nullptr;
};

// The segment of `path` that stands where `pattern` has {name}; empty when they do not fit.
std::string path_parameter(std::string_view pattern, std::string_view path, std::string_view name);
std::vector<std::string> path_parameters(std::string_view pattern);  // their names

class HttpRoutes {
 public:
  struct Entry {
    HttpRoute route;
    bool control_only = false;
    bool removed = false;  // a request on its way in when the route went is answered 404
  };
  using EntryPtr = std::shared_ptr<Entry>;

  struct Match {
    EntryPtr entry;     // null: none of that method
    std::string allow;  // the methods there are, for 405; empty: no such path
  };

  bool add(HttpRoute route, bool control_only);
  void remove(std::string_view method, std::string_view path);
  // An exact path goes before a pattern. HEAD is served by GET.
  Match find(std::string_view method, const std::string& path, bool control) const;

 private:
  using Methods = std::vector<EntryPtr>;
  static bool choose(const Methods& methods, std::string_view method, bool control, Match& match);

  std::unordered_map<std::string, Methods> exact_;
  std::vector<std::pair<std::string, Methods>> patterns_;  // in the order they were added
};

}  // namespace hark
