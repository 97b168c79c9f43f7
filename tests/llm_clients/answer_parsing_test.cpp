#include "llm_clients/answer_parsing.hpp"

#include "messages/error.hpp"

#include <gmock/gmock.h>

#include <random>

using namespace lathe;
using namespace lathe::llm_clients;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

namespace {

const std::string model = "import torch\n\nclass ModelNew(torch.nn.Module):\n    pass\n";

std::string code_in(std::string_view answer) {
  auto result = extract_code(answer);
  return result ? *result : "error: " + describe(result.error());
}

} // namespace

TEST(answer_parsing, code_comes_from_a_fenced_block_of_any_tag) {
  for (auto tag : {"", "python", "py", "python3", "Python", "{.python}", "text", "cuda"})
    EXPECT_EQ(code_in("Here:\n\n```" + std::string{tag} + "\n" + model + "```\nDone.\n"), model)
      << tag;
}

TEST(answer_parsing, of_several_blocks_the_last_with_the_model_counts) {
  auto first = "```python\nclass ModelNew: pass\n```\n";
  auto usage = "```python\n# a much longer block that shows how to use it\nmodel = "
               "ModelNew()\nprint(model(torch.ones(4096, 4096)))\n```\n";
  EXPECT_EQ(code_in(first + std::string{"Better:\n```python\n"} + model + "```\n" + usage), model);
}

TEST(answer_parsing, without_the_model_the_longest_python_block_counts) {
  EXPECT_EQ(code_in("```python\na = 1\n```\n```python\na = 1\nb = 2\n```\n```cpp\nint "
                    "much_longer_than_the_others = 1;\n```\n"),
            "a = 1\nb = 2\n");
}

TEST(answer_parsing, the_models_name_must_be_whole_and_begin_a_line) {
  EXPECT_EQ(code_in("```\n# class ModelNew goes here, and this comment is long\n```\n```\n" + model
                    + "```\n"),
            model);
  EXPECT_EQ(code_in("```\nclass ModelNewer:\n  def long_method(self): return 'a long text'\n"
                    "  def another(self): return 'and another'\n```\n```\n"
                    + model + "```\n"),
            model);
}

TEST(answer_parsing, line_ends_of_other_systems_become_line_feeds) {
  EXPECT_EQ(code_in("```python\r\na = 1\r\nb = 2\r\n```\r\n"), "a = 1\nb = 2\n");
  EXPECT_EQ(code_in("```python\ra = 1\r```\r"), "a = 1\n");
}

TEST(answer_parsing, a_cut_answer_gives_what_is_there) {
  EXPECT_EQ(code_in("Sure:\n```python\n" + model + "    def forward(self"),
            model + "    def forward(self\n");
}

TEST(answer_parsing, an_answer_without_a_fence_can_be_the_code) {
  EXPECT_EQ(code_in(model), model);
  EXPECT_EQ(code_in("Here is the code.\n\n" + model), model);
}

TEST(answer_parsing, reasoning_is_passed_over) {
  EXPECT_EQ(code_in("<think>\n```python\nclass ModelNew: ...\n```\n</think>\n```python\n" + model
                    + "```\n"),
            model);
}

TEST(answer_parsing, an_answer_without_code_says_so) {
  EXPECT_THAT(code_in(""), HasSubstr("the answer is empty"));
  EXPECT_THAT(code_in(" \r\n"), HasSubstr("the answer is empty"));
  EXPECT_THAT(code_in("I cannot do that."), HasSubstr("no Python code"));
  EXPECT_THAT(code_in("```\n\n```\n"), HasSubstr("no Python code"));
  EXPECT_THAT(code_in("```bash\npip install torch\n```\n"), HasSubstr("no Python code"));
  EXPECT_EQ(extract_code("none").error(), errc::bad_answer);
}

TEST(answer_parsing, ideas_come_from_json_in_any_dress) {
  auto ideas = ElementsAre("Fuse the norm", "Tile");
  EXPECT_THAT(extract_ideas(R"(["Fuse the\n norm", "Tile"])", 10), ideas);
  EXPECT_THAT(extract_ideas(R"({"ideas": ["Fuse the norm", "Tile"], "n": 2})", 10), ideas);
  EXPECT_THAT(extract_ideas("Sure:\n```json\n[\"Fuse the norm\", \"Tile\"]\n```\n", 10), ideas);
}

TEST(answer_parsing, ideas_that_are_no_strings_are_left_out) {
  EXPECT_THAT(extract_ideas(R"(["Fuse", 1, null, {"a": 1}, ""])", 10), ElementsAre("Fuse"));
}

TEST(answer_parsing, broken_json_falls_back_to_a_list) {
  EXPECT_THAT(extract_ideas("[\n- Fuse\n- Tile\n", 10), ElementsAre("Fuse", "Tile"));
}

TEST(answer_parsing, no_more_ideas_than_asked_for) {
  EXPECT_THAT(extract_ideas("1. a\n2. b\n3. c\n", 2), ElementsAre("a", "b"));
  EXPECT_THAT(extract_ideas("1. a\n", 0), IsEmpty());
}

TEST(answer_parsing, ideas_in_reasoning_do_not_count) {
  EXPECT_THAT(extract_ideas("<think>- maybe\n- or\n</think>\n- Fuse\n- Tile\n", 10),
              ElementsAre("Fuse", "Tile"));
}

// Random edits of a text with everything in it: must not crash, and must keep its promises.
TEST(answer_parsing, no_bytes_break_the_parsers) {
  const std::string whole =
    "<think>\n- a\n</think>\n1. **Fuse**\n   - x\n2) Tile\r\n• c\n```python\n"
    "s = r'''\n```\n'''\n"
    + model + "```\n~~~json\n[\"a\", \"b\\u00e4\"]\n~~~\n### End\n";
  const std::string pieces[] = {"```",
                                "~~~",
                                "\"\"\"",
                                "'''",
                                "\n",
                                "\r",
                                "\\",
                                "[",
                                "{\"a\":[",
                                "**",
                                "1.",
                                "- ",
                                "\xff",
                                "•",
                                "class ModelNew",
                                "</think>",
                                std::string(1, '\0')};
  for (unsigned seed = 0; seed < 3'000; ++seed) {
    std::mt19937 random{seed};
    auto text = whole;
    for (auto edits = 1 + random() % 8; edits > 0 && !text.empty(); --edits) {
      auto at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text.erase(at, 1 + random() % 40);
          break;
        case 1:
          text.insert(at, pieces[random() % std::size(pieces)]);
          break;
        case 2:
          text[at] = static_cast<char>(random());
          break;
        default:
          text.resize(at);
          break;
      }
    }
    EXPECT_THAT(extract_ideas(text, 3), SizeIs(testing::Le(3u))) << seed;
    auto code = extract_code(text);
    if (code)
      EXPECT_EQ(code->find('\r'), std::string::npos) << seed;
    else
      EXPECT_EQ(code.error(), errc::bad_answer) << seed;
  }
}
