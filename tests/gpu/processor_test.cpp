#include "gpu/processor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using lathe::gpu::allowed_cpus;
using lathe::gpu::fastest_cpus;
using testing::IsSubsetOf;
using testing::SizeIs;

TEST(processor, of_no_more_than_are_wanted_nobody_is_asked) {
  EXPECT_EQ(fastest_cpus({100'001, 100'002}, 2), (std::vector<int>{100'001, 100'002}));
  EXPECT_EQ(fastest_cpus({}, 1), std::vector<int>{});
}

TEST(processor, the_fastest_are_among_those_that_were_named_and_who_asks_stays_where_it_was) {
  auto all = allowed_cpus();
  if (all.size() < 2)
    GTEST_SKIP() << "there is no choice here";
  auto found = fastest_cpus(all, 1);
  EXPECT_THAT(found, SizeIs(1));
  EXPECT_THAT(found, IsSubsetOf(all));
  EXPECT_EQ(allowed_cpus(), all);
}
