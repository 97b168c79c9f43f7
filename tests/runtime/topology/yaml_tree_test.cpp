#include "runtime/topology/yaml_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe::runtime;
using testing::HasSubstr;

namespace {

std::string why_not(const std::string& text) {
  mistake_list mistakes;
  EXPECT_FALSE(parse_yaml(text, "t.yaml", mistakes)) << text;
  EXPECT_EQ(mistakes.size(), 1u);
  return to_string(mistakes.sorted("t.yaml").at(0));
}

yaml_node parse(const std::string& text) {
  mistake_list mistakes;
  auto result = parse_yaml(text, "t.yaml", mistakes);
  EXPECT_TRUE(result) << text;
  EXPECT_EQ(mistakes.size(), 0u);
  return result.value_or(yaml_node{});
}

} // namespace

TEST(yaml_tree, every_node_knows_where_it_stands) {
  auto root = parse("a:\n  b: [x, y]\n  c: text\n");
  auto at = place_of(root, {"a", "c"});
  EXPECT_EQ(at.line, 3);
  EXPECT_EQ(at.column, 6);
  EXPECT_EQ(root.find("a")->value.find("b")->value.items[1].at.column, 10);
}

TEST(yaml_tree, a_place_that_is_not_there_is_the_deepest_part_that_is) {
  auto root = parse("top: 1\na:\n  b: 2\n");
  EXPECT_EQ(place_of(root, {"a", "missing", "deeper"}).line, 2);
}

TEST(yaml_tree, text_that_is_not_yaml_is_refused_with_the_parsers_own_mark) {
  EXPECT_THAT(why_not("a: [1, 2\nb: 3\n"), HasSubstr("t.yaml:2:"));
  EXPECT_THAT(why_not("a: [1, 2\nb: 3\n"), HasSubstr("not YAML: "));
  EXPECT_THAT(why_not("a: 1\n\tb: 2\n"), HasSubstr("not YAML: "));
}

TEST(yaml_tree, an_empty_file_is_called_empty) {
  EXPECT_EQ(why_not(""), "t.yaml: the file is empty");
  EXPECT_EQ(why_not("# only a comment\n"), "t.yaml: the file is empty");
}

TEST(yaml_tree, a_second_document_is_refused) {
  EXPECT_EQ(why_not("a: 1\n---\nb: 2\n"),
            "t.yaml:3:1: one file holds one topology; a second document starts here");
}

TEST(yaml_tree, a_duplicate_key_is_a_mistake_and_the_first_stays) {
  mistake_list mistakes;
  auto root = parse_yaml("a: 1\nb: 2\na: 3\n", "t.yaml", mistakes);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->find("a")->value.text, "1");
  EXPECT_EQ(to_string(mistakes.sorted("t.yaml")),
            "t.yaml:3:1: duplicate key 'a'; the first is in line 1\n");
}

TEST(yaml_tree, a_key_must_be_a_word) {
  EXPECT_EQ(why_not("[a, b]: 1\n"), "t.yaml:1:1: a key must be a word, not a list");
}

TEST(yaml_tree, what_is_quoted_is_a_text_and_stays_one) {
  auto root = parse("[1, '1', \"true\", !!str 2, !!int '3']\n");
  auto again = parse(render_yaml(root));
  for (const auto& list : {root.items, again.items}) {
    ASSERT_EQ(list.size(), 5u);
    for (std::size_t i = 0; i < list.size(); ++i)
      EXPECT_EQ(list[i].quoted, i > 0 && i < 4) << list[i].text;
  }
}

TEST(yaml_tree, an_alias_stands_for_what_it_names) {
  auto root = parse("a: &x {b: 1}\nc: *x\n");
  EXPECT_EQ(root.find("c")->value.find("b")->value.text, "1");
}

TEST(yaml_tree, aliases_cannot_blow_a_small_file_up) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    auto before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 1; j < 10; ++j)
      bomb += ", " + before;
    bomb += "]\n";
  }
  EXPECT_THAT(why_not(bomb), HasSubstr("too large for a topology"));
}

TEST(yaml_tree, an_alias_inside_what_it_names_is_refused) {
  EXPECT_THAT(why_not("a: &x [1, *x]\n"), HasSubstr("inside what it names"));
}

TEST(yaml_tree, deep_nesting_is_refused_and_does_not_overflow_the_stack) {
  EXPECT_THAT(why_not(std::string(200'000, '[')), HasSubstr("not YAML: "));
}

TEST(yaml_tree, what_is_rendered_reads_as_the_same_tree) {
  auto text = "a: {b: [x, \"null\", \"\", \"~\"], c: \"two\\n  lines \\t\\\"quoted\\\"\\n\"}\nd: "
              "\"- -> #\"\n";
  auto once = render_yaml(parse(text));
  auto root = parse(once);
  EXPECT_EQ(render_yaml(root), once);
  auto& list = root.find("a")->value.find("b")->value;
  ASSERT_EQ(list.items.size(), 4u);
  EXPECT_EQ(list.items[1].type, yaml_node::kind::scalar);
  EXPECT_EQ(list.items[2].type, yaml_node::kind::scalar);
  EXPECT_EQ(root.find("a")->value.find("c")->value.text, "two\n  lines \t\"quoted\"\n");
  EXPECT_EQ(root.find("d")->value.text, "- -> #");
}

TEST(yaml_tree, a_message_quotes_little_and_stays_on_its_line) {
  auto root = parse("a: \"one\\ntwo" + std::string(1'000, 'x') + "\"\n");
  auto words = what_it_is(root.find("a")->value);
  EXPECT_EQ(words.find('\n'), std::string::npos);
  EXPECT_LT(words.size(), 80u);
}
