#include "llm_clients/secret.hpp"

#include <gtest/gtest.h>

#include <sstream>

using lathe::llm_clients::secret;
using lathe::llm_clients::secret_list;

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

TEST(secret, an_escaped_key_is_a_key) {
  const secret odd{"sk-a/b\"c\\d+e=f"};
  for (auto text : {R"(sk-a/b"c\d+e=f)", R"(sk-a/b\"c\\d+e=f)", R"(sk-a\/b\u0022c\u005Cd+e=f)",
                    R"(\u0073\u006B\u002da/b"c\d+e=f)", "sk-a%2Fb%22c%5cd%2B%65%3df",
                    R"(sk-a\\/b\\\"c\\u005cd+e=f)"}) {
    EXPECT_EQ(odd.scrub(std::string{"<"} + text + "> <" + text + ">"), "<[secret]> <[secret]>");
    EXPECT_TRUE(odd.occurs_in(text)) << text;
  }
  EXPECT_EQ(key.scrub(R"({"a":"\n\"sk-0123456789\""})"), R"({"a":"\n\"[secret]\""})");
  for (auto text : {R"(sk-012345678\)", R"(sk-012345678%3)", R"(\u0073k-012345678)", R"(\u00)", "%",
                    R"(sk-012345678\u003)", R"(\\sk-012345678)"})
    EXPECT_EQ(key.scrub(text), text);
}

TEST(secret, of_several_the_longest_is_masked_first) {
  secret_list both{{key, secret{"sk-0123456789-more"}}};
  EXPECT_EQ(both.scrub("sk-0123456789-more, sk-0123456789"), "[secret], [secret]");
  EXPECT_TRUE(both.occur_in("sk-0123456789"));
  EXPECT_FALSE(both.occur_in("sk-01234567"));
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
