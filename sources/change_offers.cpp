#include "sources/change_offers.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/backoff.h"
#include "core/change_json.h"
#include "core/limits.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/loop.h"

namespace hark {

ChangeOffers::ChangeOffers(Options options, Tree tree, Loop& loop, const Clock& clock)
    : options_(std::move(options)),
      tree_(std::move(tree)),
      loop_(loop),
      clock_(clock),
      self_(std::make_shared<ChangeOffers*>(this)) {}
ChangeOffers::~ChangeOffers() = default;

void ChangeOffers::start(EventSink& sink) {
  sink_ = &sink;
  timer_ = loop_.timer();
  if (!changes_.empty() || !refused_.empty()) set_timer({});
}

void ChangeOffers::stop() {
  sink_ = nullptr;
  timer_.reset();
  gathering_ = pausing_ = false;
  refusals_ = 0;
}

void ChangeOffers::mark_rescan() { rescan_ = !changes_.empty(); }

void ChangeOffers::set_timer(Duration in) {
  timer_->at(clock_.now().steady + in, [this] { on_timer(); });
}

void ChangeOffers::on_timer() {
  gathering_ = pausing_ = false;
  merge_refused();
  flush();
}

void ChangeOffers::end_turn() {
  if (options_.gather <= Duration::zero()) return flush();
  if (changes_.empty() || gathering_ || pausing_) return;
  gathering_ = true;
  set_timer(options_.gather);
}

void ChangeOffers::flush() {
  while (sink_ != nullptr && !pausing_ && !changes_.empty()) {
    Batch batch{changes_.take(limits::kFilesPerEvent, limits::kFileNamesPerEvent), rescan_, again_};
    offer(std::move(batch));
  }
  if (changes_.empty()) rescan_ = again_ = false;
}

void ChangeOffers::offer(Batch batch) {
  if (batch.again) batch.changes = still_true(std::move(batch.changes));
  const auto wanted = only_kinds(batch.changes, options_.kinds);
  if (wanted.empty()) return;
  auto event = event_of(wanted, batch.rescan);
  sink_->offer(std::move(event), [alive = std::weak_ptr(self_), number = ++offers_,
                                  kept = std::make_shared<const Batch>(std::move(batch))](const Acceptance& acceptance) {
    if (const auto self = alive.lock()) (*self)->on_answer(acceptance, number, *kept);
  });
}

void ChangeOffers::on_answer(const Acceptance& acceptance, std::uint64_t number, const Batch& batch) {
  if (acceptance.taken()) {
    refusals_ = 0;
    return;
  }
  refused_.emplace(number, batch);
  if (sink_ == nullptr || pausing_) return;  // stopped: offered after the next start
  pausing_ = true;
  gathering_ = false;
  const Backoff backoff{2 * Duration(limits::kOfferRetryFirst), 2 * Duration(limits::kOfferRetryMax)};
  set_timer(backoff.pause(++refusals_, 0));  // half of these: exactly what the limits say, there is nobody to spread out from
}

// From the newest to the oldest, each going before what came after it.
void ChangeOffers::merge_refused() {
  for (auto batch = refused_.rbegin(); batch != refused_.rend(); ++batch) {
    changes_.put_back(batch->second.changes);
    rescan_ |= batch->second.rescan;
    again_ = true;
  }
  refused_.clear();
}

// A change may have been refused and a later one of the same file taken. What the tree contradicts is no longer told.
std::vector<Change> ChangeOffers::still_true(std::vector<Change> changes) const {
  std::erase_if(changes,
                [this](const Change& change) { return tree_.knows(change.path) == (change.kind == Change::Kind::remove); });
  return changes;
}

Event ChangeOffers::event_of(const std::vector<Change>& changes, bool rescan) const {
  auto files = nlohmann::json::array();
  auto list = nlohmann::json::array();
  for (const auto& change : changes) {
    files.push_back(tree_.absolute(change.path));
    list.push_back(to_json(change));
  }
  Event event;
  event.type = "file_change";
  event.source = options_.source;
  event.subject = changes.size() == 1 ? tree_.absolute(changes.front().path) : tree_.absolute("");
  event.time = clock_.now().wall;
  nlohmann::json data = {{"files", std::move(files)}, {"changes", std::move(list)}};
  add_name(data, "root", tree_.absolute(""));
  if (rescan) data["rescan"] = true;
  event.data = Payload(data);
  return event;
}

}  // namespace hark
