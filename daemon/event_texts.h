// An event as JSON on one line and without secrets, made once for all who are handed it in a row. Loop thread only.
#pragma once

#include <cstdint>
#include <string>

#include "core/event.h"

namespace hark {

class Secrets;

class EventTexts {
 public:
  explicit EventTexts(const Secrets& secrets) : secrets_(secrets) {}
  const std::string& of(const Event& event);  // good until the next call
  std::string line(std::string text) const;   // of any JSON

 private:
  const Secrets& secrets_;
  std::uint64_t sequence_ = 0;
  std::string text_;
};

}  // namespace hark
