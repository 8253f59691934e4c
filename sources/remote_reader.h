// Asks remote repositories where they stand, each in a process of its own: what hangs is ended, what crashes takes nothing with it.
#pragma once

#include <atomic>
#include <filesystem>
#include <stop_token>
#include <string>

#include "core/result.h"
#include "sources/ls_remote.h"

namespace hark {

class Clock;
class ProcessSpawner;

struct RemoteRequest {
  std::string url;
  RemoteCredentials credentials;
  WantedRefs wanted;
};

// The request as the process gets it on its standard input, so that no secret stands in a list of processes; JSON.
std::string to_text(const RemoteRequest& request);
Result<RemoteRequest> remote_request_from_text(const std::string& text);

class RemoteReader {
 public:
  virtual ~RemoteReader() = default;
  // Blocks, at most limits::kGitRemoteTimeout; any thread. An error when `stop` is requested.
  virtual Result<RemoteRefs> read(const RemoteRequest& request, std::stop_token stop) = 0;
};

// The answers of `PROGRAM ls-remote`, which is hark itself. `scratch`: a folder of this process alone for answers that
// are large; made when needed.
class ChildRemoteReader final : public RemoteReader {
 public:
  ChildRemoteReader(ProcessSpawner& spawner, const Clock& clock, std::string program, std::filesystem::path scratch);
  Result<RemoteRefs> read(const RemoteRequest& request, std::stop_token stop) override;

 private:
  ProcessSpawner& spawner_;
  const Clock& clock_;
  const std::string program_;
  const std::filesystem::path scratch_;
  std::atomic<unsigned> next_ = 0;
};

}  // namespace hark
