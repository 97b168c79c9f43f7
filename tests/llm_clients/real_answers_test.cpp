// Answers as models write them, each with a habit of its own.
#include "llm_clients/answer_parsing.hpp"

#include "llm_clients/cut_answer.hpp"
#include "messages/error.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using namespace lathe::llm_clients;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

const std::string whole = "import torch\nimport torch.nn as nn\n\n\nclass ModelNew(nn.Module):\n"
                          "    def forward(self, x):\n        return torch.relu(x)\n";

const std::string other = "import torch\n\nclass ModelNew(torch.nn.Module):\n    pass\n";

std::string fenced(const std::string& code, const std::string& tag = "python") {
  return "```" + tag + "\n" + code + "```\n";
}

std::string code_in(const std::string& answer, bool cut = false) {
  auto result = extract_code(answer, cut);
  return result ? *result : "error: " + describe(result.error());
}

} // namespace

// -- which block ------------------------------------------------------------------------

TEST(real_answers, snippets_before_the_whole_file) {
  auto snippet = std::string{"class ModelNew(nn.Module):\n    def forward(self, x): ...\n"};
  EXPECT_EQ(code_in("First the kernel:\n\n" + fenced("@triton.jit\ndef kernel(x):\n    pass\n")
                    + "Then the class:\n\n" + fenced(snippet) + "Here is the whole file:\n\n"
                    + fenced(whole) + "It launches one kernel.\n"),
            whole);
}

TEST(real_answers, a_snippet_that_is_shown_once_more_behind_the_whole_file) {
  auto snippet = std::string{"class ModelNew(nn.Module):\n    def forward(self, x):\n"
                             "        return torch.relu(x)  # in place of two calls\n"};
  auto outline = std::string{"import torch\n\nclass ModelNew(nn.Module):\n"
                             "    # ... as above\n    def forward(self, x):\n        ...\n"};
  EXPECT_EQ(code_in(fenced(whole) + "The change is:\n" + fenced(snippet)), whole);
  EXPECT_EQ(code_in(fenced(whole) + "In short:\n" + fenced(outline)), whole);
}

TEST(real_answers, of_two_whole_files_the_corrected_one) {
  EXPECT_EQ(
    code_in(fenced(other) + "Wait, that drops the activation. Corrected:\n\n" + fenced(whole)),
    whole);
}

TEST(real_answers, a_patch_is_no_file) {
  auto patch = std::string{"--- a/model.py\n+++ b/model.py\n@@ -1,4 +1,4 @@\n import torch\n"
                           " class ModelNew(nn.Module):\n-    a\n+    b\n"};
  for (auto tag : {"diff", "patch", "", "python"})
    EXPECT_EQ(code_in(fenced(whole) + "As a patch:\n" + fenced(patch, tag)), whole) << tag;
  EXPECT_THAT(code_in(fenced(patch, "diff")), HasSubstr("no Python code"));
}

TEST(real_answers, a_file_cut_off_behind_a_whole_one) {
  auto answer = fenced(other) + "Better:\n```python\nimport torch\n\nclass ModelNew(nn.Mod";
  EXPECT_EQ(code_in(answer, true), other);
  auto forgotten = fenced(other) + "Better:\n```python\n" + whole;
  EXPECT_EQ(code_in(forgotten, false), whole) << "only its closing fence is missing";
  EXPECT_EQ(code_in("```python\n" + whole, true), whole) << "there is no other";
}

// -- fences -----------------------------------------------------------------------------

TEST(real_answers, markdown_in_a_longer_fence) {
  for (auto tag : {"markdown", "md", ""})
    EXPECT_EQ(code_in("````" + std::string{tag} + "\n# Plan\n\n" + fenced(whole) + "````\n"), whole)
      << tag;
  EXPECT_EQ(code_in("~~~markdown\n" + fenced(whole) + "~~~\n"), whole);
}

TEST(real_answers, markdown_in_a_fence_of_the_same_length) {
  EXPECT_EQ(code_in("```markdown\n## Answer\n\n" + fenced(whole) + "\nDone.\n```\n"), whole);
}

