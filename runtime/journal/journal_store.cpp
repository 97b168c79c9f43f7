#include "runtime/journal/journal_store.hpp"

#include "messages/content_hash.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>

#include <cassert>
#include <cerrno>
#include <charconv>
#include <utility>

namespace lathe::runtime {

namespace fs = std::filesystem;

namespace {

// How long a write waits for another process, such as somebody's sqlite3 shell.
constexpr int busy_timeout = 5000; // [ms]

// WAL lets others read while a run writes. With synchronous = normal a commit is in the kernel's
// hands when it returns, so a killed process loses nothing; a power cut loses what came after the
// last `sync`, but never leaves a damaged file. Waiting for the disk in each commit costs
// milliseconds (7 on a cloud disk, 140 commits a second against 8000), and every step of a session
// waits for a commit.
constexpr auto settings = "pragma journal_mode = wal; pragma synchronous = normal";

constexpr auto schema = R"(
create table if not exists meta (
  key text primary key,
  value text not null
) without rowid;
create table if not exists event (
  seq integer primary key,   -- from 1, without gaps
  time real not null,        -- seconds since the epoch
  session text not null,     -- empty: the run's own
  kind text not null,
  payload text not null      -- JSON
);
create table if not exists blob (
  hash text primary key,     -- SHA-256 of data, hexadecimal
  data blob not null
);
-- A session reads its own events when it resumes.
create index if not exists event_session on event (session);
)";

// SQLite reads the part behind '?' as options.
std::string immutable_uri(const fs::path& file) {
  std::string result = "file:";
  for (auto c : file.string())
    if (c == '%' || c == '?' || c == '#')
      result += fmt::format("%{:02X}", c);
    else
      result += c;
  return result + "?immutable=1";
}

bool has_write_ahead_log(const fs::path& file) {
  std::error_code ignored;
  auto size = fs::file_size(file.string() + "-wal", ignored);
  return !ignored && size > 0;
}

bool is_disk_full(int code, int system_error) {
  return code == SQLITE_FULL || system_error == ENOSPC || system_error == EDQUOT;
}

journal_record read_record(const sqlite_statement& row) {
  return {row.integer(0), row.real(1), row.bytes(2), row.bytes(3), row.bytes(4)};
}

} // namespace

// -- opening --------------------------------------------------------------------------

caf::expected<journal_store> journal_store::open_or_create(const fs::path& file) {
  journal_store result{file};
  if (auto err = result.open(file.string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE))
    return err;
  // SQLite falls back to reading when the file may not be written.
  if (sqlite3_db_readonly(result.database_.handle(), "main") == 1)
    return result.failure(SQLITE_READONLY);
  if (auto err = result.check_identity())
    return err;
  if (auto code = result.database_.execute(settings); code != SQLITE_OK)
    return result.failure(code);
  if (auto err = result.create())
    return err;
  if (auto err = result.prepare())
    return err;
  return result;
}

caf::expected<journal_store> journal_store::open_read_only(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored))
    return make_error(
      errc::user_error,
      fmt::format("{} does not exist; is this the folder of a run?", file.string()));
  journal_store result{file};
  auto err = result.open(file.string(), SQLITE_OPEN_READONLY);
  if (!err)
    err = result.prepare();
  // In a folder that may not be written SQLite cannot make the files that coordinate readers with a
  // writer. Without a write-ahead log there is no writer.
  if (err == errc::environment_error && !has_write_ahead_log(file)) {
    err = result.open(immutable_uri(file), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    if (!err)
      err = result.prepare();
  }
  if (err)
    return err;
  return result;
}

journal_store::journal_store(fs::path file) : file_(std::move(file)) {
  // nop
}

caf::error journal_store::open(const std::string& name, int flags) {
  if (auto code = database_.open(name, flags); code != SQLITE_OK)
    return failure(code);
  sqlite3_busy_timeout(database_.handle(), busy_timeout);
  return {};
}

// A file that is not ours must not be changed, not even to WAL.
caf::error journal_store::check_identity() {
  sqlite_statement query;
  auto code = database_.prepare(query, "select count(*) from sqlite_schema");
  if (code != SQLITE_OK)
    return failure(code);
  if (code = query.step(); code != SQLITE_ROW)
    return failure(code);
  auto is_new = query.integer(0) == 0;
  return is_new ? caf::error{} : check_format();
}

caf::error journal_store::check_format() {
  sqlite_statement query;
  auto foreign = [this] {
    return make_error(
      errc::user_error,
      fmt::format("{} is an SQLite file, but not a journal of Lathe", file_.string()));
  };
  auto code = database_.prepare(query, "select value from meta where key = 'format'");
  if (code == SQLITE_ERROR) // no such table
    return foreign();
  if (code != SQLITE_OK)
    return failure(code);
  if (query.step() != SQLITE_ROW)
    return foreign();
  auto text = query.bytes(0);
  int found = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), found).ec != std::errc{})
    return foreign();
  if (found > format)
    return make_error(errc::user_error,
                      fmt::format("{} was written by a newer Lathe (format {}, this one reads {}); "
                                  "use that version",
                                  file_.string(), found, format));
  return {};
}

