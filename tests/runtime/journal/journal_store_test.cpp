#include "runtime/journal/journal_store.hpp"

#include "tests/runtime/journal/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::test;
using runtime::journal_store;
using testing::ElementsAre;
using testing::StartsWith;

namespace {

class journal_store_test : public temporary_folder {
protected:
  journal_store open() {
    auto result = journal_store::open_or_create(file());
    EXPECT_TRUE(result) << sentence(result);
    return std::move(*result);
  }

  std::filesystem::path file() const {
    return folder / "journal.sqlite";
  }
};

std::vector<std::string> kinds(const caf::expected<std::vector<journal_record>>& events) {
  EXPECT_TRUE(events) << sentence(events);
  std::vector<std::string> result;
  for (const auto& x : *events)
    result.push_back(x.kind);
  return result;
}

} // namespace

TEST_F(journal_store_test, gives_back_events_in_order_after_it_was_opened_again) {
  {
    auto store = open();
    EXPECT_EQ(*store.append({make_record("a", "one", R"({"x":1})", 1.25), make_record("", "two")}),
              2);
    EXPECT_EQ(*store.append({make_record("a", "three")}), 3);
  }
  auto events = open().read_events();
  ASSERT_TRUE(events);
  EXPECT_THAT(kinds(events), ElementsAre("one", "two", "three"));
  EXPECT_EQ(events->front().seq, 1);
  EXPECT_EQ(events->front().time, 1.25);
  EXPECT_EQ(events->front().session, "a");
  EXPECT_EQ(events->front().payload, R"({"x":1})");
  EXPECT_EQ(events->back().seq, 3);
}

TEST_F(journal_store_test, reads_what_is_new_and_what_belongs_to_a_session) {
  auto store = open();
  ASSERT_TRUE(store.append({make_record("a", "a1"), make_record("b", "b1"), make_record("a", "a2"),
                            make_record("", "run"), make_record("a", "a3")}));
  EXPECT_THAT(kinds(store.read_events(3)), ElementsAre("run", "a3"));
  EXPECT_THAT(kinds(store.read_events(0, "a")), ElementsAre("a1", "a2", "a3"));
  EXPECT_THAT(kinds(store.read_events(1, "a")), ElementsAre("a2", "a3"));
  EXPECT_THAT(kinds(store.read_events(0, "")), ElementsAre("run"));
  EXPECT_THAT(kinds(store.read_events(5)), ElementsAre());
}

TEST_F(journal_store_test, keeps_a_text_once_under_its_hash) {
  auto store = open();
  auto text = make_content("class ModelNew: ...");
  EXPECT_EQ(*store.append({}, {text, text}), 0);
  EXPECT_EQ(*store.append({make_record("a", "one")}, {text}), 1);
  EXPECT_EQ(store.content(text.hash)->value(), text.text);
  EXPECT_FALSE(store.content(content_hash("something else"))->has_value());
}

TEST_F(journal_store_test, keeps_every_byte_of_a_text) {
  auto store = open();
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte)
    bytes += static_cast<char>(byte);
  auto content = make_content(bytes);
  ASSERT_TRUE(store.append({make_record(bytes, bytes, bytes), make_record("", "", "")},
                           {content, make_content("")}));
  EXPECT_EQ(store.content(content.hash)->value(), bytes);
  EXPECT_EQ(store.content(content_hash(""))->value(), "");
  auto events = *store.read_events();
  EXPECT_EQ(events[0].session, bytes);
  EXPECT_EQ(events[0].kind, bytes);
  EXPECT_EQ(events[0].payload, bytes);
  EXPECT_EQ(events[1].payload, "");
  EXPECT_EQ(store.read_events(0, bytes)->size(), 1u);
}

TEST_F(journal_store_test, remembers_its_format_its_maker_and_what_it_is_told) {
  auto store = open();
  EXPECT_EQ(store.meta("format")->value(), "1");
  EXPECT_THAT(store.meta("created_by")->value(), StartsWith("lathe "));
  EXPECT_FALSE(store.meta("topology")->has_value());
  ASSERT_TRUE(store.set_meta("topology", "a"));
  ASSERT_TRUE(store.set_meta("topology", "b"));
  EXPECT_EQ(open().meta("topology")->value(), "b");
}

TEST_F(journal_store_test, is_read_while_another_connection_appends) {
  auto writer = open();
  ASSERT_TRUE(writer.append({make_record("a", "one")}));
  auto reader = journal_store::open_read_only(file());
  ASSERT_TRUE(reader) << sentence(reader);
  EXPECT_THAT(kinds(reader->read_events()), ElementsAre("one"));
  ASSERT_TRUE(writer.append({make_record("a", "two")}));
  EXPECT_THAT(kinds(reader->read_events(1)), ElementsAre("two"));
}

TEST_F(journal_store_test, a_reader_cannot_append) {
  ASSERT_TRUE(open().append({make_record("a", "one")}));
  auto reader = journal_store::open_read_only(file());
  ASSERT_TRUE(reader);
  EXPECT_TRUE(failed_with(reader->append({make_record("a", "two")}), errc::environment_error));
  EXPECT_FALSE(reader->set_meta("key", "value"));
  EXPECT_THAT(kinds(reader->read_events()), ElementsAre("one"));
}

TEST_F(journal_store_test, two_writers_take_turns) {
  auto first = open();
  auto second = open();
  EXPECT_EQ(*first.append({make_record("a", "one")}), 1);
  EXPECT_EQ(*second.append({make_record("a", "two")}), 2);
  EXPECT_EQ(*first.append({make_record("a", "three")}), 3);
  EXPECT_THAT(kinds(second.read_events()), ElementsAre("one", "two", "three"));
}

TEST_F(journal_store_test, is_one_file_once_it_is_closed) {
  ASSERT_TRUE(open().append({make_record("a", "one")}));
  std::filesystem::create_directory(folder / "copy");
  std::filesystem::copy_file(file(), folder / "copy" / "journal.sqlite");
  auto copy = journal_store::open_read_only(folder / "copy" / "journal.sqlite");
  ASSERT_TRUE(copy) << sentence(copy);
  EXPECT_THAT(kinds(copy->read_events()), ElementsAre("one"));
  EXPECT_FALSE(std::filesystem::exists(file().string() + "-wal"));
}

TEST_F(journal_store_test, a_sync_moves_what_was_appended_into_the_file_itself) {
  auto store = open();
  ASSERT_TRUE(store.append({make_record("a", "one")}));
  ASSERT_TRUE(store.sync());
  ASSERT_TRUE(store.append({make_record("a", "two")}));
  std::filesystem::copy_file(file(), folder / "copy.sqlite"); // without the write-ahead log
  EXPECT_THAT(kinds(journal_store::open_read_only(folder / "copy.sqlite")->read_events()),
              ElementsAre("one"));
}
