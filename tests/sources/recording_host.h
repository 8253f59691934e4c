// What a source offers and says, for tests that look at it one by one.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "platform/loop.h"
#include "sources/source.h"
#include "tests/support/kept_marks.h"

namespace hark::test {

class RecordingHost final : public SourceHost {
 public:
  explicit RecordingHost(Loop& loop) : loop_(loop) {}

  void offer(Event event, Answer answer) override {
    const bool take = refusals_left == 0 || (!refuse_only.empty() && event.subject != refuse_only);
    if (!take) --refusals_left;
    offered.push_back(event);
    if (take) {
      marks.note_marks(event.source, event.marks);
      taken.push_back(std::move(event));
    }
    if (hold_answers) return held_answers.push_back(std::move(answer));
    Acceptance acceptance;
    acceptance.outcome = take ? Acceptance::Outcome::accepted : Acceptance::Outcome::refused;
    loop_.post([answer = std::move(answer), acceptance] { answer(acceptance); });
  }
  void failed(Error error) override { failures.push_back(std::move(error)); }
  void degraded(Error error) override { degradations.push_back(std::move(error)); }
  void healthy() override { ++recoveries; }
  void when_ended(const std::string&, RunsEnded) override { FAIL("not expected"); }
  void refused(Refusal refusal) override { refusals.push_back(std::move(refusal)); }

  std::deque<Event> offered, taken;
  std::vector<Answer> held_answers;
  bool hold_answers = false;
  int refusals_left = 0;
  std::string refuse_only;  // a subject
  KeptMarks marks;
  std::vector<Refusal> refusals;
  std::vector<Error> failures, degradations;
  int recoveries = 0;

 private:
  Loop& loop_;
};

}  // namespace hark::test
