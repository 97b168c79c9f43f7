#include "runtime/topology/units.hpp"

#include <gtest/gtest.h>

using namespace lathe::runtime;

TEST(units, durations_are_seconds_or_numbers_with_units) {
  EXPECT_EQ(parse_duration("90"), 90.0);
  EXPECT_EQ(parse_duration("90s"), 90.0);
  EXPECT_EQ(parse_duration("2m30s"), 150.0);
  EXPECT_EQ(parse_duration("12h"), 43'200.0);
  EXPECT_EQ(parse_duration("500ms"), 0.5);
  EXPECT_EQ(parse_duration("1.5h"), 5'400.0);
}

TEST(units, what_is_no_duration_reads_as_nothing) {
  for (auto text :
       {"", "s", "2m30", "12 h", "1y", "1..5s", "soon", "nan", "inf", "1e999", "2m30s "})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(units, sizes_are_bytes_or_numbers_with_units) {
  EXPECT_EQ(parse_size("4096"), 4'096);
  EXPECT_EQ(parse_size("8GiB"), std::int64_t{8} << 30);
  EXPECT_EQ(parse_size("1.5KiB"), 1'536);
  EXPECT_EQ(parse_size("8GB"), 8'000'000'000);
}

TEST(units, what_is_no_size_reads_as_nothing) {
  for (auto text : {"", "GiB", "8gib", "8GiB8", "99999999TiB", "99999999999999999999"})
    EXPECT_FALSE(parse_size(text)) << text;
}

TEST(units, money_may_carry_a_dollar_sign) {
  EXPECT_EQ(parse_money("$25"), 25.0);
  EXPECT_EQ(parse_money("0.31"), 0.31);
  EXPECT_FALSE(parse_money("25 EUR"));
}

TEST(units, whole_numbers_are_not_cut_short) {
  EXPECT_EQ(parse_integer("-3"), -3);
  EXPECT_FALSE(parse_integer("3.5"));
  EXPECT_FALSE(parse_integer("9223372036854775808"));
}
