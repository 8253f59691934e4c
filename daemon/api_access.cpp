#include "daemon/api_access.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "core/nearest.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/listen_socket.h"

namespace hark {

namespace {

constexpr std::string_view kRealm = "Bearer realm=\"hark\"";

std::string challenge(std::string_view error, std::string_view description) {
  std::string quoted;
  for (const char c : printable(description, limits::kShownValue * 4)) quoted += c == '"' || c == '\\' || static_cast<unsigned char>(c) > 0x7e ? '\'' : c;
  return std::string(kRealm) + ", error=\"" + std::string(error) + "\", error_description=\"" + quoted + "\"";
}

HttpResponse no_token() {
  auto answer = problem(401, "a token is asked for", "send `Authorization: Bearer TOKEN`; `hark token create` makes one");
  answer.headers.add("WWW-Authenticate", std::string(kRealm));
  return answer;
}

HttpResponse bad_token(const std::string& why) {
  auto answer = problem(401, "the token is not taken", why);
  answer.headers.add("WWW-Authenticate", challenge("invalid_token", why));
  return answer;
}

HttpResponse too_many(Duration wait) {
  auto answer = problem(429, "too many requests", "this client's `rate_limit` of [api] is used up");
  answer.headers.add("Retry-After", std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count()));
  return answer;
}

// The token of a request; empty: it has none. An Error: there is more than one, and two readers would take different ones.
Result<std::string> token_of(const HttpRequest& request, bool in_address) {
  const auto count = request.headers.count("Authorization");
  const auto in_query = in_address ? form_value(request.query, "access_token") : std::nullopt;
  if (count + (in_query ? 1 : 0) > 1) return Error{"there is more than one", ""};
  if (in_query) return *in_query;
  if (count == 0) return std::string();
  const auto value = *request.headers.get("Authorization");
  constexpr std::string_view kScheme = "Bearer ";
  if (value.size() < kScheme.size() || !equal_ignoring_case(value.substr(0, kScheme.size()), kScheme)) return Error{"`Authorization` is to be `Bearer TOKEN`", ""};
  return std::string(value.substr(std::min(value.find_first_not_of(' ', kScheme.size()), value.size())));
}

// What a proxy on this machine hands on comes from who knows where.
bool handed_on(const HttpRequest& request) {
  return request.headers.count("X-Forwarded-For") + request.headers.count("Forwarded") + request.headers.count("X-Real-IP") > 0;
}

}  // namespace

const std::string Caller::none_;

std::string_view to_string(Scope scope) {
  switch (scope) {
    case Scope::runs_read: return "runs:read";
    case Scope::runs_write: return "runs:write";
    case Scope::control: return "control";
    case Scope::publish: return "events:publish";
    case Scope::read: return "events:read";
  }
  return "";
}

Status check_scope(std::string_view scope) {
  for (const auto events : {Scope::publish, Scope::read}) {
    const auto name = to_string(events);
    if (!scope.starts_with(name) || scope.size() <= name.size() || scope[name.size()] != ':') continue;
    if (const auto glob = Glob::parse(scope.substr(name.size() + 1)); !glob) return Error{"'" + printable(scope, limits::kShownValue) + "' names no topic: " + glob.error().message, ""};
    return {};
  }
  std::vector<std::string> known;
  for (const auto each : {Scope::runs_read, Scope::runs_write, Scope::control, Scope::publish, Scope::read}) {
    if (scope == to_string(each)) return {};
    known.emplace_back(to_string(each));
  }
  return Error{"there is no scope '" + printable(scope, limits::kShownValue) + "'" + did_you_mean(scope, known),
               "there are runs:read, runs:write, control, events:publish[:TOPIC] and events:read[:TOPIC]; a topic may be a glob"};
}

