#include "gpu/host_claim.hpp"

#include <gtest/gtest.h>

using lathe::gpu::claim_on_host;

TEST(host_claim, a_name_has_one_owner_until_that_lets_it_go) {
  auto first = claim_on_host("lathe-test-of-claims");
  ASSERT_TRUE(first);
  EXPECT_FALSE(claim_on_host("lathe-test-of-claims"));
  EXPECT_TRUE(claim_on_host("lathe-test-of-claims-2"));
  first.reset();
  EXPECT_TRUE(claim_on_host("lathe-test-of-claims"));
}

TEST(host_claim, long_names_are_told_apart_by_a_hundred_characters) {
  auto stem = std::string(99, 'x');
  auto first = claim_on_host(stem + "1");
  EXPECT_TRUE(claim_on_host(stem + "2"));
  EXPECT_FALSE(claim_on_host(stem + "1"));
}