TEST(real_answers, tildes_and_long_fences) {
  EXPECT_EQ(code_in("~~~python\n" + whole + "~~~\n"), whole);
  EXPECT_EQ(code_in("`````py\n" + whole + "`````\n"), whole);
}

TEST(real_answers, a_fence_in_a_list_with_windows_newlines) {
  std::string indented;
  for (auto c : "1. The file:\n\n```python\n" + whole + "```\n")
    indented += c == '\n' ? std::string{"\r\n   "} : std::string(1, c);
  EXPECT_EQ(code_in(indented), whole);
}

TEST(real_answers, fences_with_titles) {
  for (auto tag : {"python title=\"model.py\"", "python:model.py", "{.python .numberLines}", " Py"})
    EXPECT_EQ(code_in(fenced(whole, tag)), whole) << tag;
}

TEST(real_answers, a_docstring_with_a_fence) {
  auto code = "\"\"\"Usage:\n\n```\nModelNew()(x)\n```\n\"\"\"\n" + whole;
  EXPECT_EQ(code_in("Here you are.\n" + fenced(code) + "Enjoy.\n"), code);
}

// -- no fence ---------------------------------------------------------------------------

TEST(real_answers, no_fence_but_words_around) {
  EXPECT_EQ(code_in("Here is the optimised model:\n\n" + whole
                    + "\nThis version fuses both calls:\n\n- one kernel\n- no copies\n\n"
                      "Explanation:\nIt saves memory traffic.\n"),
            whole);
}

TEST(real_answers, without_a_fence_code_is_not_taken_for_words) {
  auto code = whole + "\nmodel = ModelNew()\n\nif __name__ == '__main__':\n    model(1)\n"
              + "\nSOURCE = '''\n\nThe kernel adds both.\n'''\n";
  EXPECT_EQ(code_in(code), code);
}

TEST(real_answers, the_class_in_words_alone) {
  EXPECT_THAT(code_in("The\nclass ModelNew should fuse both calls, and I would start there.\n"),
              HasSubstr("no Python code"));
}

// -- JSON -------------------------------------------------------------------------------

TEST(real_answers, code_in_json) {
  auto code = R"(import torch\n\nclass ModelNew(torch.nn.Module):\n    pass\n)";
  auto object = R"({"explanation": "uses class ModelNew", "code": ")" + std::string{code} + "\"}";
  EXPECT_EQ(code_in(object), other);
  EXPECT_EQ(code_in("[" + object + "]"), other);
  EXPECT_EQ(code_in(fenced(object + "\n", "json")), other);
  EXPECT_EQ(code_in(fenced(object + "\n", "")), other);
  EXPECT_EQ(code_in("Here is the answer: " + object + " Good luck!"), other);
}

TEST(real_answers, files_in_json) {
  EXPECT_EQ(
    code_in(R"({"files": [{"path": "model.py", "content": )"
            R"("import torch\r\n\r\nclass ModelNew(torch.nn.Module):\r\n    pass\r\n"}, )"
            R"({"path": "try.py", "content": "from model import ModelNew\nModelNew()\n"}]})"),
    other);
}

TEST(real_answers, a_fence_in_json) {
  EXPECT_EQ(code_in(R"({"answer": "Fused.\n```python\nimport torch\n\n)"
                    R"(class ModelNew(torch.nn.Module):\n    pass\n```\n"})"),
            other);
}

TEST(real_answers, json_whose_texts_hold_line_breaks) {
  EXPECT_EQ(code_in("{\"code\": \"" + other + "\"}"), other);
  EXPECT_EQ(
    code_in("```json\n{\n  \"why\": \"a \\\"b\\\"\",\n  \"code\": \"" + other + "\"\n}\n```\n"),
    other);
}

TEST(real_answers, json_that_is_cut_is_no_code) {
  EXPECT_THAT(code_in(R"({"code": "import torch\n\nclass ModelNew(nn.Module):\n    de)", true),
              HasSubstr("no Python code"));
}

// -- reasoning --------------------------------------------------------------------------

