#include "gpu/processes/call_guidance.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lathe::gpu::testing {

TEST(call_guidance, is_read_as_it_was_written) {
  for (auto use : {output_use::drawn, output_use::copied, output_use::kept})
    for (auto& key : {std::optional<input_key>{}, std::optional{input_key::random()}}) {
      auto text = R"({"key":")" + (key ? key->text() : "") + R"(","output":")"
                  + std::string{name_of(use)} + R"("})";
      auto found = parse_guidance(text);
      ASSERT_TRUE(found) << text;
      EXPECT_EQ(found->key, key);
      EXPECT_EQ(found->output, use);
    }
}

TEST(call_guidance, any_other_message_is_none) {
  for (auto text : {"", "{}", R"({"key":"","output":"lost"})", R"({"key":"","output":"kept")",
                    R"({"key":"12","output":"kept"})", R"({"key":""})", R"({"op":"time"})",
                    R"({"key":"00000000000000000000000000000000"})"})
    EXPECT_FALSE(parse_guidance(text)) << text;
}

} // namespace lathe::gpu::testing
