#include "tools/llm_server/json_text.hpp"

#include <gtest/gtest.h>

using lathe::llm_server::json_escaped;

TEST(json_text, what_json_forbids_is_escaped_and_nothing_else) {
  EXPECT_EQ(json_escaped("a \"b\" \\ c\n\t\x01"), R"(a \"b\" \\ c\n\u0009\u0001)");
  EXPECT_EQ(json_escaped("Grüße/日本"), "Grüße/日本");
}
