#include "llm_clients/secret.hpp"

#include <gtest/gtest.h>

#include <sstream>

using lathe::llm_clients::secret;

namespace {

const secret key{"sk-0123456789"};

} // namespace

TEST(secret, it_never_prints_itself) {
  std::ostringstream out;
  out << key;
  EXPECT_EQ(out.str(), "[secret]");
  EXPECT_EQ(fmt::format("key {}", key), "key [secret]");
  EXPECT_EQ(to_string(key), "[secret]");
}

TEST(secret, every_occurrence_in_a_text_is_masked) {
  EXPECT_EQ(key.scrub("sk-0123456789 is wrong: 'sk-0123456789'"), "[secret] is wrong: '[secret]'");
}

TEST(secret, placeholders_are_not_masked) {
  EXPECT_EQ(secret{"none"}.scrub("none of this"), "none of this");
  EXPECT_EQ(secret{}.scrub("text"), "text");
}

TEST(secret, a_key_with_a_line_break_cannot_stand_in_a_header) {
  EXPECT_TRUE(key.sendable());
  EXPECT_TRUE(secret{}.sendable());
  EXPECT_FALSE(secret{"sk-0123\r\nX-Evil: 1"}.sendable());
  EXPECT_FALSE(secret{"sk-0123 "}.sendable());
}
