#include "tools/llm_server/answer.hpp"

#include <gtest/gtest.h>

#include <vector>

using namespace lathe::llm_server;

namespace {

std::vector<std::string> deltas(std::string text, std::size_t events) {
  answer x;
  x.text = std::make_shared<const std::string>(std::move(text));
  x.events = events;
  std::vector<std::string> result;
  for (std::size_t i = 0; i < events; ++i)
    result.emplace_back(delta_text(x, i));
  return result;
}

} // namespace

TEST(answer, a_text_is_cut_into_equal_parts) {
  EXPECT_EQ(deltas("abcdefgh", 4), (std::vector<std::string>{"ab", "cd", "ef", "gh"}));
  EXPECT_EQ(deltas("abc", 1), std::vector<std::string>{"abc"});
}

TEST(answer, no_character_is_cut) {
  EXPECT_EQ(deltas("äöü", 2), (std::vector<std::string>{"äö", "ü"}));
  std::string joined;
  for (auto& delta : deltas("日本語 text größe", 7)) {
    EXPECT_NE(static_cast<unsigned char>(delta[0]) & 0xC0, 0x80);
    joined += delta;
  }
  EXPECT_EQ(joined, "日本語 text größe");
}

TEST(answer, a_short_text_has_empty_deltas) {
  EXPECT_EQ(deltas("ab", 4), (std::vector<std::string>{"", "a", "", "b"}));
  EXPECT_EQ(deltas("", 2), (std::vector<std::string>{"", ""}));
}
