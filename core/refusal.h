// A refusal: why what somebody brought was not taken, by a source or before any source saw it, while it was no event with an id. What
// `hark explain --refused` prints; the decisions on an event's way are in core/decision.h.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/time.h"

namespace hark {

struct Refusal {
  // A fixed few, as they are labels of a metric: it comes from where none may (403), who sent it is not known (401), the body is no data (400), too large (413) or of no
  // type that is read (415), too much of it (429), nobody could take it now (503); it breaks the rules of HTTP or does not come to its
  // end (400, 408), nothing takes it where it was sent (404, 405).
  enum class Cause { address, signature, body, size, type, rate, unavailable, request, path };

  WallTime time{};
  std::string source;    // empty: none was reached
  Cause cause = Cause::signature;
  std::string reason;    // one sentence with the deciding value: "signature: none of 2 secrets matched". Never a secret, nor what it makes
  std::string peer;      // the sender's address
  std::string delivery;  // what the sender calls it; anybody can say so. Empty: not given
};
std::string_view to_string(Refusal::Cause cause);

nlohmann::json to_json(const Refusal& refusal);

}  // namespace hark
