#include "gpu/processor.hpp"

#include <gtest/gtest.h>

using lathe::gpu::allowed_cpus;
using lathe::gpu::seconds_of_probe;

TEST(processor, a_probe_takes_its_time_and_leaves_who_asks_where_it_was) {
  auto all = allowed_cpus();
  auto taken = seconds_of_probe(all.back());
  EXPECT_GT(taken, 0);
  EXPECT_LT(taken, 0.1);
  EXPECT_EQ(allowed_cpus(), all);
}
