// Retention: takes finished events out of the journal, oldest first, a small batch a call. Same thread rule as the connection.
#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "state/journal.h"
#include "state/sqlite.h"

namespace hark {

class JournalPrune {
 public:
  explicit JournalPrune(sqlite::Connection& connection);

  // As Journal::prune(). Keys of the dedupe window that ended before `now` (or `retention.before`, when that is later) go as well.
  Result<Journal::Pruned> run(const Retention& retention, std::size_t batch, WallTime now);

 private:
  using Sequences = std::vector<std::uint64_t>;
  Result<Sequences> candidates(const Retention& retention, std::size_t batch);
  Result<Sequences> expired(const Retention& retention, std::size_t batch);
  Result<Sequences> of_topic(const Retention& retention, const Retention::OfTopic& topic, std::size_t batch);
  Status remove(std::uint64_t event_sequence);
  Result<Journal::Pruned> remove_batch(const Retention& retention, std::size_t batch, WallTime now);
  Result<bool> give_back();  // whether something was

  sqlite::Connection& connection_;
  std::uint64_t looked_at_ = 0;  // events up to here were kept because they are not finished; starts over when the end is reached
  sqlite::Statement scan_;
  sqlite::Statement scan_expired_;
  sqlite::Statement scan_topic_;
  sqlite::Statement topic_beyond_;
  sqlite::Statement newest_;
  sqlite::Statement forget_;
  sqlite::Statement note_;
  sqlite::Statement steps_;
  sqlite::Statement attempts_;
  sqlite::Statement runs_;
  sqlite::Statement decisions_;
  sqlite::Statement event_;
  sqlite::Statement dedupe_;
  sqlite::Statement subscribers_;
  sqlite::Statement audit_;
};

}  // namespace hark
