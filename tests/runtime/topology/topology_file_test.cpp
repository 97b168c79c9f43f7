#include "tests/runtime/topology/sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(topology_file, the_sample_has_no_mistake) {
  auto x = read(sample);
  EXPECT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.name, "sample");
}

TEST(topology_file, all_mistakes_of_a_file_are_reported_at_once_and_by_line) {
  auto text = spoilt("instances: 2", "instanses: 2");
  text.replace(text.find("profiler.insight -> search"), 26, "profiler.insight -> fixer");
  text.replace(text.find("queries: 40"), 11, "queries: many");
  EXPECT_THAT(
    mistakes_in(text),
    ElementsAre("t.yaml:15:5: unknown key 'instanses' in agents.coder; did you mean "
                "'instances'?",
                "t.yaml:29:5: route 'profiler.insight -> fixer' does not fit: fixer takes "
                "rejected candidates, profiler.insight is an insight",
                "t.yaml:32:19: budget.queries must be a whole number, not 'many'"));
}

TEST(topology_file, the_version_has_to_be_one) {
  EXPECT_THAT(mistakes_in(spoilt("version: 1\n", "")),
              ElementsAre("t.yaml:1:1: version is missing: add 'version: 1'"));
  EXPECT_THAT(
    mistakes_in(spoilt("version: 1", "version: 2")),
    ElementsAre("t.yaml:1:10: version 2 is newer than this Lathe, which reads version 1"));
}

TEST(topology_file, an_unknown_block_gets_a_suggestion) {
  EXPECT_THAT(mistakes_in(spoilt("evaluator: {device", "evalutor: {device")),
              ElementsAre("t.yaml:31:1: unknown key 'evalutor'; did you mean 'evaluator'?"));
}

TEST(topology_file, a_block_of_the_wrong_type_is_refused_once) {
  EXPECT_THAT(mistakes_in(spoilt("evaluator: {device: cpu}", "evaluator: cpu")),
              ElementsAre("t.yaml:31:12: evaluator must be a map, not 'cpu'"));
}

TEST(topology_file, a_duplicate_key_is_refused) {
  EXPECT_THAT(mistakes_in(sample + "budget: {queries: 1}\n"),
              ElementsAre("t.yaml:33:1: duplicate key 'budget'; the first is in line 32"));
}

TEST(topology_file, a_name_that_is_left_out_is_the_files) {
  EXPECT_EQ(read(spoilt("name: sample\n", "")).value.name, "t");
}

TEST(topology_file, a_name_that_is_no_folder_name_is_refused) {
  for (auto name : {"../up", "a/b", ".hidden", "two words"})
    EXPECT_THAT(
      mistakes_in(spoilt("name: sample", std::string{"name: "} + name)),
      ElementsAre("t.yaml:2:7: name may hold letters, digits, '-', '_' and '.', and no '.' "
                  "at its start"))
      << name;
}

TEST(topology_file, the_text_says_the_same_without_the_files_it_came_from) {
  std::string text;
  topology first;
  {
    temporary_folder folder;
    folder.write("code.md", "two\nlines {{{task_source}}}\n");
    folder.write("base.yaml", spoilt("prompt_text: code", "prompt: code.md"));
    auto file = folder.write("t.yaml", "extends: base.yaml\nname: child\n");
    auto x = read_topology(file, with_key());
    ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
    text = x.text;
    first = x.value;
  }
  auto again = read(text);
  ASSERT_TRUE(again.ok()) << to_string(again.mistakes);
  EXPECT_EQ(again.value.name, "child");
  EXPECT_EQ(again.value.agents, first.agents);
  EXPECT_EQ(again.value.routes, first.routes);
  EXPECT_EQ(again.value.budget, first.budget);
  EXPECT_EQ(again.text, text) << "nothing is left to replace";
}

TEST(topology_file, the_text_holds_no_secret) {
  auto x = read(sample);
  EXPECT_EQ(x.value.model("strong")->api_key, "sk-test");
  EXPECT_THAT(x.text, HasSubstr("${OPENAI_API_KEY}"));
  EXPECT_THAT(x.text, Not(HasSubstr("sk-test")));
}

TEST(topology_file, there_is_no_text_of_a_topology_with_mistakes) {
  EXPECT_EQ(read(spoilt("version: 1", "version: 2")).text, "");
}

TEST(topology_file, the_processes_own_environment_is_the_default) {
  EXPECT_TRUE(process_environment("PATH"));
  EXPECT_FALSE(process_environment("LATHE_NO_SUCH_VARIABLE"));
}
