#include "gpu/lease_log.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using gpu::lease_log;

TEST(lease_log, a_span_says_when_a_lease_was_asked_for_granted_and_given_back) {
  lease_log log{"cuda:1"};
  log.ask(4, {"mlp", lease_kind::exclusive, 7}, 10);
  log.grant(4, 9, 12.5);
  auto ended = log.end(9, 13, false);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->session, "mlp");
  auto& x = ended->span;
  EXPECT_EQ(x.device, "cuda:1");
  EXPECT_EQ(x.fence, 9u);
  EXPECT_EQ(x.kind, lease_kind::exclusive);
  EXPECT_EQ(x.priority, 7);
  EXPECT_EQ(x.asked, 10);
  EXPECT_EQ(x.granted, 12.5);
  EXPECT_EQ(x.released, 13);
  EXPECT_FALSE(x.reclaimed);
}

TEST(lease_log, a_lease_ends_once) {
  lease_log log{"cpu"};
  log.ask(1, {"a"}, 0);
  log.grant(1, 1, 0);
  EXPECT_TRUE(log.end(1, 1, true)->span.reclaimed);
  EXPECT_FALSE(log.end(1, 2, false));
}

TEST(lease_log, a_wait_that_ended_without_a_lease_has_no_span) {
  lease_log log{"cpu"};
  log.ask(1, {"a"}, 0);
  log.drop(1);
  log.grant(1, 1, 0);
  EXPECT_FALSE(log.end(1, 1, false));
}
