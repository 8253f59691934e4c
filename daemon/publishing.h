// What programs publish, as events: of hark's own form and of CloudEvents. Pure.
//
// What is made here has no id, no time of arrival and no place in a story yet: the engine gives it those, and who is known to have sent it
// is the caller's to say (published_by).
#pragma once

#include <string>
#include <string_view>

#include "core/event.h"
#include "core/result.h"
#include "sources/cloud_events.h"

namespace hark {

struct Publication {
  Event event;
  std::string publisher;  // as it calls itself; empty: it does not
  std::string id;         // its own of this event, with which it may send it again; empty: none
};

// {"event_type", "publisher", "topic", "subject", "data", "correlation_id", "causation_id", "ttl_seconds", "priority"}, all but the type
// optional; an empty text is no more than the type. `type`: where it is known from elsewhere, and then the text may leave it out.
Result<Publication> read_publication(std::string_view type, std::string text);
// With the extension attributes topic, correlationid, causationid, priority, ttl.
Result<Publication> read_publication(CloudEvent event);

// The id of a publication that its publisher named by a key: one of a type, so that a key used for two things loses none of them.
std::string keyed(std::string_view type, std::string_view key);
// The event as one of this publisher.
Event published_by(std::string_view publisher, Publication publication);

}  // namespace hark
