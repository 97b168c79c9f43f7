#include "runtime/journal/journal_store.hpp"
#include "runtime/journal/sqlite.hpp"

#include "tests/runtime/journal/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

using namespace lathe;
using namespace lathe::test;
using runtime::journal_store;
using runtime::sqlite_database;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;

namespace {

class journal_store_failure : public temporary_folder {
protected:
  std::filesystem::path file() const {
    return folder / "journal.sqlite";
  }

  journal_store open() {
    auto result = journal_store::open_or_create(file());
    EXPECT_TRUE(result) << sentence(result);
    return std::move(*result);
  }

  // Runs SQL on the journal as somebody with a sqlite3 shell would.
  void execute(const char* sql) {
    sqlite_database database;
    ASSERT_EQ(database.open(file().string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE),
              SQLITE_OK);
    ASSERT_EQ(database.execute(sql), SQLITE_OK) << sqlite3_errmsg(database.handle());
  }
};

// While this lives, a process of root has the rights of nobody.
struct ordinary_user {
  ordinary_user() : before(geteuid()) {
    if (before == 0)
      static_cast<void>(!seteuid(65534));
  }

  ~ordinary_user() {
    static_cast<void>(!seteuid(before));
  }

  uid_t before;
};

// SQLite's own stand-in for a full disk: connections may not grow a file beyond so many pages.
struct small_disk {
  static inline sqlite3* last_opened = nullptr;

  static int on_open(sqlite3* database, const char**, const void*) {
    last_opened = database;
    return SQLITE_OK;
  }

  small_disk() {
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(&on_open));
  }

  ~small_disk() {
    sqlite3_reset_auto_extension();
  }

  static void limit(const char* pragma) {
    ASSERT_EQ(sqlite3_exec(last_opened, pragma, nullptr, nullptr, nullptr), SQLITE_OK);
  }
};

} // namespace

TEST_F(journal_store_failure, a_file_that_is_no_database_is_named_and_left_alone) {
  std::string text(5000, 'x');
  write_file(file(), text);
  auto store = journal_store::open_or_create(file());
  EXPECT_TRUE(failed_with(store, errc::user_error));
  EXPECT_EQ(sentence(store), file().string() + " is not a journal of Lathe");
  EXPECT_EQ(read_file(file()), text);
}

TEST_F(journal_store_failure, somebody_elses_database_is_named_and_left_alone) {
  execute("create table customer (name text)");
  auto before = read_file(file());
  for (const auto& store : {journal_store::open_or_create(file()).error(),
                            journal_store::open_read_only(file()).error()})
    EXPECT_THAT(describe(store), EndsWith("is an SQLite file, but not a journal of Lathe"));
  EXPECT_EQ(read_file(file()), before);
}

TEST_F(journal_store_failure, a_newer_format_asks_for_that_version) {
  ASSERT_TRUE(journal_store::open_or_create(file()));
  execute("update meta set value = '2' where key = 'format'");
  auto expected = file().string()
                  + " was written by a newer Lathe (format 2, this one reads 1); use that version";
  EXPECT_EQ(sentence(journal_store::open_or_create(file())), expected);
  EXPECT_EQ(sentence(journal_store::open_read_only(file())), expected);
}

TEST_F(journal_store_failure, a_damaged_file_says_how_to_save_what_is_left) {
  {
    auto store = open();
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(store.append({make_record("a", "one", std::string(2000, 'x'))}));
  }
  auto bytes = read_file(file());
  bytes.replace(5 * 4096, bytes.size() - 5 * 4096, bytes.size() - 5 * 4096, '\xee');
  write_file(file(), bytes);
  auto store = journal_store::open_or_create(file());
  ASSERT_TRUE(store) << sentence(store);
  EXPECT_THAT(sentence(store->read_events()), AllOf(HasSubstr("damaged"), HasSubstr(".recover")));
}

TEST_F(journal_store_failure, a_folder_that_is_not_there_is_named) {
  auto store = journal_store::open_or_create(folder / "none" / "journal.sqlite");
  EXPECT_TRUE(failed_with(store, errc::environment_error));
  EXPECT_THAT(sentence(store), AllOf(HasSubstr("none/journal.sqlite cannot be opened"),
                                     HasSubstr("check that the folder is there")));
  auto reader = journal_store::open_read_only(file());
  EXPECT_EQ(sentence(reader), file().string() + " does not exist; is this the folder of a run?");
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(journal_store_failure, a_read_only_folder_is_read_and_not_written) {
  ASSERT_TRUE(open().append({make_record("a", "one")}));
  std::filesystem::permissions(file(), std::filesystem::perms{0444});
  std::filesystem::permissions(folder, std::filesystem::perms{0555});
  {
    ordinary_user user;
    if (geteuid() == 0)
      GTEST_SKIP() << "root writes everywhere, and cannot be anybody else here";
    auto store = journal_store::open_or_create(file());
    EXPECT_TRUE(failed_with(store, errc::environment_error)) << sentence(store);
    auto reader = journal_store::open_read_only(file());
    ASSERT_TRUE(reader) << sentence(reader);
    EXPECT_EQ(reader->read_events()->size(), 1u);
  }
  std::filesystem::permissions(folder, std::filesystem::perms{0755});
}

TEST_F(journal_store_failure, a_full_disk_keeps_what_was_there_and_goes_on_once_there_is_space) {
  small_disk disk;
  auto store = open();
  auto first = make_content("first");
  ASSERT_EQ(*store.append({make_record("a", "one")}, {first}), 1);
  disk.limit("pragma max_page_count = 12");
  auto large = make_content(std::string(100'000, 'x'));
  auto result = store.append({make_record("a", "two"), make_record("a", "three")}, {large});
  EXPECT_TRUE(failed_with(result, errc::environment_error));
  EXPECT_EQ(sentence(result), "the disk that holds " + file().string() + " is full");
  EXPECT_EQ(store.read_events()->size(), 1u);
  EXPECT_FALSE(store.content(large.hash)->has_value());
  EXPECT_EQ(store.content(first.hash)->value(), "first");
  disk.limit("pragma max_page_count = 1000");
  EXPECT_EQ(*store.append({make_record("a", "two")}, {large}), 2);
}

TEST_F(journal_store_failure, a_file_that_another_process_keeps_locked_is_named) {
  small_disk connections;
  auto store = open();
  connections.limit("pragma busy_timeout = 0");
  sqlite_database other;
  ASSERT_EQ(other.open(file().string(), SQLITE_OPEN_READWRITE), SQLITE_OK);
  ASSERT_EQ(other.execute("begin immediate"), SQLITE_OK);
  auto result = store.append({make_record("a", "one")});
  EXPECT_TRUE(failed_with(result, errc::journal_failed));
  EXPECT_THAT(sentence(result), HasSubstr("is being written by another process"));
  ASSERT_EQ(other.execute("commit"), SQLITE_OK);
  EXPECT_EQ(*store.append({make_record("a", "one")}), 1);
}
