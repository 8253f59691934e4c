#include "daemon/api_pushes.h"

#include <vector>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/payload.h"
#include "sources/push_desk.h"

namespace hark {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

bool is_commit(const std::string& id) { return id.size() == 40 && id.find_first_not_of("0123456789abcdef") == std::string::npos; }

}  // namespace

HttpResponse take_pushes(PushDesk& desk, const std::string& body) {
  const auto said = parse_json(body, "the body");
  if (!said) return problem(400, "no push", said.error().message);
  const auto repository = text_of(*said, "repository");
  const auto moves = said->is_object() ? said->find("moves") : said->end();
  if (!repository.starts_with('/') || !said->is_object() || moves == said->end() || !moves->is_array()) {
    return problem(400, "no push", R"(expected {"repository": "/path", "moves": [{"ref", "before", "after"}]})");
  }
  std::vector<RefMove> all;
  for (const auto& each : *moves) {
    RefMove move{text_of(each, "ref"), text_of(each, "before"), text_of(each, "after")};
    if (!move.ref.starts_with("refs/") || !is_commit(move.before) || !is_commit(move.after)) {
      return problem(400, "no push", "expected a ref, and its commits before and after in 40 hex digits");
    }
    all.push_back(std::move(move));
  }
  HttpResponse response;
  response.status = 202;
  response.body = write_json({{"sources", desk.tell(repository, all)}});
  return response;
}

}  // namespace hark
