// The tables of the journal, and how a file is found to be one. docs/formats.md describes them for readers.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "state/sqlite.h"

namespace hark {

inline constexpr std::int64_t kJournalApplicationId =
    0x6861726b;                                    // "hark", in the header of the file: `file` and we know it by that
inline constexpr std::int64_t kJournalSchema = 12;  // PRAGMA user_version

// Of which runs there is an index by state. SQLite uses it only for statements that say the same, word for word.
// Not IN (...): for that SQLite makes a table in memory in every statement that writes a run, a tenth of a millisecond each time.
inline constexpr const char* kUnhappy = "(r.state = 'failed' OR r.state = 'timed_out' OR r.state = 'cancelled' OR r.state = 'interrupted')";

enum class JournalKind {
  empty,    // nothing in it yet
  current,  // this schema
  older,    // one that migrate_journal() brings up to date
};

// Reads only. An Error for what is no journal, is damaged, or was written by a newer hark. `file` is for the text.
Result<JournalKind> inspect_journal(sqlite::Connection& connection, const std::string& file);

// Brings an empty or older journal up to date, in one transaction. Safe when another process does the same at once.
Status migrate_journal(sqlite::Connection& connection);

}  // namespace hark
