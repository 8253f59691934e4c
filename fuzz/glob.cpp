// A pattern and a path, with a line end between them.
#include "core/glob.h"

#include "fuzz/fuzz.h"

using namespace hark;

void fuzz(std::string_view input) {
  const auto end = input.find('\n');
  if (end == input.npos) return;
  const auto glob = Glob::parse(input.substr(0, end));
  if (!glob) return HOLDS(!glob.error().message.empty());
  const auto path = input.substr(end + 1);
  HOLDS(glob->matches(path) == glob->matches(path));
}
