#include "gpu/processes/input_lock.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace lathe::gpu::testing {

namespace {

using bytes = std::vector<unsigned char>;

bytes counted(std::size_t size) {
  bytes result(size);
  std::iota(result.begin(), result.end(), static_cast<unsigned char>(1));
  return result;
}

bytes toggled(const input_key& x, const bytes& source) {
  bytes result(source.size());
  toggle_lock(x, source.data(), result.data(), source.size());
  return result;
}

} // namespace

// Known answers of Philox4x32-10, for a counter and a key of zeros.
TEST(input_lock, agrees_with_the_published_generator) {
  EXPECT_EQ(toggled({0, 0}, bytes(16)), (bytes{0xd5, 0xe8, 0x27, 0x66, 0x8d, 0xc5, 0x69, 0xe1, 0x4c,
                                               0xac, 0x57, 0xbc, 0xd8, 0xdb, 0x00, 0x9b}));
}

TEST(input_lock, what_is_locked_opens_with_its_own_key_alone) {
  auto key = input_key::random();
  for (std::size_t size : {0, 1, 15, 16, 17, 127, 128, 129, 1000, 4096, 100'003}) {
    auto open = counted(size);
    auto locked = toggled(key, open);
    EXPECT_EQ(toggled(key, locked), open) << size;
    if (size < 15)
      continue;
    EXPECT_NE(locked, open) << size;
    EXPECT_NE(toggled({key.key + 1, key.nonce}, locked), open) << size;
    EXPECT_NE(toggled({key.key, key.nonce + 1}, locked), open) << size;
  }
}

TEST(input_lock, memory_is_opened_in_place_and_nothing_beside_it_changes) {
  auto key = input_key::random();
  auto open = counted(300);
  auto memory = open;
  toggle_lock(key, memory.data(), memory.data(), 200);
  EXPECT_TRUE(std::equal(memory.begin() + 200, memory.end(), open.begin() + 200));
  toggle_lock(key, memory.data(), memory.data(), 200);
  EXPECT_EQ(memory, open);
}

TEST(input_lock, what_is_repeated_does_not_show) {
  auto locked = toggled(input_key::random(), bytes(1 << 20));
  std::vector<int> seen(256);
  for (auto x : locked)
    ++seen[x];
  EXPECT_GT(*std::ranges::min_element(seen), 3700); // 4096 of each, and ten standard deviations
  EXPECT_LT(*std::ranges::max_element(seen), 4740);
}

TEST(input_lock, a_key_is_the_same_when_it_is_read) {
  EXPECT_EQ((input_key{0xab, 0xfedcba9876543210}.text()), "00000000000000abfedcba9876543210");
  for (auto& key : {input_key::random(), input_key{}, input_key{1, 2}, input_key{~0UL, ~0UL}})
    EXPECT_EQ(input_key::from_text(key.text()), key);
  EXPECT_EQ(input_key::from_text(""), input_key{});
  EXPECT_EQ(input_key::from_text("no key"), input_key{});
}

TEST(input_lock, no_two_tensors_are_locked_alike) {
  auto key = input_key::random();
  EXPECT_EQ(key.of_tensor(0), key);
  EXPECT_NE(toggled(key.of_tensor(1), bytes(64)), toggled(key, bytes(64)));
}

} // namespace lathe::gpu::testing
