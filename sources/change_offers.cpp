#include "sources/change_offers.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include <fcntl.h>

#include "core/backoff.h"
#include "core/change_json.h"
#include "core/limits.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "sources/folder_listing.h"
#include "sources/known_files.h"
#include "sources/marks.h"

namespace hark {

ChangeOffers::ChangeOffers(Options options, Tree tree, Loop& loop, const Clock& clock)
    : options_(std::move(options)),
      tree_(std::move(tree)),
      loop_(loop),
      clock_(clock),
      self_(std::make_shared<ChangeOffers*>(this)) {
  if (options_.still_for <= Duration::zero()) return;
  stable_.emplace(options_.still_for, [this](const std::string& path) -> std::optional<FileStamp> {
    const auto looked = look(AT_FDCWD, tree_.absolute(path).c_str());
    return looked.kind == EntryKind::file ? std::optional(looked.stamp) : std::nullopt;
  });
}
ChangeOffers::~ChangeOffers() = default;

void ChangeOffers::start(EventSink& sink) {
  sink_ = &sink;
  timer_ = loop_.timer();
  still_timer_ = loop_.timer();
  sort_out();
  if (!changes_.empty() || !refused_.empty()) set_timer({});
}

void ChangeOffers::stop() {
  sink_ = nullptr;
  timer_.reset();
  still_timer_.reset();
  gathering_ = pausing_ = false;
  refusals_ = 0;
}

void ChangeOffers::mark_rescan() { rescan_ = !changes().empty(); }

// Takes what was found: what has to stand still first waits with stable_.
void ChangeOffers::sort_out() {
  if (!stable_) return;
  const auto all = static_cast<std::size_t>(-1);
  stable_->add(found_.take(all, all), clock_.now().steady, changes_);
  if (const auto next = stable_->next()) still_timer_->at(*next, [this] { on_still(); });
}

void ChangeOffers::on_still() {
  stable_->tell(clock_.now().steady, changes_);
  end_turn();
}

void ChangeOffers::hand_over() {
  sort_out();
  if (stable_) stable_->tell_all(changes_);
  flush();
}

void ChangeOffers::set_timer(Duration in) {
  timer_->at(clock_.now().steady + in, [this] { on_timer(); });
}

void ChangeOffers::on_timer() {
  gathering_ = pausing_ = false;
  merge_refused();
  flush();
}

void ChangeOffers::end_turn() {
  sort_out();
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
  auto event = event_of(wanted, batch.rescan);
  if (options_.marks != nullptr) add_marks(batch.changes, event);
  if (wanted.empty()) {
    if (!event.marks.empty()) options_.marks->note_marks(options_.source, std::move(event.marks));
    return;
  }
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

void ChangeOffers::add_marks(const std::vector<Change>& changes, Event& event) const {
  for (const auto& change : changes) {
    if (change.kind == Change::Kind::rename) event.marks.emplace_back(change.from, std::string());
    const bool there = change.kind != Change::Kind::remove && tree_.knows(change.path);
    event.marks.emplace_back(change.path, there ? file_mark(tree_.stamp(change.path)) : std::string());
  }
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
