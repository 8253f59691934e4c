#include "sources/unsettled_files.h"

#include <doctest/doctest.h>

#include <vector>

using hark::SteadyTime;
using hark::UnsettledFiles;
using State = UnsettledFiles::State;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> tell(UnsettledFiles& files, SteadyTime now) {
  std::vector<std::string> told;
  files.tell(now, [&](const std::string& path, State state) { told.push_back((state == State::created ? "new " : "") + path); });
  return told;
}

using Names = std::vector<std::string>;
const SteadyTime t0{1h};

}  // namespace

TEST_CASE("unsettled files: a file that is written without pause is told at its moment, and again after the next write") {
  UnsettledFiles files;
  files.modified("log", t0 + 500ms);
  files.modified("log", t0 + 900ms);
  CHECK(files.next() == t0 + 500ms);
  CHECK(tell(files, t0 + 499ms).empty());
  CHECK(tell(files, t0 + 500ms) == Names{"log"});
  CHECK_FALSE(files.next());
  CHECK(tell(files, t0 + 10s).empty());
  files.modified("log", t0 + 11s);
  CHECK(tell(files, t0 + 11s) == Names{"log"});
  CHECK(files.take("log") == State::told);
  CHECK_FALSE(files.take("log"));
}

TEST_CASE("unsettled files: one found by a scan waits longer once it was seen to be created") {
  UnsettledFiles files;
  files.created("found", t0 + 50ms, false);
  files.created("seen", t0 + 50ms, false);
  files.created("seen", t0 + 500ms, true);
  CHECK(tell(files, t0 + 50ms) == Names{"new found"});
  CHECK_FALSE(files.state("found"));  // it may never be closed: nothing is kept of it
  CHECK(files.next() == t0 + 500ms);
  files.modified("seen", t0 + 600ms);
  CHECK(files.state("seen") == State::created);
  CHECK(tell(files, t0 + 500ms) == Names{"new seen"});
  CHECK(files.state("seen") == State::told);
}
