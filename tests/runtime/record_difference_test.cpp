#include "runtime/record_difference.hpp"

#include "tests/runtime/journal/temporary_folder.hpp"
#include "tests/runtime/recorded_run.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using namespace lathe::test;
using namespace lathe::runtime;
using testing::HasSubstr;

namespace {

std::optional<std::string> no_text(const std::string&) {
  return std::nullopt;
}

std::string between(const journal_record& recorded, const journal_record& now) {
  return difference({recorded, no_text}, {now, no_text});
}

class journals : public temporary_folder {
protected:
  journal_store recorded = std::move(*journal_store::open_or_create(folder / "recorded.sqlite"));
  journal_store now = std::move(*journal_store::open_or_create(folder / "now.sqlite"));

  std::string parting(std::size_t count) {
    auto result = compare_journals(recorded, now, count);
    return result ? *result : describe(result.error());
  }
};

} // namespace

TEST(record_difference, names_the_field_and_both_values) {
  auto told = between(issued("a", 3, "coder"), issued("a", 3, "fixer"));
  EXPECT_THAT(told, HasSubstr(R"(its 'target' differs: recorded "target":"coder",)"));
  EXPECT_THAT(told, HasSubstr(R"(now "target":"fixer",)"));
}

TEST(record_difference, names_both_kinds) {
  auto told = between(judged("a", 3), failed("a", 3, errc::timed_out, "too late"));
  EXPECT_THAT(told, HasSubstr("recorded verdict_received {"));
  EXPECT_THAT(told, HasSubstr("now request_failed {"));
}

TEST(record_difference, of_a_long_field_shows_the_place) {
  std::string same(500, 'x');
  auto told = between(judged("a", 3, same + "1"), judged("a", 3, same + "2"));
  EXPECT_THAT(told, HasSubstr("its 'evidence' differs"));
  EXPECT_THAT(told, HasSubstr("xxx1"));
  EXPECT_THAT(told, HasSubstr("xxx2"));
  EXPECT_LT(told.size(), 300u);
}

TEST(record_difference, a_quoted_key_in_a_text_is_no_field) {
  auto told = between(judged("a", 3, R"(he said "no": 1)"), judged("a", 3, R"(he said "no": 2)"));
  EXPECT_THAT(told, HasSubstr("its 'evidence' differs"));
}

TEST(record_difference, tells_texts_apart_that_records_name) {
  auto old_append = exchanged(question("a", 2), "x = 1\ny = 2");
  auto new_append = exchanged(question("a", 2), "x = 1\ny = 3");
  auto texts = [](const journal_append& append) {
    return [&append](const std::string& hash) -> std::optional<std::string> {
      for (auto& x : append.contents)
        if (x.hash == hash)
          return x.text;
      return std::nullopt;
    };
  };
  EXPECT_EQ(difference({old_append.records[0], texts(old_append)},
                       {new_append.records[0], texts(new_append)}),
            "the text of its 'answer' differs first in line 2: recorded \"y = 2\", now \"y = 3\"");
}

TEST_F(journals, that_differ_in_times_alone_do_not_part) {
  ASSERT_TRUE(recorded.append({at(1, started("a")), at(2, ended("a"))}));
  ASSERT_TRUE(now.append({at(8, started("a")), at(9, ended("a"))}));
  EXPECT_EQ(parting(2), "");
}

TEST_F(journals, part_at_the_first_event_that_differs) {
  ASSERT_TRUE(recorded.append({started("a"), issued("a", 1, "x"), ended("a")}));
  ASSERT_TRUE(now.append({started("a"), issued("a", 1, "y"), prepared("a")}));
  EXPECT_THAT(parting(3), HasSubstr("event 2 (request_issued of task 'a'): its 'target' differs"));
}

TEST_F(journals, part_where_one_of_them_ends) {
  ASSERT_TRUE(recorded.append({started("a"), ended("a")}));
  ASSERT_TRUE(now.append({started("a")}));
  EXPECT_EQ(parting(2), "event 2 (session_ended of task 'a'): it is not written now");
  EXPECT_EQ(parting(1), "");
  ASSERT_TRUE(now.append({ended("a"), ended("a")}));
  EXPECT_EQ(parting(2), "event 3 (session_ended of task 'a'): it is written now as well");
}
