#include "gpu/processor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using lathe::gpu::allowed_cpus;
using lathe::gpu::by_speed;
using lathe::gpu::seconds_of_probe;
using testing::UnorderedElementsAreArray;

TEST(processor, where_there_is_no_choice_nobody_is_asked) {
  EXPECT_EQ(by_speed({100'001}), std::vector<int>{100'001});
  EXPECT_EQ(by_speed({}), std::vector<int>{});
}

TEST(processor, a_probe_takes_its_time_and_leaves_who_asks_where_it_was) {
  auto all = allowed_cpus();
  auto taken = seconds_of_probe(all.back());
  EXPECT_GT(taken, 0);
  EXPECT_LT(taken, 0.1);
  EXPECT_EQ(allowed_cpus(), all);
}

TEST(processor, all_are_put_in_order_and_who_asks_stays_where_it_was) {
  auto all = allowed_cpus();
  EXPECT_THAT(by_speed(all), UnorderedElementsAreArray(all));
  EXPECT_EQ(allowed_cpus(), all);
}
