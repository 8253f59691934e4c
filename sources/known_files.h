// What is known of a tree, kept over restarts for `catch_up`: a mark a file (marks.h), written with the event that tells of the file. So
// a start finds exactly what was not told. The mark without a name says of which tree the rest is told.
#pragma once

#include <string>

#include "core/result.h"
#include "sources/file_table.h"

namespace hark {

class Marks;
class TreeSnapshot;

std::string file_mark(const FileStamp& stamp);

// Puts what is kept into the tree. False: nothing is kept of this one (`tree` says which it is), and nothing was put in.
Result<bool> load_known_files(Marks& marks, const std::string& source, const std::string& tree, TreeSnapshot& snapshot);
void keep_known_files(Marks& marks, const std::string& source, const std::string& tree, TreeSnapshot& snapshot);
// For a source that does not catch up (any more): what an earlier one kept would be older and older.
Status forget_known_files(Marks& marks, const std::string& source);

}  // namespace hark
