// The known name that a misspelt one was probably meant to be. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hark {

// Empty when none is near: at most a third of the letters, and at least one, may be wrong, missing, added or swapped.
std::string nearest(std::string_view word, const std::vector<std::string>& known);
// The same as the end of a message: "; did you mean 'deploy'?", or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace hark
