#include "llm_clients/markdown_blocks.hpp"

#include <gtest/gtest.h>

using namespace lathe::llm_clients;

TEST(markdown_blocks, blocks_are_returned_with_tag_and_text) {
  auto x = fenced_blocks("words\n```Python\na = 1\n```\nmore\n~~~ {.cpp}\nint a;\n~~~\n");
  ASSERT_EQ(x.size(), 2u);
  EXPECT_EQ(x[0].tag, "python");
  EXPECT_EQ(x[0].text, "a = 1\n");
  EXPECT_TRUE(x[0].closed);
  EXPECT_EQ(x[1].tag, "cpp");
  EXPECT_EQ(x[1].text, "int a;\n");
}

TEST(markdown_blocks, a_last_block_without_its_fence_is_open) {
  auto x = fenced_blocks("```python\na = 1\nb = (");
  ASSERT_EQ(x.size(), 1u);
  EXPECT_FALSE(x[0].closed);
  EXPECT_EQ(x[0].text, "a = 1\nb = (\n");
}

TEST(markdown_blocks, a_fence_in_a_triple_quoted_string_is_code) {
  auto code = std::string{"source = r\"\"\"\n// usage:\n```\nf<<<1, 1>>>();\n```\n\"\"\"\nx = 1\n"};
  auto x = fenced_blocks("```python\n" + code + "```\n");
  ASSERT_EQ(x.size(), 1u);
  EXPECT_EQ(x[0].text, code);
}

TEST(markdown_blocks, quotes_in_comments_and_short_strings_open_nothing) {
  auto code = std::string{"a = '\\'\"\"\"'  # it's \"\"\" here\nb = \"#\"\n"};
  auto x = fenced_blocks("```py\n" + code + "```\nwords \"\"\"\n```\nc\n```\n");
  ASSERT_EQ(x.size(), 2u);
  EXPECT_EQ(x[0].text, code);
}

TEST(markdown_blocks, a_string_that_never_ends_does_not_swallow_the_fence) {
  auto x = fenced_blocks("```python\na = \"\"\"oops\n```\nwords\n");
  ASSERT_EQ(x.size(), 1u);
  EXPECT_EQ(x[0].text, "a = \"\"\"oops\n");
  EXPECT_TRUE(x[0].closed);
}

TEST(markdown_blocks, a_longer_fence_holds_shorter_ones) {
  auto x = fenced_blocks("````\n```\ninner\n```\n````\n");
  ASSERT_EQ(x.size(), 1u);
  EXPECT_EQ(x[0].text, "```\ninner\n```\n");
}

TEST(markdown_blocks, a_tagged_fence_within_markdown_opens_its_own_block) {
  auto x = fenced_blocks("```markdown\n# Plan\n```python\na = 1\n```\n");
  ASSERT_EQ(x.size(), 2u);
  EXPECT_EQ(x[1].tag, "python");
  EXPECT_EQ(x[1].text, "a = 1\n");
}

TEST(markdown_blocks, the_indentation_of_a_list_item_is_taken_off) {
  auto x = fenced_blocks("1. Code:\n   ```python\n   def f():\n     pass\n   ```\n");
  ASSERT_EQ(x.size(), 1u);
  EXPECT_EQ(x[0].text, "def f():\n  pass\n");
}

TEST(markdown_blocks, code_within_a_line_is_no_fence) {
  EXPECT_TRUE(fenced_blocks("```a = 1``` is short\n").empty());
  EXPECT_TRUE(fenced_blocks("`` two ``\n").empty());
  EXPECT_TRUE(fenced_blocks("").empty());
}
