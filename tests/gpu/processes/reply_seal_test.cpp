#include "gpu/processes/reply_seal.hpp"

#include <gtest/gtest.h>

using lathe::gpu::reply_seal;

// The paper's key 00 01 .. 0f and its text 00 01 .. 0e.
TEST(reply_seal, agrees_with_the_published_example) {
  auto seal = reply_seal::from_text("07060504030201000f0e0d0c0b0a0908");
  std::string text;
  for (char c = 0; c < 15; ++c)
    text += c;
  EXPECT_EQ(seal.of(text), "a129ca6149be45e5");
}

TEST(reply_seal, a_message_opens_with_its_own_key_alone) {
  auto seal = reply_seal::random();
  auto message = seal.of("{\"id\": 1}") + "{\"id\": 1}";
  std::string_view opened = message;
  ASSERT_TRUE(reply_seal::from_text(seal.key_text()).open(opened));
  EXPECT_EQ(opened, "{\"id\": 1}");
  opened = message;
  EXPECT_FALSE(reply_seal::random().open(opened));
  EXPECT_EQ(opened, message);
}

TEST(reply_seal, a_message_that_was_changed_or_has_no_seal_does_not_open) {
  auto seal = reply_seal::random();
  for (auto message : {seal.of("abc") + "abd", seal.of("abc") + "abc ", std::string{"abc"},
                       std::string{}, seal.of("") + "x"}) {
    std::string_view opened = message;
    EXPECT_FALSE(seal.open(opened)) << message;
  }
}