HttpResponse insufficient_scope(const std::string& scope) {
  auto answer = problem(403, "the token does not allow this", "it needs the scope " + printable(scope, limits::kShownValue));
  const bool plain = std::all_of(scope.begin(), scope.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
  answer.headers.add("WWW-Authenticate", std::string(kRealm) + ", error=\"insufficient_scope\"" + (plain ? ", scope=\"" + scope + "\"" : ""));
  return answer;
}

void Caller::Topics::add(std::string_view glob) {
  // Of the whole topic: a glob without a '/' would else be one of its last part, and give "secret/deployment" to who may "deployment".
  const auto whole = (glob.starts_with('/') ? "" : "/") + std::string(glob);
  // One that is no glob is no topic either; so it gives nothing.
  if (auto parsed = Glob::parse(whole); parsed) globs.push_back(std::move(*parsed));
}

bool Caller::Topics::contain(std::string_view topic) const {
  return all || (!topic.empty() && std::any_of(globs.begin(), globs.end(), [&](const Glob& glob) { return glob.matches(topic); }));
}

Caller::Caller(Token token, const ApiSettings& settings) : token_(std::move(token)) {
  const auto events = [](Topics& topics, std::string_view scope, std::string_view name) {
    if (scope == name) topics.all = true;
    if (scope.size() > name.size() + 1 && scope.starts_with(name) && scope[name.size()] == ':') topics.add(scope.substr(name.size() + 1));
  };
  for (const std::string& scope : token_->scopes) {
    runs_read_ = runs_read_ || scope == to_string(Scope::runs_read);
    runs_write_ = runs_write_ || scope == to_string(Scope::runs_write);
    control_ = control_ || scope == to_string(Scope::control);
    events(publish_, scope, to_string(Scope::publish));
    events(read_, scope, to_string(Scope::read));
  }
  if (const auto known = settings.subscriptions.find(token_->agent_type); known != settings.subscriptions.end()) {
    for (const auto& glob : known->second) read_.add(glob);
  }
}

bool Caller::may(Scope scope) const {
  if (!token_) return true;
  switch (scope) {
    case Scope::runs_read: return runs_read_;
    case Scope::runs_write: return runs_write_;
    case Scope::control: return control_;
    case Scope::publish: return publish_.any();
    case Scope::read: return read_.any();
  }
  return false;
}

bool Caller::may_publish(std::string_view topic) const { return !token_ || publish_.contain(topic); }
bool Caller::may_read(std::string_view topic) const { return !token_ || read_.contain(topic); }
std::optional<WallTime> Caller::until() const { return token_ ? std::optional(token_->expires) : std::nullopt; }

namespace {

// A subject may hold what stands between it and a name.
std::string folder_of(const std::string& subject) {
  std::string folder;
  for (const char c : subject) folder += c == '/' ? "%2F" : c == '%' ? "%25" : std::string(1, c);
  return folder + "/";
}

}  // namespace

std::string Caller::kept_name(std::string_view name) const { return (token_ && !name.empty() ? folder_of(token_->subject) : "") + std::string(name); }

std::optional<std::string> Caller::own_name(std::string_view kept) const {
  if (!token_) return std::string(kept);
  const auto folder = folder_of(token_->subject);
  return kept.starts_with(folder) ? std::optional(std::string(kept.substr(folder.size()))) : std::nullopt;
}

ApiAccess::Client& ApiAccess::client(const std::string& name) {
  const auto now = clock_.now().steady;
  const auto known = clients_.find(name);
  if (known != clients_.end()) {
    auto& found = known->second;
    found.used = now;
    if (found.rate != settings_.api.rate_limit) found.limiter = RateLimiter(found.rate = settings_.api.rate_limit);
    return found;
  }
  if (clients_.size() >= limits::kApiClients) {
    // Who has readers open is known by them all the same; what is lost with the others is how much of a second's share they have used.
    clients_.erase(std::min_element(clients_.begin(), clients_.end(), [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
  }
  return clients_.emplace(name, Client{settings_.api.rate_limit, RateLimiter(settings_.api.rate_limit), now}).first->second;
}

std::variant<Caller, HttpResponse> ApiAccess::admit(const HttpRequest& request, bool reads) {
  if (request.control) return Caller();
  const auto& api = settings_.api;
  // The peer as well: a connection may be older than the listener, which a reload can move to loopback.
  const bool on_loopback = is_loopback(settings_.webhook_host) && is_loopback(request.peer) && !handed_on(request);
  if (!api.enabled) return problem(403, "not served here", "the API is served on the control socket alone: [api] enabled = false");
  if (api.rules.keys.empty()) {
    if (!on_loopback) return problem(403, "not served here", "the API is served on the control socket, and over TCP where hark listens on loopback or has a key for tokens ([api] in hark.toml(5))");
    if (!same_site(request)) return problem(403, "another site's request", "Origin and Host must name this listener");
    return Caller();
  }
  const auto text = token_of(request, reads);
  if (!text) return bad_token(text.error().message);
  if (text->empty()) {
    if (!on_loopback || api.require_token) return no_token();
    if (!same_site(request)) return problem(403, "another site's request", "Origin and Host must name this listener");
    return Caller();
  }
  const auto now = clock_.now();
  auto token = verify_token(*text, api.rules, now.wall);
  if (!token) {
    // Guessing is bounded as well, by where it comes from.
    if (const auto wait = client("from " + request.peer).limiter.take(now.steady); wait > Duration::zero()) return too_many(wait);
    return bad_token(token.error().message);
  }
  auto& known = client("of " + token->subject);
  if (const auto wait = known.limiter.take(now.steady); wait > Duration::zero()) return too_many(wait);
  Caller caller(std::move(*token), api);
  if (reads) {
    if (*known.readers >= api.max_readers) {
      auto busy = problem(429, "too many streams", "this client has " + std::to_string(*known.readers) + " streams, sockets and polls, `max_readers` of [api] are allowed");
      busy.headers.add("Retry-After", "1");
      return busy;
    }
    ++*known.readers;
    caller.open = OpenReader(nullptr, [count = known.readers](void*) { --*count; });
  }
  return caller;
}

}  // namespace hark
