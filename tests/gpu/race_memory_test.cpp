#include "gpu/race_memory.hpp"

#include <gtest/gtest.h>

namespace lathe::gpu::testing {

namespace {

constexpr std::size_t kb = 1 << 10;
constexpr std::size_t mb = 1 << 20;
constexpr std::size_t gb = 1 << 30;

} // namespace

TEST(race_memory, small_inputs_are_all_held_and_a_score_of_outputs_kept) {
  race_memory small{16 * kb, 4 * kb, 16};
  EXPECT_EQ(small.inputs_held(), 16U);
  EXPECT_EQ(small.outputs_kept(), 20U);
  EXPECT_EQ(small.outputs_of_new_inputs(), 16U);
  EXPECT_EQ(small.bytes(), (15 * 16 + 20 * 4) * kb);
  EXPECT_FALSE(small.is_large());
}

TEST(race_memory, large_inputs_make_way_for_each_other) {
  EXPECT_EQ((race_memory{400 * mb, kb, 6}).inputs_held(), 2U);
  EXPECT_EQ((race_memory{300 * mb, kb, 6}).inputs_held(), 3U);
  race_memory large{gb, gb, 6};
  EXPECT_EQ(large.inputs_held(), 2U);
  EXPECT_EQ(large.outputs_kept(), 5U);
  EXPECT_EQ(large.outputs_of_new_inputs(), 4U);
  EXPECT_EQ(large.bytes(), 6 * gb);
  EXPECT_TRUE(large.is_large());
}

TEST(race_memory, fewer_of_larger_outputs_are_kept) {
  EXPECT_EQ((race_memory{kb, 64 * mb, 6}).outputs_kept(), 8U);
  EXPECT_FALSE((race_memory{kb, 64 * mb, 6}).is_large());
  EXPECT_TRUE((race_memory{kb, 400 * mb, 6}).is_large());
}

TEST(race_memory, judges_of_papers_have_one_draw) {
  EXPECT_EQ((race_memory{gb, kb, 1}).inputs_held(), 1U);
  EXPECT_EQ((race_memory{gb, kb, 1}).bytes(), 20 * kb);
  EXPECT_EQ((race_memory{gb, kb, 1}).outputs_of_new_inputs(), 1U);
}

TEST(race_memory, nothing_takes_nothing) {
  race_memory nothing{0, 0, 0};
  EXPECT_EQ(nothing.inputs_held(), 0U);
  EXPECT_EQ(nothing.bytes(), 0U);
}

} // namespace lathe::gpu::testing
