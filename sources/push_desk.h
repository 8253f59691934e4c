// Where somebody who saw a push says so (a post-receive hook, over the control socket), to the sources that watch that repository. They
// look at once, and tell each of the moves that were said as one, where their own look would have come too late to see them apart.
//
// Nothing depends on it: what is said is checked against the repository, and what is not said is found by the watch.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/ref_move.h"

namespace hark {

// Loop thread only. Outlives its listeners.
class PushDesk {
 public:
  using Listener = std::function<void(const std::vector<RefMove>& moves)>;
  // Until the answer is let go.
  using Registration = std::shared_ptr<void>;
  Registration listen(const std::filesystem::path& repository, Listener listener);

  // How many were told. `repository`: the folder of its references, as all work trees have it in common.
  std::size_t tell(const std::filesystem::path& repository, const std::vector<RefMove>& moves);

 private:
  std::multimap<std::string, std::weak_ptr<Listener>> listeners_;
};

}  // namespace hark
