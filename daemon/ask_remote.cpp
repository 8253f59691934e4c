#include "daemon/ask_remote.h"

#include <nlohmann/json.hpp>

#include "core/payload.h"
#include "sources/remote_reader.h"

namespace hark {

RemoteAnswer ask_remote(const std::string& text) {
  const auto request = remote_request_from_text(text);
  const auto refs = request ? ls_remote(request->url, request->credentials, request->wanted) : Result<RemoteRefs>(request.error());
  if (refs) return {true, to_lines(*refs)};
  return {false, write_json({{"message", refs.error().message}, {"cure", refs.error().cure}})};
}

}  // namespace hark
