#include "gpu/neighbour_watch.hpp"

#include <gtest/gtest.h>

using namespace lathe::gpu;

namespace {

constexpr double calm = 13e-6;

} // namespace

TEST(neighbour_watch, an_idle_processor_counts_whatever_its_clock) {
  neighbour_watch watch;
  for (auto probe : {13e-6, 15.4e-6, 20.7e-6, 22e-6})
    EXPECT_TRUE(watch.counts(probe, calm)) << probe;
  EXPECT_EQ(watch.discarded(), 0u);
}

TEST(neighbour_watch, beside_a_neighbour_nothing_counts) {
  neighbour_watch watch;
  EXPECT_FALSE(watch.counts(30e-6, calm));
  EXPECT_FALSE(watch.counts(26e-6, calm));
  EXPECT_TRUE(watch.counts(15e-6, calm));
  EXPECT_EQ(watch.discarded(), 2u);
  EXPECT_FALSE(watch.has_given_up());
}

TEST(neighbour_watch, everything_counts_where_no_calm_processor_is_known) {
  neighbour_watch watch;
  EXPECT_TRUE(watch.counts(1, 0));
}

TEST(neighbour_watch, gives_up_where_neighbours_are_everywhere) {
  neighbour_watch watch;
  auto probes = 0;
  while (!watch.counts(40e-6, calm))
    ++probes;
  EXPECT_EQ(probes, 8);
  EXPECT_TRUE(watch.has_given_up());
  EXPECT_TRUE(watch.counts(40e-6, calm));
  EXPECT_TRUE(watch.counts(13e-6, calm));
  EXPECT_TRUE(watch.has_given_up()) << "what counted meanwhile was disturbed";
  EXPECT_EQ(watch.discarded(), 8u);
}

TEST(neighbour_watch, a_calm_moment_begins_a_new_row) {
  neighbour_watch watch;
  for (int i = 0; i < 7; ++i)
    EXPECT_FALSE(watch.counts(40e-6, calm));
  EXPECT_TRUE(watch.counts(calm, calm));
  for (int i = 0; i < 7; ++i)
    EXPECT_FALSE(watch.counts(40e-6, calm));
  EXPECT_FALSE(watch.has_given_up());
}

TEST(neighbour_watch, gives_up_where_they_come_again_and_again) {
  neighbour_watch watch;
  auto probes = 0;
  while (!watch.has_given_up()) {
    watch.counts(probes % 2 == 0 ? 40e-6 : calm, calm);
    ++probes;
  }
  EXPECT_EQ(watch.discarded(), 32u);
}
