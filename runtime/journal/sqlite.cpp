#include "runtime/journal/sqlite.hpp"

namespace lathe::runtime {

namespace {

// SQLite takes a null pointer for NULL, but an empty view is an empty text.
const char* data_of(std::string_view x) {
  return x.data() ? x.data() : "";
}

} // namespace

// -- statement ------------------------------------------------------------------------

void sqlite_statement::bind(int parameter, std::int64_t x) {
  sqlite3_bind_int64(handle_.get(), parameter, x);
}

void sqlite_statement::bind(int parameter, double x) {
  sqlite3_bind_double(handle_.get(), parameter, x);
}

void sqlite_statement::bind_text(int parameter, std::string_view x) {
  sqlite3_bind_text64(handle_.get(), parameter, data_of(x), x.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void sqlite_statement::bind_blob(int parameter, std::string_view x) {
  sqlite3_bind_blob64(handle_.get(), parameter, data_of(x), x.size(), SQLITE_STATIC);
}

int sqlite_statement::step() {
  return sqlite3_step(handle_.get());
}

int sqlite_statement::run() {
  auto code = step();
  reset();
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

void sqlite_statement::reset() {
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
}

std::int64_t sqlite_statement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}

double sqlite_statement::real(int column) const {
  return sqlite3_column_double(handle_.get(), column);
}

std::string sqlite_statement::bytes(int column) const {
  auto data = sqlite3_column_blob(handle_.get(), column);
  auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column));
  return data ? std::string{static_cast<const char*>(data), size} : std::string{};
}

// -- database -------------------------------------------------------------------------

int sqlite_database::open(const std::string& file, int flags) {
  sqlite3* handle = nullptr;
  auto code = sqlite3_open_v2(file.c_str(), &handle,
                              flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  handle_.reset(handle); // a handle that failed to open still has the error's words
  return code;
}

int sqlite_database::execute(const char* sql) {
  return sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
}

int sqlite_database::prepare(sqlite_statement& statement, const char* sql) {
  sqlite3_stmt* handle = nullptr;
  auto code =
    sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  statement.handle_.reset(handle);
  return code;
}

// -- transaction ----------------------------------------------------------------------

sqlite_transaction::~sqlite_transaction() {
  if (open_) // fails when SQLite has rolled back by itself
    database_.execute("rollback");
}

int sqlite_transaction::begin() {
  auto code = database_.execute("begin immediate");
  open_ = code == SQLITE_OK;
  return code;
}

int sqlite_transaction::commit() {
  auto code = database_.execute("commit");
  open_ = code != SQLITE_OK;
  return code;
}

} // namespace lathe::runtime
