// A private file that is written once, from front to back: what a step printed beyond the memory's bound, event data that a
// command wants as a file. 0600, its folders 0700. Not thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "platform/descriptor.h"

namespace hark {

class OutputFile {
 public:
  static Result<OutputFile> create(const std::string& path);  // makes the folders that lack, replaces a file that is there
  Status write(std::string_view bytes);
  const std::string& path() const { return path_; }

 private:
  OutputFile(Descriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  Descriptor file_;
  std::string path_;
};

}  // namespace hark
