#pragma once

#include "messages/journal.hpp"
#include "runtime/journal/sqlite.hpp"

#include <caf/expected.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::runtime {

/// The journal of a run: one SQLite file. Blocks, and belongs to one thread at a time.
///
/// `event` holds what happened, in order, and is only ever appended to. `blob` holds the texts that
/// events name by their hash. `meta` holds the format's number, who made the file, and whatever
/// else a run wants to say about itself. Stock SQLite opens it.
class journal_store {
public:
  /// The format that this version writes, and the newest that it reads.
  static constexpr int format = 1;

  // -- opening ------------------------------------------------------------------------

  /// Opens the journal for appending; makes it when it is not there.
  static caf::expected<journal_store> open_or_create(const std::filesystem::path& file);

  /// Opens the journal for reading, also while a run appends to it.
  static caf::expected<journal_store> open_read_only(const std::filesystem::path& file);

  // -- writing ------------------------------------------------------------------------

  /// Appends all of it or nothing, and returns the sequence number of the last event in the
  /// journal. New records get consecutive numbers; theirs are ignored. A text that is there already
  /// is not written again. When this returns, a killed process loses none of it.
  caf::expected<std::int64_t> append(const std::vector<journal_record>& records,
                                     const std::vector<journal_content>& contents = {});

  caf::expected<void> set_meta(std::string_view key, std::string_view value);

  /// Waits until all that was appended is on the disk, where a power cut does not reach it.
  caf::expected<void> sync();

  // -- reading ------------------------------------------------------------------------

  /// Returns the events behind number `after`, oldest first, of one session or of all.
  caf::expected<std::vector<journal_record>>
  read_events(std::int64_t after = 0, const std::optional<session_id>& session = std::nullopt);

  /// Returns the text with this hash.
  caf::expected<std::optional<std::string>> content(std::string_view hash);

  caf::expected<std::optional<std::string>> meta(std::string_view key);

private:
  explicit journal_store(std::filesystem::path file);

  caf::error open(const std::string& name, int flags);
  caf::error check_identity();
  caf::error create();
  caf::error check_format();
  caf::error prepare();
  caf::expected<std::optional<std::string>> find(sqlite_statement& query, std::string_view key);
  caf::error failure(int code) const;

  std::filesystem::path file_;
  sqlite_database database_; // before the statements: they go first
  sqlite_statement insert_event_;
  sqlite_statement insert_blob_;
  sqlite_statement upsert_meta_;
  sqlite_statement select_last_;
  sqlite_statement select_events_;
  sqlite_statement select_session_events_;
  sqlite_statement select_blob_;
  sqlite_statement select_meta_;
};

} // namespace lathe::runtime
