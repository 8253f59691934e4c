// SQLite with owners: a connection, statements that are prepared once, and the rows of one execution. sqlite.cpp is the only file
// that includes sqlite3.h.
//
// A connection and its statements belong to one thread at a time (they are opened without SQLite's own locks). Statements must be
// destroyed before their connection. Every failure is an Error that names the file and, where one is known, the cure.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/result.h"
#include "core/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hark::sqlite {

class Connection {
 public:
  enum class Mode { read_write, read_only };  // neither makes the file
  // `vfs`: the name of a registered VFS; empty: SQLite's own.
  static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& file, Mode mode, const std::string& vfs = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Status execute(const std::string& sql);                // one or more statements; rows are thrown away
  Result<std::int64_t> integer(const std::string& sql);  // the first column of the first row; 0 when there is no row
  Result<std::string> text(const std::string& sql);

  std::int64_t changes() const;  // rows touched by the last statement
  bool in_transaction() const;
  bool constraint_failed() const;  // whether the last error was a constraint (a key that is there already)
  Error error() const;             // of the last call that failed

 private:
  friend class Statement;
  Connection(sqlite3* handle, std::string file) : handle_(handle), file_(std::move(file)) {}

  sqlite3* handle_;
  std::string file_;
};

// Bytes that need not be text: bound as BLOB.
struct Blob {
  std::string_view bytes;
};

class Statement;

// What one execution yields. Destroying it resets the statement, which ends its read transaction. Views are good until next().
class Rows {
 public:
  explicit Rows(Statement& statement) : statement_(&statement) {}
  Rows(Rows&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
  Rows& operator=(Rows&&) = delete;
  ~Rows();

  Result<bool> next();  // false: no more
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;  // of a TEXT or a BLOB

 private:
  Statement* statement_;
};

class Statement {
 public:
  // Prepared at first use, so that a connection pays only for what it does.
  Statement(Connection& connection, std::string sql) : connection_(connection), sql_(std::move(sql)) {}
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Binds the values to ?1, ?2, ... and runs to the end. Nothing is copied: text stays the caller's, and is not looked at after
  // the return, because every execution binds every parameter anew.
  template <class... Values>
  Status execute(const Values&... values) {
    bind_all(values...);
    return run();
  }
  // The same for what yields rows: the values must outlive the Rows.
  template <class... Values>
  Rows query(const Values&... values) {
    bind_all(values...);
    return Rows(*this);
  }

 private:
  friend class Rows;

  template <class... Values>
  void bind_all(const Values&... values) {
    prepare();
    int index = 0;
    (bind(++index, values), ...);
  }
  void bind(int index, std::int64_t value);
  void bind(int index, double value);
  void bind(int index, std::string_view value);
  void bind(int index, Blob value);
  void bind(int index, std::nullopt_t);
  void bind(int index, WallTime value) { bind(index, static_cast<std::int64_t>(value.time_since_epoch().count())); }
  void bind(int index, const std::string& value) { bind(index, std::string_view(value)); }
  void bind(int index, const char* value) { bind(index, std::string_view(value)); }
  template <std::integral Integer>
  void bind(int index, Integer value) {
    bind(index, static_cast<std::int64_t>(value));
  }
  template <class Value>
  void bind(int index, const std::optional<Value>& value) {
    value ? bind(index, *value) : bind(index, std::nullopt);
  }

  void prepare();
  Status run();
  int step();
  void reset();

  Connection& connection_;
  const std::string sql_;
  sqlite3_stmt* handle_ = nullptr;
  int failed_ = 0;  // what preparing or binding said first, told at the next step
};

}  // namespace hark::sqlite
