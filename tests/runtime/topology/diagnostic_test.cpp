#include "runtime/topology/diagnostic.hpp"

#include <gtest/gtest.h>

using namespace lathe::runtime;

TEST(diagnostic, a_mistake_in_a_file_begins_with_its_place) {
  EXPECT_EQ(to_string(diagnostic{"t.yaml", 14, 5, "wrong", "", false}), "t.yaml:14:5: wrong");
  EXPECT_EQ(to_string(diagnostic{"t.yaml", 0, 0, "wrong", "", false}), "t.yaml: wrong");
}

TEST(diagnostic, what_is_wrong_outside_the_file_ends_with_the_place_that_asks_for_it) {
  EXPECT_EQ(to_string(diagnostic{"t.yaml", 7, 14, "no key", "get one", true}),
            "no key (t.yaml:7)\nget one");
}

TEST(diagnostic, a_hint_that_several_share_is_printed_once_and_last) {
  std::vector<diagnostic> xs{{"t", 1, 1, "a", "hint", true}, {"t", 2, 1, "b", "hint", true}};
  EXPECT_EQ(to_string(xs), "a (t:1)\nb (t:2)\nhint\n");
}

TEST(diagnostic, mistakes_are_sorted_by_line_and_the_main_file_comes_first) {
  mistake_list mistakes;
  mistakes.add({"base.yaml", 1, 1}, "c");
  mistakes.add({"main.yaml", 9, 1}, "b");
  mistakes.add({"main.yaml", 2, 1}, "a");
  auto sorted = mistakes.sorted("main.yaml");
  ASSERT_EQ(sorted.size(), 3u);
  EXPECT_EQ(sorted[0].message + sorted[1].message + sorted[2].message, "abc");
}
