#include "llm_clients/idea_list_reader.hpp"

#include <gmock/gmock.h>

using lathe::llm_clients::one_line;
using lathe::llm_clients::read_idea_list;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(idea_list_reader, numbers_make_items) {
  EXPECT_THAT(read_idea_list("Ideas:\n\n1. Fuse\n2) Tile\n10. Cache\n\nGood luck!\n"),
              ElementsAre("Fuse", "Tile", "Cache"));
}

TEST(idea_list_reader, every_kind_of_bullet_makes_items) {
  EXPECT_THAT(read_idea_list("- a\n* b\n• c\n+ d\n"), ElementsAre("a", "b", "c", "d"));
}

TEST(idea_list_reader, lines_below_an_item_are_joined_to_it) {
  EXPECT_THAT(read_idea_list("1. **Fuse** the norm\n   into the\n\n   matmul\n2. Tile\n"),
              ElementsAre("Fuse the norm into the matmul", "Tile"));
}

TEST(idea_list_reader, bullets_below_numbers_are_details) {
  EXPECT_THAT(read_idea_list("1. Fuse\n- one pass\n- no copies\n2. Tile\n   - 64 by 64\n"),
              ElementsAre("Fuse one pass no copies", "Tile 64 by 64"));
}

TEST(idea_list_reader, nested_bullets_are_details) {
  EXPECT_THAT(read_idea_list("- Fuse\n  - one pass\n- Tile\n"),
              ElementsAre("Fuse one pass", "Tile"));
}

TEST(idea_list_reader, headings_make_items_with_all_below_them) {
  EXPECT_THAT(read_idea_list("**1. Fuse**\n\nOne kernel.\n\n- no copies\n\n**2. Tile**\nBlocks.\n"),
              ElementsAre("Fuse One kernel. no copies", "Tile Blocks."));
  EXPECT_THAT(read_idea_list("# Fuse\nOne kernel.\n# Tile\nBlocks.\n"),
              ElementsAre("Fuse One kernel.", "Tile Blocks."));
}

TEST(idea_list_reader, a_title_above_a_list_is_no_item) {
  EXPECT_THAT(read_idea_list("## Ideas\n\n- Fuse\n"), ElementsAre("Fuse"));
  EXPECT_THAT(read_idea_list("## Ideas\n\n1. Fuse\n2. Tile\n"), ElementsAre("Fuse", "Tile"));
}

TEST(idea_list_reader, figures_in_words_are_no_numbers) {
  EXPECT_THAT(read_idea_list("3.5x faster is likely\n2024.\tyear\n"), IsEmpty());
}

TEST(idea_list_reader, words_alone_are_no_list) {
  EXPECT_THAT(read_idea_list("I would fuse the two.\nThen tile.\n"), IsEmpty());
  EXPECT_THAT(read_idea_list(""), IsEmpty());
}

TEST(idea_list_reader, one_line_drops_marks_and_spaces) {
  EXPECT_EQ(one_line("  **Use**\tfloat16 \n ```python\nx\n``` "), "Use float16 x");
  EXPECT_EQ(one_line("**Use** **less memory**: now"), "Use less memory: now");
}

TEST(idea_list_reader, pythons_power_stays) {
  EXPECT_EQ(one_line("2 ** 3 * 4, x**2"), "2 ** 3 * 4, x**2");
}
