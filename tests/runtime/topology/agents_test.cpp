#include "tests/runtime/topology/sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(agents, every_key_arrives) {
  auto x = read(spoilt("prompt_text: fix}", "prompt_text: fix, instances: 3, attempts: 4, "
                                            "timeout: 1m}"));
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  ASSERT_EQ(x.value.agents.size(), 5u);
  auto fixer = x.value.agent("fixer");
  EXPECT_EQ(fixer->role, role::fixer);
  EXPECT_EQ(fixer->model, "strong");
  EXPECT_EQ(fixer->prompt, "fix");
  EXPECT_EQ(fixer->instances, 3);
  EXPECT_EQ(fixer->attempts, 4);
  EXPECT_EQ(fixer->timeout, 60);
  EXPECT_THAT(x.value.agent("recipes")->passes, ElementsAre("fold"));
}

TEST(agents, how_a_model_is_asked_arrives) {
  auto x = read(spoilt("prompt_text: fix}", "prompt_text: fix, priority: 7, stop_after_code: true, "
                                            "continue_cut: true}"));
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  auto fixer = x.value.agent("fixer");
  EXPECT_EQ(fixer->priority, 7);
  EXPECT_TRUE(fixer->stop_after_code);
  EXPECT_TRUE(fixer->continue_cut);
}

TEST(agents, recipes_of_many_tasks_are_asked_at_once) {
  auto x = read(spoilt("[fold]", "[fold]"));
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.agent("recipes")->instances, 64);
  EXPECT_EQ(x.value.agent("recipes")->timeout, 6 * 3600);
  EXPECT_EQ(read(spoilt("[fold]", "[fold], instances: 2")).value.agent("recipes")->instances, 2);
}

TEST(agents, an_unknown_key_gets_a_suggestion) {
  EXPECT_THAT(mistakes_in(spoilt("instances: 2", "instanses: 2")),
              ElementsAre("t.yaml:15:5: unknown key 'instanses' in agents.coder; did you mean "
                          "'instances'?"));
}

TEST(agents, an_unknown_role_gets_a_suggestion_and_hides_no_other_mistake) {
  EXPECT_THAT(mistakes_in(spoilt("role: coder\n", "role: codr\n    instanses: 3\n")),
              ElementsAre("t.yaml:12:11: agents.coder.role must be planner, coder, fixer, profiler "
                          "or recipe, not 'codr'; did you mean 'coder'?",
                          "t.yaml:13:5: unknown key 'instanses' in agents.coder; did you mean "
                          "'instances'?"));
}

TEST(agents, a_missing_role_is_asked_for) {
  EXPECT_THAT(mistakes_in(spoilt("    role: coder\n", "")),
              ElementsAre("t.yaml:11:3: agents.coder.role is missing: planner, coder, fixer, "
                          "profiler or recipe"));
}

TEST(agents, keys_of_another_role_are_refused_by_name) {
  EXPECT_THAT(mistakes_in(spoilt("instances: 2", "ideas: 2")),
              ElementsAre("t.yaml:15:12: agents.coder.ideas is only for a planner"));
  EXPECT_THAT(
    mistakes_in(spoilt("passes: [fold]", "passes: [fold], model: strong")),
    ElementsAre("t.yaml:18:50: agents.recipes.model is not for a recipe: it works without "
                "an LLM"));
}

TEST(agents, who_asks_a_model_needs_one_and_a_prompt) {
  EXPECT_THAT(mistakes_in(spoilt("    model: strong\n    prompt_text: code\n", "")),
              ElementsAre("t.yaml:11:3: agents.coder.model is missing: a coder asks a model",
                          "t.yaml:11:3: agents.coder.prompt is missing: add 'prompt: "
                          "prompts/coder.md'"));
}

TEST(agents, a_profiler_with_a_model_needs_a_prompt) {
  EXPECT_THAT(mistakes_in(spoilt("{role: profiler}", "{role: profiler, model: strong}")),
              ElementsAre("t.yaml:17:3: agents.profiler.prompt is missing: add 'prompt: "
                          "prompts/profiler.md'"));
}

TEST(agents, a_prompt_file_that_is_not_there_is_named_with_where_it_was_looked_for) {
  EXPECT_THAT(mistakes_in(spoilt("prompt_text: code", "prompt: prompts/coder.md")),
              ElementsAre("t.yaml:14:13: agents.coder.prompt names a file that is not there: "
                          "'prompts/coder.md' in here or ."));
}

TEST(agents, a_prompt_is_found_beside_the_file_or_in_the_folder_above) {
  temporary_folder folder;
  folder.write("prompts/coder.md", "above");
  auto text = spoilt("prompt_text: code", "prompt: prompts/coder.md");
  auto file = folder.write("topologies/t.yaml", text);
  EXPECT_EQ(read_topology(file, with_key()).value.agent("coder")->prompt, "above");
  folder.write("topologies/prompts/coder.md", "beside");
  EXPECT_EQ(read_topology(file, with_key()).value.agent("coder")->prompt, "beside");
}

TEST(agents, a_prompt_found_nowhere_else_comes_from_lathes_own_configs) {
  temporary_folder folder;
  folder.write("prompts/coder.md", "own");
  auto options = with_key();
  options.configs = folder.path();
  auto x = read(spoilt("prompt_text: code", "prompt: prompts/coder.md"), options);
  EXPECT_EQ(x.value.agent("coder")->prompt, "own");
}

