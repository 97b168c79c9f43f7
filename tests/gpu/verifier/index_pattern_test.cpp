#include "gpu/verifier/index_pattern.hpp"

#include <gtest/gtest.h>

using lathe::verifier::describe_indexes;

namespace {

std::string describe(const std::vector<std::int64_t>& indexes, std::int64_t size) {
  return describe_indexes(indexes, size, {"row", "rows"});
}

} // namespace

TEST(index_pattern, single_entries_and_runs_are_named) {
  EXPECT_EQ(describe({5}, 10), "row 5");
  EXPECT_EQ(describe({9}, 10), "row 9 (the last)");
  EXPECT_EQ(describe({3, 4, 5}, 10), "rows 3 to 5");
  EXPECT_EQ(describe({8, 9}, 10), "rows 8 to 9 (the last 2)");
  EXPECT_EQ(describe({0, 1, 2}, 10), "rows 0 to 2 (the first 3)");
}

TEST(index_pattern, the_same_place_in_every_block_is_recognised) {
  EXPECT_EQ(describe({127, 255, 383, 511}, 512),
            "rows 127, 255, 383, 511 (the last row of every block of 128)");
  EXPECT_EQ(describe({0, 16, 32}, 48), "rows 0, 16, 32 (the first row of every block of 16)");
  EXPECT_EQ(describe({6, 7, 14, 15, 22, 23}, 24),
            "rows 6, 7, 14, 15, 22, 23 (the last 2 rows of every block of 8)");
  EXPECT_EQ(describe({3, 11, 19}, 24), "rows 3, 11, 19 (row 3 of every block of 8)");
  EXPECT_EQ(describe({3, 4, 11, 12}, 16), "rows 3, 4, 11, 12 (rows 3 to 4 of every block of 8)");
}

TEST(index_pattern, a_cut_off_last_block_does_not_hide_the_pattern) {
  EXPECT_EQ(describe({31, 63}, 70), "rows 31, 63 (the last row of every block of 32)");
}

TEST(index_pattern, long_lists_are_cut) {
  std::vector<std::int64_t> odd;
  for (int i = 1; i < 40; i += 2)
    odd.push_back(i);
  EXPECT_EQ(describe(odd, 40), "rows 1, 3, 5, 7, 9, 11, ... (the last row of every block of 2)");
}

TEST(index_pattern, a_block_that_is_left_out_breaks_the_pattern) {
  EXPECT_EQ(describe({31, 63, 127}, 128), "rows 31, 63, 127");
}

TEST(index_pattern, entries_all_over_the_place_have_no_description) {
  EXPECT_EQ(describe({1, 4, 5, 11, 19, 23, 24, 31}, 40), "");
}
