#include "gpu/respite.hpp"

#include <gtest/gtest.h>

using lathe::gpu::respite;
using namespace std::chrono_literals;

namespace {

constexpr respite::clock::time_point start{std::chrono::hours{1}};

} // namespace

TEST(respite_test, lasts_twice_as_long_each_time_up_to_a_limit) {
  respite x;
  for (auto length : {2s, 4s, 8s, 16s, 32s, 32s}) {
    x.begin(start);
    EXPECT_EQ(x.end(), start + length);
  }
  x.forget();
  x.begin(start);
  EXPECT_EQ(x.end(), start + respite::shortest);
}

TEST(respite_test, is_waited_for_until_somebody_stops_that) {
  respite x;
  EXPECT_FALSE(x.lasts());
  x.begin(respite::clock::now() - 10min);
  EXPECT_FALSE(x.lasts());
  x.wait([] { return false; });
  x.begin(respite::clock::now() + 10min);
  EXPECT_TRUE(x.lasts());
  auto asked = 0;
  x.wait([&] { return ++asked == 2; });
  EXPECT_EQ(asked, 2);
}
