#include "llm_clients/json_text.hpp"

#include <gtest/gtest.h>

using lathe::llm_clients::json_string;

TEST(json_text, quotes_backslashes_and_control_characters_are_escaped) {
  EXPECT_EQ(json_string("say \"hi\"\\\n\t\r\x01"), R"("say \"hi\"\\\n\t\r\u0001")");
}

TEST(json_text, characters_beyond_ascii_stay_as_they_are) {
  EXPECT_EQ(json_string("Größe ≤ 3 🙂"), "\"Größe ≤ 3 🙂\"");
}

TEST(json_text, bytes_that_are_not_utf8_are_replaced_one_by_one) {
  EXPECT_EQ(json_string("a\xff"
                        "b\xc3"),
            "\"a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\"");
  EXPECT_EQ(json_string("\xed\xa0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""); // a surrogate
}
