// One output stream of a child on its way into a Captured: the head in memory, everything in a file once the head is full.
#pragma once

#include <optional>
#include <string>

#include "platform/output_file.h"
#include "platform/process.h"

namespace hark {

class Capture {
 public:
  // `file`: where the whole stream goes when it outgrows the memory's bound; empty: what does not fit is counted and lost.
  explicit Capture(std::string file) : file_name_(std::move(file)) {}

  void read_once(int pipe);  // one read(2); only call it when the pipe is readable, it is a blocking one
  void drain(int pipe);      // what stands in the pipe now, and no more: another writer may go on for ever

  Captured take() { return std::move(captured_); }
  const std::string& trouble() const { return trouble_; }  // one clause, empty when everything was kept

 private:
  std::size_t read_into_head_or_file(int pipe);
  void overflow(std::string_view bytes);

  Captured captured_;
  std::string file_name_;
  std::optional<OutputFile> file_;
  std::uint64_t in_file_ = 0;
  std::string trouble_;
};

}  // namespace hark
