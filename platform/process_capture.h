// One output stream of a child on its way into a Captured: the head in memory, everything in a file once the head is full. What is masked
// reaches neither.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/mask.h"
#include "platform/output_file.h"
#include "platform/process.h"

namespace hark {

class Capture {
 public:
  // `file`: where the whole stream goes when it outgrows the memory's bound; empty: what does not fit is counted and lost.
  Capture(std::string file, Mask mask) : stream_(std::move(mask)), file_name_(std::move(file)) {}

  void read_once(int pipe);  // one read(2); only call it when the pipe is readable, it is a blocking one
  void drain(int pipe);      // what stands in the pipe now, and no more: another writer may go on for ever

  Captured take();  // nothing is read after it
  const std::string& trouble() const { return trouble_; }  // one clause, empty when everything was kept; after take()

 private:
  std::size_t read_some(int pipe);
  void keep(std::string_view bytes);
  void overflow(std::string_view bytes);

  MaskedStream stream_;
  Captured captured_;
  std::string file_name_;
  std::optional<OutputFile> file_;
  std::uint64_t in_file_ = 0;
  std::string trouble_;
};

}  // namespace hark
