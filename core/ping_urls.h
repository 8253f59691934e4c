// Who is to be told of a handler's runs (reporters/pings.h). A plain value.
#pragma once

#include <string>

namespace hark {

struct PingUrls {
  std::string start, success, failure;  // called when a run begins, succeeds, fails; empty: none
  friend bool operator==(const PingUrls&, const PingUrls&) = default;
};

}  // namespace hark
