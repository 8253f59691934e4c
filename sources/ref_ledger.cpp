#include "sources/ref_ledger.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "core/backoff.h"
#include "core/limits.h"
#include "core/payload.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "sources/marks.h"

namespace hark {
namespace {

// Where a reference stood when it was told last, and the number of its next movement.
std::string mark(const std::string& tip, std::uint64_t number) { return tip + " " + std::to_string(number); }

std::optional<std::pair<std::string, std::uint64_t>> read_mark(const std::string& text) {
  const auto blank = std::min(text.find(' '), text.size());
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  if (blank == text.size() || std::from_chars(text.data() + blank + 1, end, number).ptr != end) return std::nullopt;
  return std::pair(text.substr(0, blank), number);
}

}  // namespace

RefLedger::RefLedger(Of of, Loop& loop, const Clock& clock, Marks& marks) : of_(std::move(of)), loop_(loop), clock_(clock), marks_(marks) {}

RefLedger::~RefLedger() { end(); }

void RefLedger::begin(SourceHost& host, std::function<void()> released) {
  host_ = &host;
  released_ = std::move(released);
  life_ = std::make_shared<bool>(true);
  timer_ = loop_.timer();
  if (known_ != nullptr) known_ = std::make_shared<RefTips>(*known_);  // a reading of before may still be looking at the old one
}

void RefLedger::end() {
  if (life_ != nullptr) *life_ = false;
  life_.reset();
  timer_.reset();
  host_ = nullptr;
  timer_is_set_ = false;
  refusals_ = 0;
  unanswered_ = 0;
  held_.clear();
}

std::string RefLedger::whose() const {
  nlohmann::json whose = {{"repository", of_.repository}};
  if (of_.wanted.branches) whose["branches"] = *of_.wanted.branches;
  if (of_.wanted.tags) whose["tags"] = *of_.wanted.tags;
  return write_json(whose);
}

// What the mark without a name says was wanted; nullopt: nothing, or of another repository.
std::optional<WantedRefs> RefLedger::wanted_before(const std::string& whose) const {
  const auto before = nlohmann::json::parse(whose, nullptr, false);
  if (!before.is_object() || write_json(before.value("repository", nlohmann::json())) != write_json(of_.repository)) return std::nullopt;
  WantedRefs wanted;
  wanted.branches.reset();
  if (before.contains("branches")) wanted.branches = before["branches"].get<std::vector<std::string>>();
  if (before.contains("tags")) wanted.tags = before["tags"].get<std::vector<std::string>>();
  return wanted;
}

Status RefLedger::take_up(const RefTips& now, bool from_nothing) {
  const auto marks = marks_.marks_of(of_.source);
  if (!marks) return marks.error();
  const auto told = marks->find("");
  known_ = std::make_shared<RefTips>(now);
  if (const auto before = told == marks->end() ? std::nullopt : wanted_before(told->second)) {
    std::erase_if(*known_, [&](const auto& each) { return before->fits(each.first); });
    for (const auto& [ref, value] : *marks) {
      const auto known = read_mark(value);
      if (ref.empty() || !known || !of_.wanted.fits(ref)) continue;
      (*known_)[ref] = known->first;
      numbers_[ref] = known->second;
    }
    if (told->second == whose()) return {};
  } else if (from_nothing) {
    std::erase_if(*known_, [&](const auto& each) { return of_.wanted.fits(each.first); });
  }
  MarkSet all = {{"", whose()}};
  for (const auto& [ref, tip] : *known_) {
    if (of_.wanted.fits(ref)) all[ref] = mark(tip, number_of(ref));
  }
  marks_.replace_marks(of_.source, std::move(all));
  return {};
}

// From the time it was first met, so that a reference which is deleted and made again does not begin with numbers it had before.
std::uint64_t RefLedger::number_of(const std::string& ref) {
  return numbers_.try_emplace(ref, std::uint64_t(clock_.now().wall.time_since_epoch().count())).first->second;
}

void RefLedger::tell(std::vector<GitMovement> movements, bool all, WallTime noticed, std::function<void()> settled) {
  if (all) forget_unmoved(movements);
  settled_ = std::move(settled);
  unanswered_ = movements.size();
  const Life life = life_;
  for (const GitMovement& movement : movements) {
    offer(movement, noticed);
    if (!*life) return;
  }
  if (movements.empty()) settle();
}

void RefLedger::offer(const GitMovement& movement, WallTime noticed) {
  const auto number = number_of(movement.ref);
  offered_.insert(movement.ref);
  Event event;
  event.type = "git_push";
  event.source = of_.source;
  event.subject = movement.subject;
  event.time = noticed;
  event.data = movement.data;
  event.dedupe_key = "git/" + of_.source + "/" + movement.subject + "/" + movement.before + "/" + movement.after + "/" + std::to_string(number);
  event.marks = {{movement.ref, movement.after == kNoCommit ? std::string{} : mark(movement.after, number + 1)}};
  host_->offer(std::move(event), [this, life = life_, ref = movement.ref, after = movement.after](const Acceptance& acceptance) {
    if (*life) answered(ref, after, acceptance.taken());
  });
}

void RefLedger::answered(const std::string& ref, const std::string& after, bool taken) {
  if (!taken) {
    held_.insert(ref);
  } else {
    offered_.erase(ref);
    if (after == kNoCommit) {
      known_->erase(ref);
      numbers_.erase(ref);
    } else {
      (*known_)[ref] = after;
      ++numbers_[ref];
    }
  }
  if (--unanswered_ == 0) settle();
}

// All that was offered is answered.
void RefLedger::settle() {
  if (held_.empty()) {
    refusals_ = 0;
  } else if (!timer_is_set_) {
    timer_is_set_ = true;
    const Duration pause = Backoff{limits::kOfferRetryFirst, limits::kOfferRetryMax, 0}.pause(++refusals_, 0);
    timer_->at(clock_.now().steady + pause, [this] {
      timer_is_set_ = false;
      held_.clear();
      released_();
    });
  }
  settled_();
}

// A reference that is back where it is known to be: should it move again, that is another movement.
void RefLedger::forget_unmoved(const std::vector<GitMovement>& movements) {
  std::erase_if(offered_, [&](const std::string& ref) {
    const auto is_it = [&](const GitMovement& movement) { return movement.ref == ref; };
    if (held_.contains(ref) || std::any_of(movements.begin(), movements.end(), is_it)) return false;
    ++numbers_[ref];
    return true;
  });
}

}  // namespace hark
