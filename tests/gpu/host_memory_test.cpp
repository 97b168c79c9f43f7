#include "gpu/host_memory.hpp"

#include <gtest/gtest.h>

namespace lathe::gpu::testing {

TEST(host_memory, is_read_as_the_kernel_writes_it) {
  auto found = parse_host_memory("MemTotal:       24605084 kB\nMemFree:         1000 kB\n"
                                 "MemAvailable:   20000000 kB\n");
  EXPECT_EQ(found.total, 24605084ull << 10);
  EXPECT_EQ(found.available, 20000000ull << 10);
  EXPECT_FALSE(found.is_short());
}

TEST(host_memory, is_short_when_little_is_left) {
  EXPECT_TRUE(parse_host_memory("MemTotal: 100 kB\nMemAvailable: 24 kB").is_short());
  EXPECT_FALSE(parse_host_memory("MemTotal: 100 kB\nMemAvailable: 25 kB").is_short());
}

TEST(host_memory, nothing_known_is_nothing_short) {
  EXPECT_FALSE(parse_host_memory("").is_short());
  EXPECT_FALSE(parse_host_memory("MemTotalled: 5 kB\nMemAvailable").is_short());
}

TEST(host_memory, of_this_host_is_known) {
  auto found = measure_host_memory();
  EXPECT_GT(found.available, 0u);
  EXPECT_GE(found.total, found.available);
}

} // namespace lathe::gpu::testing
