#include "sources/remote_reader.h"

#include <system_error>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/payload.h"
#include "platform/clock.h"
#include "platform/file_system.h"
#include "platform/process.h"

namespace hark {
namespace {

using nlohmann::json;

json list_json(const std::optional<std::vector<std::string>>& list) { return list ? json(*list) : json(); }

std::optional<std::vector<std::string>> list_of(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<std::vector<std::string>>());
}

// What the process wrote, which may be more than is held in memory; the file goes.
Result<std::string> whole_output(const Captured& output) {
  if (output.file.empty()) return output.head;
  RealFileSystem files;
  auto text = files.read(output.file, limits::kOutputOnDisk);
  std::error_code gone;
  std::filesystem::remove(output.file, gone);
  if (!text) return text.error();
  return text->value_or(std::string{});
}

Error error_of(const ProcessResult& ended, const std::string& output) {
  if (ended.end == ProcessResult::End::cancelled) return {"it was not waited for", {}};
  if (ended.end == ProcessResult::End::timed_out) {
    return {"no answer within " + to_string(limits::kGitRemoteTimeout), "see that it can be reached: git ls-remote there says more"};
  }
  const auto said = json::parse(output, nullptr, false);
  if (said.is_object() && said.contains("message") && said.contains("cure")) return {said["message"].get<std::string>(), said["cure"].get<std::string>()};
  if (ended.end == ProcessResult::End::signalled) {
    return {"the process that asked it was ended by signal " + std::to_string(ended.code - 128), "it may have sent more references than fit into 1 GiB: git ls-remote there says more"};
  }
  return {"the process that asked it ended with status " + std::to_string(ended.code), "git ls-remote there says more"};
}

}  // namespace

std::string to_text(const RemoteRequest& request) {
  return write_json({{"url", request.url},
                     {"username", request.credentials.username},
                     {"token", request.credentials.token},
                     {"ssh_key", request.credentials.ssh_key},
                     {"branches", list_json(request.wanted.branches)},
                     {"tags", list_json(request.wanted.tags)}});
}

Result<RemoteRequest> remote_request_from_text(const std::string& text) {
  try {
    const auto value = json::parse(text);
    return RemoteRequest{value.at("url"), {value.at("username"), value.at("token"), value.at("ssh_key")}, {list_of(value.at("branches")), list_of(value.at("tags"))}};
  } catch (const json::exception&) {
    return Error{"no request on standard input", "this is how hark asks itself; git ls-remote is for people"};
  }
}

ChildRemoteReader::ChildRemoteReader(ProcessSpawner& spawner, const Clock& clock, std::string program, std::filesystem::path scratch)
    : spawner_(spawner), clock_(clock), program_(std::move(program)), scratch_(std::move(scratch)) {}

Result<RemoteRefs> ChildRemoteReader::read(const RemoteRequest& request, std::stop_token stop) {
  if (auto made = make_private_folder(scratch_); !made) return made.error();
  Command command;
  command.argv = {program_, "ls-remote"};
  command.containment.environment.inherit = true;  // it is hark itself: proxies, agents and certificates are meant for it
  command.input = to_text(request);
  command.output_stem = (scratch_ / ("answer-" + std::to_string(next_++))).string();
  auto ended = spawner_.run(command, clock_.now().steady + limits::kGitRemoteTimeout, std::move(stop));
  if (!ended) return ended.error();
  const auto output = whole_output(ended->output);
  if (!output) return output.error();
  const bool succeeded = ended->end == ProcessResult::End::exited && ended->code == 0;
  return succeeded ? from_lines(*output) : error_of(*ended, *output);
}

}  // namespace hark
