#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

// SQLite's C interface with owners. Result codes are SQLite's own; `journal_store` turns them into
// sentences.

namespace lathe::runtime {

/// A prepared statement. Parameters count from 1 and columns from 0, as in SQLite.
class sqlite_statement {
public:
  sqlite_statement() = default;

  /// Texts are not copied: they have to live until the next `step` or `run`.
  void bind(int parameter, std::int64_t x);
  void bind(int parameter, double x);
  void bind_text(int parameter, std::string_view x);
  void bind_blob(int parameter, std::string_view x);

  /// Returns SQLITE_ROW, SQLITE_DONE or an error.
  int step();

  /// Runs a statement that gives no rows and makes it ready to run again. Returns SQLITE_OK or an
  /// error.
  int run();

  /// Makes the statement ready to run again.
  void reset();

  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string bytes(int column) const;

private:
  friend class sqlite_database;

  struct finalize {
    void operator()(sqlite3_stmt* x) const noexcept {
      sqlite3_finalize(x);
    }
  };

  std::unique_ptr<sqlite3_stmt, finalize> handle_;
};

/// A connection, for one thread at a time. Outlives its statements.
class sqlite_database {
public:
  /// Opens `file`, a path or a `file:` URI; `flags` are SQLITE_OPEN_*.
  int open(const std::string& file, int flags);

  int execute(const char* sql);
  int prepare(sqlite_statement& statement, const char* sql);

  sqlite3* handle() const {
    return handle_.get();
  }

private:
  struct close {
    void operator()(sqlite3* x) const noexcept {
      sqlite3_close_v2(x);
    }
  };

  std::unique_ptr<sqlite3, close> handle_;
};

/// Takes back what was written since it was made, unless `commit` succeeds.
class sqlite_transaction {
public:
  explicit sqlite_transaction(sqlite_database& database) : database_(database) {
    // nop
  }

  sqlite_transaction(const sqlite_transaction&) = delete;
  sqlite_transaction& operator=(const sqlite_transaction&) = delete;
  ~sqlite_transaction();

  /// Waits for other writers.
  int begin();

  int commit();

private:
  sqlite_database& database_;
  bool open_ = false;
};

} // namespace lathe::runtime
