// Result<T>: a value, or an Error that says what happened and what to do about it.
//
// For what can happen in a correct program: a missing file, a taken port, a wrong configuration. A broken invariant is an
// assert; an exception of a library is caught where that library is called and becomes an Error there.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace hark {

struct Error {
  std::string message;  // what happened, where, what was expected; one line, no trailing period
  std::string cure;     // what the reader can do about it; may be empty

  // "message (cure)": the form for a log line or a terminal.
  std::string text() const { return cure.empty() ? message : message + " (" + cure + ")"; }
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}        // NOLINT(google-explicit-constructor)
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}    // NOLINT(google-explicit-constructor)

  bool ok() const { return held_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { assert(ok()); return *std::get_if<0>(&held_); }
  const T& value() const& { assert(ok()); return *std::get_if<0>(&held_); }
  T&& value() && { assert(ok()); return std::move(*std::get_if<0>(&held_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const { assert(!ok()); return *std::get_if<1>(&held_); }

 private:
  std::variant<T, Error> held_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { assert(failed_); return error_; }

 private:
  Error error_;
  bool failed_ = false;
};

using Status = Result<void>;

using Status = Result<void>;

}  // namespace hark