caf::error journal_store::create() {
  sqlite_transaction transaction{database_};
  auto code = transaction.begin();
  if (code == SQLITE_OK)
    code = database_.execute(schema);
  if (code == SQLITE_OK)
    code = database_.execute(fmt::format("insert or ignore into meta values ('format', '{}'), "
                                         "('created_by', 'lathe {}')",
                                         format, LATHE_VERSION)
                               .c_str());
  if (code == SQLITE_OK)
    code = transaction.commit();
  return code == SQLITE_OK ? caf::error{} : failure(code);
}

caf::error journal_store::prepare() {
  if (auto err = check_format())
    return err;
  // Writing is prepared in a reader too: SQLite refuses it when it is tried.
  for (auto [statement, sql] : {
         std::pair{&select_last_, "select coalesce(max(seq), 0) from event"},
         std::pair{&select_events_, "select seq, time, session, kind, payload from event "
                                    "where seq > ? order by seq"},
         std::pair{&select_session_events_, "select seq, time, session, kind, payload from event "
                                            "where seq > ? and session = ? order by seq"},
         std::pair{&select_blob_, "select data from blob where hash = ?"},
         std::pair{&select_meta_, "select value from meta where key = ?"},
         std::pair{&insert_event_, "insert into event (time, session, kind, payload) "
                                   "values (?, ?, ?, ?)"},
         std::pair{&insert_blob_, "insert or ignore into blob values (?, ?)"},
         std::pair{&upsert_meta_, "insert or replace into meta values (?, ?)"},
       })
    if (auto code = database_.prepare(*statement, sql); code != SQLITE_OK)
      return failure(code);
  return {};
}

// -- writing --------------------------------------------------------------------------

caf::expected<std::int64_t> journal_store::append(const std::vector<journal_record>& records,
                                                  const std::vector<journal_content>& contents) {
  sqlite_transaction transaction{database_};
  if (auto code = transaction.begin(); code != SQLITE_OK)
    return failure(code);
  for (const auto& x : contents) {
    assert(x.hash == content_hash(x.text));
    insert_blob_.bind_text(1, x.hash);
    insert_blob_.bind_blob(2, x.text);
    if (auto code = insert_blob_.run(); code != SQLITE_OK)
      return failure(code);
  }
  for (const auto& x : records) {
    insert_event_.bind(1, x.time);
    insert_event_.bind_text(2, x.session);
    insert_event_.bind_text(3, x.kind);
    insert_event_.bind_text(4, x.payload);
    if (auto code = insert_event_.run(); code != SQLITE_OK)
      return failure(code);
  }
  if (auto code = select_last_.step(); code != SQLITE_ROW)
    return failure(code);
  auto last = select_last_.integer(0);
  select_last_.reset();
  if (auto code = transaction.commit(); code != SQLITE_OK)
    return failure(code);
  return last;
}

caf::expected<void> journal_store::set_meta(std::string_view key, std::string_view value) {
  upsert_meta_.bind_text(1, key);
  upsert_meta_.bind_text(2, value);
  if (auto code = upsert_meta_.run(); code != SQLITE_OK)
    return failure(code);
  return {};
}

caf::expected<void> journal_store::sync() {
  if (auto code = database_.execute("pragma wal_checkpoint"); code != SQLITE_OK)
    return failure(code);
  return {};
}

// -- reading --------------------------------------------------------------------------

caf::expected<std::vector<journal_record>>
journal_store::read_events(std::int64_t after, const std::optional<session_id>& session) {
  auto& query = session ? select_session_events_ : select_events_;
  query.bind(1, after);
  if (session)
    query.bind_text(2, *session);
  std::vector<journal_record> result;
  auto code = query.step();
  for (; code == SQLITE_ROW; code = query.step())
    result.push_back(read_record(query));
  query.reset();
  if (code != SQLITE_DONE)
    return failure(code);
  return result;
}

caf::expected<std::optional<std::string>> journal_store::content(std::string_view hash) {
  return find(select_blob_, hash);
}

caf::expected<std::optional<std::string>> journal_store::meta(std::string_view key) {
  return find(select_meta_, key);
}

caf::expected<std::optional<std::string>> journal_store::find(sqlite_statement& query,
                                                              std::string_view key) {
  query.bind_text(1, key);
  auto code = query.step();
  std::optional<std::string> result;
  if (code == SQLITE_ROW)
    result = query.bytes(0);
  query.reset();
  if (code != SQLITE_ROW && code != SQLITE_DONE)
    return failure(code);
  return result;
}

// -- errors ---------------------------------------------------------------------------

caf::error journal_store::failure(int code) const {
  auto file = file_.string();
  auto reason = sqlite3_errmsg(database_.handle());
  code &= 0xff; // without SQLite's details
  if (is_disk_full(code, sqlite3_system_errno(database_.handle())))
    return make_error(errc::environment_error, fmt::format("the disk that holds {} is full", file));
  switch (code) {
    case SQLITE_NOTADB:
      return make_error(errc::user_error, fmt::format("{} is not a journal of Lathe", file));
    case SQLITE_CORRUPT:
      return make_error(errc::journal_failed,
                        fmt::format("{} is damaged ({}); copy out what can be read with: "
                                    "sqlite3 {} .recover",
                                    file, reason, file));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return make_error(
        errc::journal_failed,
        fmt::format("{} is being written by another process; wait for it or stop it", file));
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return make_error(errc::environment_error,
                        fmt::format("{} cannot be opened ({}); check that the folder is there and "
                                    "that you may write to it",
                                    file, reason));
    default:
      return make_error(errc::journal_failed, fmt::format("{} does not work: {}", file, reason));
  }
}

} // namespace lathe::runtime
