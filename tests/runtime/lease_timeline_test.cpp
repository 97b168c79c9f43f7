#include "runtime/lease_timeline.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using runtime::lease_timeline;

namespace {

lease_span span(lease_kind kind, std::uint64_t fence, double asked, double granted,
                double released) {
  return {"cuda:0", fence, kind, 0, asked, granted, released, false};
}

constexpr auto shared = lease_kind::shared;
constexpr auto exclusive = lease_kind::exclusive;

} // namespace

TEST(lease_timeline, a_second_under_two_shared_leases_is_one_second) {
  lease_timeline timeline;
  timeline.add(span(shared, 1, 0, 0, 4));
  timeline.add(span(shared, 2, 1, 2, 6));
  timeline.add(span(exclusive, 3, 2, 6, 7));
  timeline.add(span(shared, 4, 6, 8, 10));
  auto found = timeline.devices();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].device, "cuda:0");
  EXPECT_DOUBLE_EQ(found[0].wall, 10);
  EXPECT_DOUBLE_EQ(found[0].shared, 8);
  EXPECT_DOUBLE_EQ(found[0].exclusive, 1);
  EXPECT_DOUBLE_EQ(found[0].idle(), 1);
  EXPECT_EQ(found[0].leases, 4);
}

TEST(lease_timeline, exclusive_leases_have_a_median_and_a_longest) {
  lease_timeline timeline;
  timeline.add(span(exclusive, 1, 0, 0, 1));
  timeline.add(span(exclusive, 2, 0, 1, 6));
  timeline.add(span(exclusive, 3, 0, 6, 8));
  auto found = timeline.devices().front();
  EXPECT_EQ(found.exclusive_leases, 3);
  EXPECT_DOUBLE_EQ(found.median_exclusive, 2);
  EXPECT_DOUBLE_EQ(found.longest_exclusive, 5);
}

TEST(lease_timeline, leases_that_end_out_of_order_are_of_one_process) {
  lease_timeline timeline;
  timeline.add(span(shared, 2, 0, 1, 2));
  timeline.add(span(shared, 1, 0, 0, 5));
  EXPECT_DOUBLE_EQ(timeline.devices().front().wall, 5);
}

TEST(lease_timeline, the_night_before_a_run_is_taken_up_again_is_not_idle_time) {
  lease_timeline timeline;
  timeline.add(span(exclusive, 1, 0, 0, 1));
  timeline.add(span(exclusive, 2, 0, 1, 2));
  timeline.add(span(exclusive, 1, 40'000, 40'001, 40'003));
  auto found = timeline.devices().front();
  EXPECT_DOUBLE_EQ(found.wall, 5);
  EXPECT_DOUBLE_EQ(found.exclusive, 4);
  EXPECT_DOUBLE_EQ(found.idle(), 1);
}

TEST(lease_timeline, each_device_has_its_own_time) {
  lease_timeline timeline;
  timeline.add({"cuda:1", 1, shared, 0, 0, 0, 1, false});
  timeline.add({"cuda:0", 1, shared, 0, 0, 0, 2, false});
  auto found = timeline.devices();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].device, "cuda:0");
  EXPECT_EQ(found[1].device, "cuda:1");
  EXPECT_DOUBLE_EQ(found[1].wall, 1);
  EXPECT_TRUE(lease_timeline{}.devices().empty());
}
