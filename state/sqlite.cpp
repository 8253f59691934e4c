#include "state/sqlite.h"

#include <sqlite3.h>

#include <mutex>

#include "platform/errno_text.h"

namespace hark::sqlite {
namespace {

std::string cure_of(int code, const std::string& file) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "free space on the file system of " + file;
    case SQLITE_IOERR:  // a quota and a limit on file sizes come as this, and often without the errno that would tell
      return "free space or raise the quota on the file system of " + file + ", or look for disk errors in the kernel's log (dmesg)";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process holds the journal: end what writes to it, or try again";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "move " + file + " away together with its -wal and -shm; `sqlite3 FILE .recover` may save what it holds";
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return "check that this user may write " + file + " and the folder it is in: the files -wal and -shm are made beside it";
    default:
      return "";
  }
}

Error make_error(const std::string& file, int code, const char* text, int system_error) {
  std::string message = file + ": " + text;
  if ((code & 0xff) == SQLITE_IOERR && system_error != 0) {
    message += " (" + errno_text(system_error) + ")";
  }
  return {std::move(message), cure_of(code, file)};
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& file, Mode mode, const std::string& vfs) {
  // Counting every allocation under one lock costs an insert 8 %, and nobody asks for the figures. Only before SQLite's first
  // use.
  static std::once_flag configured;
  std::call_once(configured, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });

  sqlite3* handle = nullptr;
  const int flags = (mode == Mode::read_write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
  // Made absolute, because SQLite would take a name that begins with "file:" for a URI.
  std::error_code failed;
  const std::string name = std::filesystem::absolute(file, failed).string();
  if (failed) return Error{"cannot find the folder of " + file.string() + ": " + failed.message(), ""};
  const int code = sqlite3_open_v2(name.c_str(), &handle, flags, vfs.empty() ? nullptr : vfs.c_str());
  if (code != SQLITE_OK) {
    auto error = make_error(name, code, handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code),
                            handle != nullptr ? sqlite3_system_errno(handle) : 0);
    sqlite3_close(handle);
    return error;
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  return std::unique_ptr<Connection>(new Connection(handle, name));
}

Connection::~Connection() { sqlite3_close(handle_); }

Status Connection::execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return error();
  return {};
}

Result<std::int64_t> Connection::integer(const std::string& sql) {
  Statement statement(*this, sql);
  auto rows = statement.query();
  const auto more = rows.next();
  if (!more) return more.error();
  return *more ? rows.integer(0) : 0;
}

Result<std::string> Connection::text(const std::string& sql) {
  Statement statement(*this, sql);
  auto rows = statement.query();
  const auto more = rows.next();
  if (!more) return more.error();
  return *more ? std::string(rows.text(0)) : std::string();
}

std::int64_t Connection::changes() const { return sqlite3_changes64(handle_); }
bool Connection::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
bool Connection::constraint_failed() const { return (sqlite3_errcode(handle_) & 0xff) == SQLITE_CONSTRAINT; }
Error Connection::error() const {
  return make_error(file_, sqlite3_extended_errcode(handle_), sqlite3_errmsg(handle_), sqlite3_system_errno(handle_));
}

Statement::~Statement() { sqlite3_finalize(handle_); }

void Statement::prepare() {
  failed_ = SQLITE_OK;
  if (handle_ != nullptr) return;
  failed_ = sqlite3_prepare_v3(connection_.handle_, sql_.c_str(), static_cast<int>(sql_.size()) + 1, SQLITE_PREPARE_PERSISTENT,
                               &handle_, nullptr);
}

// After a failed prepare the handle is null and every bind says MISUSE; the first failure is the one that is told.
void Statement::bind(int index, std::int64_t value) {
  const int code = failed_ != SQLITE_OK ? failed_ : sqlite3_bind_int64(handle_, index, value);
  if (code != SQLITE_OK) failed_ = code;
}
void Statement::bind(int index, double value) {
  const int code = failed_ != SQLITE_OK ? failed_ : sqlite3_bind_double(handle_, index, value);
  if (code != SQLITE_OK) failed_ = code;
}
void Statement::bind(int index, std::string_view value) {
  const int code = failed_ != SQLITE_OK ? failed_
                                        : sqlite3_bind_text64(handle_, index, value.data() != nullptr ? value.data() : "",
                                                              value.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (code != SQLITE_OK) failed_ = code;
}
void Statement::bind(int index, Blob value) {
  const int code = failed_ != SQLITE_OK
                       ? failed_
                       : sqlite3_bind_blob64(handle_, index, value.bytes.data() != nullptr ? value.bytes.data() : "",
                                             value.bytes.size(), SQLITE_STATIC);
  if (code != SQLITE_OK) failed_ = code;
}
void Statement::bind(int index, std::nullopt_t) {
  const int code = failed_ != SQLITE_OK ? failed_ : sqlite3_bind_null(handle_, index);
  if (code != SQLITE_OK) failed_ = code;
}

int Statement::step() { return failed_ != SQLITE_OK ? failed_ : sqlite3_step(handle_); }
void Statement::reset() { sqlite3_reset(handle_); }

Status Statement::run() {
  int code = step();
  while (code == SQLITE_ROW) code = sqlite3_step(handle_);
  if (code == SQLITE_DONE) {
    reset();
    return {};
  }
  // The error is read before the reset; the reset gives the same code again, so that constraint_failed() still holds after it.
  Error error = connection_.error();
  reset();
  return error;
}

Rows::~Rows() {
  if (statement_ != nullptr) statement_->reset();
}
Result<bool> Rows::next() {
  const int code = statement_->step();
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return statement_->connection_.error();
}
bool Rows::is_null(int column) const { return sqlite3_column_type(statement_->handle_, column) == SQLITE_NULL; }
std::int64_t Rows::integer(int column) const { return sqlite3_column_int64(statement_->handle_, column); }
double Rows::real(int column) const { return sqlite3_column_double(statement_->handle_, column); }
std::string_view Rows::text(int column) const {
  // column_blob gives the bytes of a TEXT as they were stored; column_text would add a terminator to each BLOB, by a copy.
  const void* bytes = sqlite3_column_blob(statement_->handle_, column);
  const int size = sqlite3_column_bytes(statement_->handle_, column);
  return bytes != nullptr ? std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size))
                          : std::string_view();
}

}  // namespace hark::sqlite
