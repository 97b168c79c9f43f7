#include "llm_clients/cut_answer.hpp"

#include "llm_clients/answer_parsing.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using namespace lathe::llm_clients;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

const std::string code = "import torch\nimport torch.nn as nn\n\n\nclass ModelNew(nn.Module):\n"
                         "    def __init__(self):\n        super().__init__()\n\n"
                         "    def forward(self, x):\n        x = torch.relu(x)\n"
                         "        return x.sum(0)\n";

const std::string whole = "Fused.\n\n```python\n" + code + "```\nDone.\n";

llm_request question() {
  llm_request result;
  result.session = "mlp";
  result.request = 7;
  result.prompt = "make it fast";
  return result;
}

llm_answer answer(std::string text, std::string finish = "length") {
  llm_answer result;
  result.text = std::move(text);
  result.finish = std::move(finish);
  result.cost = {1, 100, 0, 50, 0.01};
  result.seconds = 2;
  return result;
}

bool goes_on(std::string text, std::string finish = "length") {
  return question_to_go_on(question(), answer(std::move(text), std::move(finish))).has_value();
}

std::string code_of(const std::string& first, const std::string& second) {
  auto result = extract_code(join_parts(first, second));
  return result ? *result : "nothing";
}

// All but what follows the end of `mark`, which is what was cut off.
std::string until(std::string_view mark) {
  return whole.substr(0, whole.find(mark) + mark.size());
}

std::string after(std::string_view mark) {
  return whole.substr(whole.find(mark) + mark.size());
}

} // namespace

// -- whether to ask ---------------------------------------------------------------------

TEST(cut_answer, what_was_cut_off_is_asked_for_in_the_same_conversation) {
  auto x = question_to_go_on(question(), answer(until("torch.re")));
  ASSERT_TRUE(x);
  EXPECT_EQ(x->session, "mlp");
  EXPECT_EQ(x->request, 7u);
  EXPECT_EQ(x->prompt, "make it fast");
  ASSERT_EQ(x->follow_ups.size(), 1u);
  EXPECT_EQ(x->follow_ups[0].answer, until("torch.re"));
  EXPECT_THAT(x->follow_ups[0].prompt, HasSubstr("Go on exactly where it stopped"));
}

