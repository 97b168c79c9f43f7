#include "gpu/claimed_cpus.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <vector>

using lathe::gpu::claimed_cpus;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

// Numbers that no machine has: nobody else claims them while this runs.
const std::vector<int> four{100'001, 100'002, 100'003, 100'004};

// The third is the fastest, then the fourth, ...
double probe(int cpu) {
  return std::abs(cpu - 100'003.4);
}

claimed_cpus fastest(std::size_t count) {
  return claimed_cpus::fastest(four, count, probe);
}

} // namespace

TEST(claimed_cpus, are_the_fastest) {
  EXPECT_THAT(fastest(1).numbers(), ElementsAre(100'003));
  EXPECT_THAT(fastest(3).numbers(), ElementsAre(100'003, 100'004, 100'002));
  EXPECT_THAT(claimed_cpus::fastest({}, 1, probe).numbers(), IsEmpty());
}

TEST(claimed_cpus, nobody_gets_what_another_has) {
  std::optional first{fastest(2)};
  EXPECT_THAT(fastest(1).numbers(), ElementsAre(100'002));
  first.reset();
  EXPECT_THAT(fastest(1).numbers(), ElementsAre(100'003)) << "free again";
}

TEST(claimed_cpus, where_somebody_times_nobody_probes) {
  auto first = fastest(2);
  std::vector<int> probed;
  auto second = claimed_cpus::fastest(four, 1, [&](int cpu) {
    probed.push_back(cpu);
    return probe(cpu);
  });
  EXPECT_THAT(probed, ElementsAre(100'001, 100'002));
}

TEST(claimed_cpus, where_there_are_not_enough_some_are_shared) {
  auto first = fastest(3);
  EXPECT_THAT(fastest(2).numbers(), ElementsAre(100'001, 100'002));
  EXPECT_EQ(fastest(9).numbers().size(), 4u);
  EXPECT_TRUE(fastest(1).are_all_claimed());
  EXPECT_FALSE(fastest(2).are_all_claimed());
  EXPECT_FALSE(claimed_cpus{}.are_all_claimed());
}

TEST(claimed_cpus, that_are_unused_are_as_many_as_there_are) {
  auto first = fastest(2);
  EXPECT_THAT(claimed_cpus::unused(four, 1).numbers(), ElementsAre(100'001));
  EXPECT_THAT(claimed_cpus::unused(four, 9).numbers(), ElementsAre(100'001, 100'002));
}
