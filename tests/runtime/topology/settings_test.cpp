#include "tests/runtime/topology/sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

std::string evaluator(const std::string& keys) {
  return spoilt("evaluator: {device: cpu}", "evaluator: {" + keys + "}");
}

std::string budget(const std::string& keys) {
  return spoilt("budget: {queries: 40}", "budget: {" + keys + "}");
}

} // namespace

TEST(settings, every_key_of_the_evaluator_arrives) {
  auto x =
    read(evaluator("device: cpu, judge: strict, tolerance: pike, mode: train, threads: 2, "
                   "workers: 3, baselines: [eager, compile], forbid: [folding], build_limit: 2m, "
                   "run_limit: 9s, time_budget: 500ms, memory: 1GiB, require_sandbox: true"));
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  evaluator_config expected{
    "cpu",       "strict", "pike", "train", 2,       3,   {"eager", "compile"},
    {"folding"}, 120,      9,      0.5,     1 << 30, true};
  EXPECT_EQ(x.value.evaluator, expected);
}

TEST(settings, every_key_of_budget_and_search_arrives) {
  auto x = read(budget("queries: 300, usd: 25, wall: 12h"));
  EXPECT_EQ(x.value.budget, (budget_config{300, 25, 43'200}));
  EXPECT_EQ(x.value.search, (search_config{"branching", 4, 2, 10}));
}

TEST(settings, what_is_left_out_has_a_default) {
  auto x = read(spoilt("evaluator: {device: cpu}\n", ""));
  ASSERT_TRUE(x.ok());
  EXPECT_EQ(x.value.evaluator, evaluator_config{});
}

TEST(settings, a_device_is_named_as_torch_names_it) {
  for (auto* name : {"auto", "cpu", "cuda", "cuda:3", "cuda:0,1", "cuda:all"})
    EXPECT_EQ(read(evaluator(std::string{"device: \""} + name + "\"")).value.evaluator.device, name);
  EXPECT_THAT(mistakes_in(evaluator("device: gpu0")),
              ElementsAre("t.yaml:31:21: evaluator.device must be auto, cpu, cuda, cuda:N, "
                          "cuda:N,M,... or cuda:all, not 'gpu0'"));
}

TEST(settings, the_judges_of_papers_can_be_chosen) {
  for (std::string name : {"strict", "kernelbench", "pike"}) {
    auto x = read(evaluator("judge: " + name));
    ASSERT_TRUE(x.ok()) << name;
    EXPECT_EQ(x.value.evaluator.judge, name);
  }
}

TEST(settings, an_unknown_baseline_is_refused) {
  EXPECT_THAT(mistakes_in(evaluator("baselines: [eager, complie]")),
              ElementsAre("t.yaml:31:13: evaluator.baselines may hold eager, compile, "
                          "compile:reduce-overhead or compile:max-autotune, not 'complie'; did you "
                          "mean 'compile'?"));
  EXPECT_THAT(mistakes_in(evaluator("baselines: [\"compile:max-autotnue\"]")),
              ElementsAre(HasSubstr("did you mean 'compile:max-autotune'?")));
}

TEST(settings, every_mode_of_torch_compile_is_a_baseline) {
  std::vector<std::string> all = {"eager", "compile", "compile:reduce-overhead",
                                  "compile:max-autotune"};
  auto x = read(evaluator("baselines: [eager, compile, compile:reduce-overhead, "
                          "compile:max-autotune]"));
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.evaluator.baselines, all);
}

TEST(settings, matters_of_taste_can_be_forbidden) {
  auto x = read(evaluator("forbid: [graphs, libraries, fallback, folding]"));
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.evaluator.forbid,
            (std::vector<std::string>{"graphs", "libraries", "fallback", "folding"}));
  EXPECT_THAT(mistakes_in(evaluator("forbid: [graph]")),
              ElementsAre("t.yaml:31:13: evaluator.forbid may hold graphs, libraries, fallback or "
                          "folding, not 'graph'; did you mean 'graphs'?"));
}

TEST(settings, what_a_cpu_does_not_show_cannot_be_forbidden_there) {
  EXPECT_TRUE(read(evaluator("device: cpu, forbid: [folding]")).ok());
  EXPECT_THAT(mistakes_in(evaluator("device: cpu, forbid: [folding, graphs]")),
              ElementsAre("t.yaml:31:26: evaluator.forbid graphs cannot be seen on a CPU, where "
                          "only folding can be forbidden"));
}

TEST(settings, the_judges_of_papers_forbid_nothing) {
  EXPECT_THAT(mistakes_in(evaluator("judge: pike, forbid: [folding]")),
              ElementsAre("t.yaml:31:26: evaluator.forbid needs the judge strict: pike judges by "
                          "what a paper published"));
}

TEST(settings, no_more_parents_than_lines_of_work) {
  EXPECT_THAT(
    mistakes_in(spoilt("parents: 2", "parents: 9")),
    ElementsAre("t.yaml:30:53: search.parents must be at most the population, which is 4, "
                "not 9"));
}

TEST(settings, an_unknown_policy_gets_a_suggestion) {
  EXPECT_THAT(
    mistakes_in(spoilt("policy: branching", "policy: best-of")),
    ElementsAre("t.yaml:30:18: search.policy must be branching or best_of, not 'best-of'; "
                "did you mean 'best_of'?"));
}

TEST(settings, a_budget_of_nothing_is_refused) {
  EXPECT_THAT(
    mistakes_in(budget("queries: 0, usd: 0, wall: 1h")),
    ElementsAre("t.yaml:32:19: budget.queries must be 1 to 1000000000, not '0'",
                "t.yaml:32:27: budget.usd must be more than 0; leave it out for no limit"));
}