TEST(cut_answer, only_what_was_cut_before_it_held_a_candidate_goes_on) {
  EXPECT_TRUE(goes_on(until("torch.re")));
  EXPECT_TRUE(goes_on("I would first fuse"));
  EXPECT_TRUE(goes_on(R"({"code": "import torch\n\nclass Mod)"));
  EXPECT_FALSE(goes_on(until("torch.re"), "stop"));
  EXPECT_FALSE(goes_on(whole)) << "it was cut in the words behind";
  EXPECT_FALSE(goes_on(until("x.sum(0)\n```"))) << "it was cut behind the last mark";
  EXPECT_FALSE(goes_on("")) << "all tokens went into thoughts";
  EXPECT_FALSE(goes_on(" \n"));
  EXPECT_FALSE(goes_on("<think>\nFirst fuse")) << "no server shows a model its thoughts again";
}

TEST(cut_answer, a_model_goes_on_once) {
  auto again = question_to_go_on(question(), answer(until("import torch.nn")));
  ASSERT_TRUE(again);
  EXPECT_FALSE(question_to_go_on(*again, answer(" as nn\n")));
}

TEST(cut_answer, a_model_is_not_shown_its_reasoning_again) {
  auto x = question_to_go_on(question(), answer("<think>fuse</think>" + until("torch.re")));
  ASSERT_TRUE(x);
  EXPECT_EQ(x->follow_ups[0].answer, until("torch.re"));
}

TEST(cut_answer, both_parts_are_paid_for) {
  auto second = answer("lu(x)\n", "stop");
  second.recorded = true;
  auto x = joined(answer(until("torch.re")), second);
  EXPECT_EQ(x.text, until("torch.re") + "lu(x)\n");
  EXPECT_EQ(x.finish, "stop");
  EXPECT_EQ(x.cost.queries, 2);
  EXPECT_EQ(x.cost.output_tokens, 100);
  EXPECT_DOUBLE_EQ(x.cost.usd, 0.02);
  EXPECT_DOUBLE_EQ(x.seconds, 4);
  EXPECT_FALSE(x.recorded) << "half of it is new";
}

// -- joining ----------------------------------------------------------------------------

TEST(cut_answer, parts_that_fit_are_joined_wherever_the_cut_is) {
  for (std::size_t at = 0; at <= whole.size(); ++at)
    EXPECT_EQ(join_parts(whole.substr(0, at), whole.substr(at)), whole) << at;
}

TEST(cut_answer, a_fence_that_is_opened_anew_is_left_out) {
  auto rest = after("torch.re");
  for (auto front : {"```python\n", "```\n", "\n```py\n", "Here is the rest:\n\n```python\n",
                     "Sure!\n\n**Continuing from where I stopped:**\n```\n"})
    EXPECT_EQ(code_of(until("torch.re"), front + rest), code) << front;
}

TEST(cut_answer, a_fence_without_a_tag_may_be_the_end) {
  EXPECT_EQ(code_of(until("x.sum(0)\n"), "```\nIt is one kernel.\n"), code);
  EXPECT_EQ(code_of(until("x.sum(0)"), "```\nIt is one kernel.\n"), code);
  EXPECT_EQ(code_of(until("x.sum(0)\n``"), "`\nIt is one kernel.\n"), code);
}

TEST(cut_answer, a_line_that_is_told_again_is_there_once) {
  auto rest = after("torch.re");
  for (auto front :
       {"        x = torch.re", "x = torch.re", "torch.re",
        "    def forward(self, x):\n        x = torch.re", "```python\n        x = torch.re",
        "Here it goes on:\n```python\nx = torch.re"})
    EXPECT_EQ(code_of(until("torch.re"), front + rest), code) << front;
  EXPECT_EQ(code_of(until("relu(x)\n"), "        x = torch.relu(x)\n" + after("relu(x)\n")), code);
}

TEST(cut_answer, a_fence_that_was_cut_is_told_again) {
  EXPECT_EQ(code_of("Fused.\n\n```pyth", "```python\n" + code + "```\n"), code);
  EXPECT_EQ(code_of("Fused.\n\n```pyth", "on\n" + code + "```\n"), code);
}

TEST(cut_answer, what_occurs_twice_by_chance_stays) {
  EXPECT_EQ(join_parts("a = [1, 2", "2, 3]\n"), "a = [1, 22, 3]\n");
  EXPECT_EQ(join_parts("f(g(x)", ")\n"), "f(g(x))\n");
  EXPECT_EQ(join_parts("y = torch.relu(", "torch.relu(x))\n"), "y = torch.relu(torch.relu(x))\n");
  EXPECT_EQ(join_parts("    }\n", "    }\n"), "    }\n    }\n");
}

TEST(cut_answer, a_line_whose_beginning_was_trimmed_begins_a_line) {
  EXPECT_EQ(code_of(until("torch.relu(x)"), "        return x.sum(0)\n```\n"), code);
  EXPECT_EQ(join_parts("```py\nx = 1", "def f():\n  pass\n"), "```py\nx = 1\ndef f():\n  pass\n");
  EXPECT_EQ(join_parts("for a in ", "range(3)"), "for a in range(3)");
}

TEST(cut_answer, a_block_that_is_told_from_the_start_takes_the_place_of_the_first) {
  EXPECT_EQ(code_of(until("torch.re"), whole), code);
  EXPECT_EQ(code_of(until("torch.re"), "Again, in full:\n\n```\n" + code + "```\n"), code);
  EXPECT_EQ(code_of(until("torch.re"), code + "```\n"), code);
}

TEST(cut_answer, reasoning_in_the_second_part_is_passed_over) {
  EXPECT_EQ(
    code_of(until("torch.re"), "<think>\nI stopped at relu.\n</think>\n\n" + after("torch.re")),
    code);
}

TEST(cut_answer, json_goes_on_within_its_text) {
  auto json =
    std::string{R"({"code": "import torch\n\nclass ModelNew(torch.nn.Module):\n    pass\n"})"};
  auto whole_json = extract_code(json);
  ASSERT_TRUE(whole_json);
  for (std::size_t at = 1; at < json.size(); ++at)
    EXPECT_EQ(code_of(json.substr(0, at), json.substr(at)), *whole_json) << at;
  EXPECT_EQ(code_of("```json\n" + json.substr(0, 40), "```json\n" + json.substr(40) + "\n```\n"),
            *whole_json);
}

TEST(cut_answer, windows_newlines_do_not_hide_what_is_told_again) {
  EXPECT_EQ(join_parts("```py\r\nx = 1\r\nvalue = f", "value = f(x)\r\n"),
            "```py\nx = 1\nvalue = f(x)\n");
}
