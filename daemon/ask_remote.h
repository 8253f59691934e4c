// What `hark ls-remote` does, the process that the daemon asks remote repositories by (sources/remote_reader.h).
#pragma once

#include <string>

namespace hark {

struct RemoteAnswer {
  bool succeeded = false;
  std::string text;  // the references, or why there are none
};

// `request`: as the daemon wrote it. Blocks for as long as the other side pleases.
RemoteAnswer ask_remote(const std::string& request);

}  // namespace hark
