#include "gpu/claimed_cpus.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

using lathe::gpu::claimed_cpus;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

namespace {

// Numbers that no machine has: nobody else claims them while this runs.
const std::vector<int> four{100'004, 100'003, 100'002, 100'001};

} // namespace

TEST(claimed_cpus, the_best_ones_come_first) {
  EXPECT_THAT(claimed_cpus(four, 1).numbers(), ElementsAre(100'004));
  EXPECT_THAT(claimed_cpus(four, 2).numbers(), UnorderedElementsAre(100'003, 100'004));
}

TEST(claimed_cpus, nobody_gets_what_another_has) {
  std::optional<claimed_cpus> first{std::in_place, four, 2};
  claimed_cpus second{four, 1};
  EXPECT_THAT(second.numbers(), ElementsAre(100'002));
  first.reset();
  EXPECT_THAT(claimed_cpus(four, 1).numbers(), ElementsAre(100'004)) << "free again";
}

TEST(claimed_cpus, where_there_are_not_enough_some_are_shared) {
  claimed_cpus first{four, 3};
  claimed_cpus second{four, 2};
  EXPECT_THAT(second.numbers(), UnorderedElementsAre(100'001, 100'004));
  EXPECT_EQ(claimed_cpus(four, 9).numbers().size(), 4u);
}