TEST(agents, a_prompt_that_cannot_be_used_is_refused) {
  temporary_folder folder;
  auto empty = folder.write("empty.md", "").string();
  EXPECT_THAT(mistakes_in(spoilt("prompt_text: code", "prompt: " + empty)),
              ElementsAre("t.yaml:14:13: agents.coder.prompt is an empty file: '" + empty + "'"));
  auto here = folder.path().string();
  EXPECT_THAT(mistakes_in(spoilt("prompt_text: code", "prompt: " + here)),
              ElementsAre("t.yaml:14:13: agents.coder.prompt cannot be read from '" + here
                          + "': it is a folder"));
}

TEST(agents, names_are_plain_and_not_taken) {
  EXPECT_THAT(
    mistakes_in(spoilt("  profiler: {role", "  search: {role: profiler}\n  profiler: {role")),
    testing::Contains("t.yaml:17:3: an agent cannot be called 'search': that name is taken"));
  EXPECT_THAT(
    mistakes_in(spoilt("  profiler: {role", "  a.b: {role: profiler}\n  profiler: {role")),
    testing::Contains("t.yaml:17:3: 'a.b' is no name for an agent: use up to 40 letters, "
                      "digits, '-' and '_', a letter first"));
}

TEST(agents, all_passes_are_those_that_exist) {
  auto options = with_key();
  auto text = spoilt("passes: [fold]", "passes: all");
  EXPECT_THAT(read(text, options).value.agent("recipes")->passes, ElementsAre("all"));
  options.passes = {"fold", "trace"};
  EXPECT_THAT(read(text, options).value.agent("recipes")->passes, ElementsAre("fold", "trace"));
}

TEST(agents, passes_of_the_users_own_come_from_a_folder) {
  temporary_folder folder;
  folder.write("mine/half_it.py", "PRECISION = 'half'\n");
  folder.write("mine/notes.txt", "not a pass");
  folder.write("mine/.#half_it.py", "an editor's");
  folder.write("mine/folder.py/inside.py", "no pass of this folder");
  auto options = with_key();
  options.passes = {"fold"};
  options.configs = folder.path();
  auto found = read(spoilt("passes: [fold]", "folder: mine"), options);
  ASSERT_TRUE(found.ok()) << to_string(found.mistakes);
  auto* agent = found.value.agent("recipes");
  EXPECT_THAT(agent->passes, ElementsAre("fold", "half_it"));
  EXPECT_THAT(agent->own_passes, ElementsAre(testing::Pair("half_it", "PRECISION = 'half'\n")));
  auto alone = read(found.text, with_key()); // as the run keeps it: the folder may be gone
  ASSERT_TRUE(alone.ok()) << to_string(alone.mistakes);
  EXPECT_EQ(alone.value.agent("recipes")->own_passes, agent->own_passes);
  EXPECT_THAT(read(spoilt("passes: [fold]", "folder: mine, passes: [half_it]"), options)
                .value.agent("recipes")
                ->passes,
              ElementsAre("half_it"));
}

TEST(agents, a_folder_of_passes_that_is_not_there_or_empty_is_a_mistake) {
  temporary_folder folder;
  folder.write("empty/notes.txt", "");
  folder.write("latin/one.py", "# \xe9\n");
  auto options = with_key();
  options.configs = folder.path();
  EXPECT_THAT(mistakes_in(spoilt("passes: [fold]", "folder: gone"), options),
              ElementsAre(HasSubstr("agents.recipes.folder names no folder: 'gone' in ")));
  EXPECT_THAT(
    mistakes_in(spoilt("passes: [fold]", "folder: empty"), options),
    ElementsAre(HasSubstr("agents.recipes.folder holds no pass, which is a Python file")));
  EXPECT_THAT(mistakes_in(spoilt("passes: [fold]", "folder: latin"), options),
              ElementsAre(HasSubstr("holds 'one.py', which cannot be read: it is not UTF-8")));
}

TEST(agents, a_pass_that_does_not_exist_gets_a_suggestion) {
  auto options = with_key();
  options.passes = {"fold", "trace"};
  EXPECT_THAT(mistakes_in(spoilt("passes: [fold]", "passes: [flod]"), options),
              ElementsAre("t.yaml:18:27: agents.recipes.passes may hold fold or trace, not 'flod'; "
                          "did you mean 'fold'?"));
  EXPECT_THAT(mistakes_in(sample, options), IsEmpty());
}

TEST(agents, a_topology_without_agents_is_refused) {
  EXPECT_THAT(mistakes_in("version: 1\nroutes: []\n"),
              ElementsAre("t.yaml:1:1: there are no agents: add 'agents:' with at least one"));
}

TEST(agents, those_that_write_code_may_be_asked_to_go_on) {
  auto x = read(spoilt("instances: 2", "continue_cut: true"));
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_TRUE(x.value.agent("coder")->continue_cut);
  EXPECT_FALSE(x.value.agent("fixer")->continue_cut);
  EXPECT_TRUE(read(spoilt("prompt_text: fix", "prompt_text: fix, continue_cut: true"))
                .value.agent("fixer")
                ->continue_cut);
  EXPECT_THAT(mistakes_in(spoilt("prompt_text: plan", "prompt_text: plan, continue_cut: true")),
              ElementsAre(HasSubstr("agents.planner.continue_cut is only for a coder or a fixer")));
}