TEST(real_answers, reasoning_with_code_in_it) {
  for (auto [begin, end] : {std::pair{"<think>", "</think>"},
                            {"<thinking>", "</thinking>"},
                            {"<reasoning>", "</reasoning>"},
                            {"[THINK]", "[/THINK]"},
                            {"", "</think>"}})
    EXPECT_EQ(code_in("\n" + std::string{begin} + "\nMaybe:\n" + fenced(whole) + end + "\n\n"
                      + fenced(other)),
              other)
      << begin;
}

TEST(real_answers, an_answer_that_is_reasoning_alone) {
  EXPECT_EQ(code_in("<think>\nOK.\n" + fenced(whole)), whole) << "it forgot to end it";
  EXPECT_EQ(code_in("<think>\nOK.\n" + fenced(whole) + "</think>\n"), whole);
}

TEST(real_answers, a_tag_of_reasoning_in_code_is_code) {
  auto code = whole + "# not <reasoning> but </reasoning>\n";
  EXPECT_EQ(code_in(fenced(code)), code);
}

// -- whether there is a whole one -------------------------------------------------------

TEST(real_answers, a_candidate_is_whole_with_its_last_fence) {
  auto answer = "Joined.\n" + fenced(whole);
  EXPECT_TRUE(has_whole_code(answer));
  EXPECT_TRUE(has_whole_code("<think>hm</think>" + answer));
  EXPECT_FALSE(has_whole_code(answer.substr(0, answer.size() - 1))) << "the line may go on";
  EXPECT_FALSE(has_whole_code("<think>" + answer)) << "it still thinks";
  EXPECT_FALSE(has_whole_code("<think>" + answer + "</think>\n")) << "it has only thought";
  EXPECT_TRUE(has_whole_code(fenced("{\"code\": \"" + whole + "\"}\n", "json")));
}

TEST(real_answers, a_snippet_is_no_whole_candidate) {
  EXPECT_FALSE(has_whole_code(fenced("class ModelNew(nn.Module):\n    pass\n")));
  EXPECT_FALSE(has_whole_code(fenced(whole + "    # ... the rest as before\n")));
}

// -- ideas ------------------------------------------------------------------------------

TEST(real_answers, ideas_as_objects) {
  auto ideas = ElementsAre("Fuse: One kernel.", "Tile: 64 by 64.");
  auto list = std::string{R"([{"title": "Fuse", "why": "One kernel.", "gain": 2},
                              {"title": "Tile", "why": "64 by\n 64."}])"};
  EXPECT_THAT(extract_ideas(list, 10), ideas);
  EXPECT_THAT(extract_ideas("```json\n{\"ideas\": " + list + "}\n```\n", 10), ideas);
  EXPECT_THAT(extract_ideas("Two ideas: " + list + " Good luck!", 10), ideas);
}

TEST(real_answers, ideas_that_hold_brackets) {
  EXPECT_THAT(extract_ideas("1. Replace x[\"a\"]\n2. Use blocks of [64, 64]\n", 10),
              ElementsAre("Replace x[\"a\"]", "Use blocks of [64, 64]"));
}

// -- what models that run away write ----------------------------------------------------

// What takes the square of the length would take hours.
TEST(real_answers, a_long_text_of_anything_is_read_in_its_time) {
  for (std::string piece : {"`", "```\n", "```python\n", "````md\n```py\n", "[", "{\"a\":[", "\"",
                            "\\\"", "\n", "\n\n", "- a\n", "class ModelNew", "class ModelNew(x):\n",
                            "</think>", "<think>", "x = \"\"\"\n```\n", "words are\n\n"}) {
    std::string text;
    while (text.size() < 1u << 18)
      text += piece;
    (void)extract_code(text);
    (void)has_whole_code("class ModelNew\n" + text);
    EXPECT_LE(extract_ideas(text, 3).size(), 3u);
    EXPECT_LE(join_parts(text, text).size(), 2 * text.size() + 2) << piece;
    EXPECT_LE(join_parts("```py\n" + text, text).size(), 2 * text.size() + 16) << piece;
  }
}
