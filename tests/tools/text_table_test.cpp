#include "tools/lathe/judging/text_table.hpp"

#include <gtest/gtest.h>

using namespace lathe::judging;

TEST(text_table, columns_are_aligned_and_lines_have_no_blanks_at_the_end) {
  text_table table{{{"name"}, {"verdict", 10}, {"note"}}, 0};
  table.fit(0, "a_long_name.py", 20);
  EXPECT_EQ(table.header(), "name            verdict     note");
  EXPECT_EQ(table.line({"a.py", "correct", ""}), "a.py            correct");
  EXPECT_EQ(table.line({"a_long_name.py", "incorrect", "all off"}),
            "a_long_name.py  incorrect   all off");
}

TEST(text_table, the_last_column_takes_what_is_left_of_the_line) {
  text_table table{{{"name", 10}, {"note"}}, 40};
  EXPECT_EQ(table.line({"a.py", std::string(50, 'x')}),
            "a.py        " + std::string(27, 'x') + "…");
  text_table narrow{{{"name", 10}, {"note"}}, 12};
  EXPECT_EQ(characters(narrow.line({"a.py", std::string(50, 'x')})), 32u)
    << "some of it is shown on the narrowest terminal";
}

TEST(text_table, a_path_loses_its_beginning) {
  text_table table{{{"file", 0, true}, {"note"}}, 0};
  table.fit(0, "runs/one/level_1.py", 10);
  EXPECT_EQ(table.line({"runs/one/level_1.py", "x"}), "…evel_1.py  x");
}

TEST(text_table, characters_are_counted_not_bytes) {
  EXPECT_EQ(characters("größe · x"), 9u);
  EXPECT_EQ(shortened("größe", 4, false), "grö…");
  EXPECT_EQ(shortened("größe", 4, true), "…öße");
  EXPECT_EQ(shortened("größe", 5, true), "größe");
  EXPECT_EQ(shortened("größe", 0, true), "");
  text_table table{{{"a", 6}, {"b"}}, 0};
  EXPECT_EQ(table.line({"größe", "x"}), "größe   x");
}
