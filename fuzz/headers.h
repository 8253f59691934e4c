// Headers as an input has them: "Name: value" a line, up to an empty one.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "platform/http.h"

// Takes them off the front of `input`.
inline void take_headers(std::string_view& input, hark::HttpHeaders& headers) {
  while (!input.empty()) {
    const auto end = std::min(input.find('\n'), input.size());
    const auto line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    if (line.empty()) break;
    const auto colon = line.find(": ");
    if (colon != line.npos) headers.add(std::string(line.substr(0, colon)), std::string(line.substr(colon + 2)));
  }
}
