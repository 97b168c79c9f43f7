#include "tests/runtime/topology/sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// -- models ------------------------------------------------------------------------------

TEST(check, an_agents_model_has_to_exist) {
  EXPECT_THAT(
    mistakes_in(spoilt("    model: strong\n    prompt_text: code", "    model: strnog\n"
                                                                   "    prompt_text: code")),
    ElementsAre("t.yaml:13:12: agents.coder.model: there is no model 'strnog'; did you mean "
                "'strong'?"));
}

TEST(check, a_fallback_has_to_be_another_model) {
  EXPECT_THAT(mistakes_in(spoilt("    model: large\n", "    model: large\n"
                                                       "    fallback: [strong, cheap]\n")),
              ElementsAre("t.yaml:7:5: models.strong.fallback: a model cannot stand in for itself",
                          "t.yaml:7:5: models.strong.fallback: there is no model 'cheap'"));
}

TEST(check, a_budget_of_money_needs_prices) {
  auto text = spoilt("    price: {input: 1, output: 2}\n", "");
  auto position = text.find("queries: 40");
  text.replace(position, 11, "usd: 5");
  EXPECT_THAT(mistakes_in(text),
              ElementsAre("t.yaml:31:15: budget.usd needs to know what model 'strong' costs, which "
                          "configs/prices.yaml does not say: add price: {input: ..., output: ...} "
                          "to models.strong, in USD per million tokens",
                          "t.yaml:31:15: budget.usd ends nothing here, because no model costs "
                          "anything: set budget.queries or budget.wall"));
}

TEST(check, whoever_has_a_budget_of_money_needs_prices) {
  auto text = spoilt("    price: {input: 1, output: 2}\n", "    budget: {run: {usd: 5}}\n");
  text.insert(text.find("    instances: 2\n"), "    budget: {usd: 1}\n");
  auto found = mistakes_in(text);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_THAT(found[0],
              HasSubstr("models.strong.budget.run.usd needs to know what model 'strong'"));
  EXPECT_THAT(found[1], HasSubstr("agents.coder.budget.usd needs to know what model 'strong'"));
}

TEST(check, a_budget_of_money_needs_no_price_of_a_model_that_nobody_asks) {
  auto text = spoilt("  strong:\n", "  idle: {provider: openai, model: x, base_url: http://h}\n"
                                    "  strong:\n");
  text.replace(text.find("queries: 40"), 11, "usd: 5");
  EXPECT_THAT(mistakes_in(text), IsEmpty());
}

// -- routes, one by one --------------------------------------------------------------------

TEST(check, a_route_that_does_not_fit_is_explained) {
  EXPECT_THAT(
    mistakes_in(spoilt("profiler.insight -> search", "profiler.insight -> fixer")),
    ElementsAre("t.yaml:29:5: route 'profiler.insight -> fixer' does not fit: fixer takes "
                "rejected candidates, profiler.insight is an insight"));
  EXPECT_THAT(
    mistakes_in(spoilt("coder.candidate -> evaluator", "coder.candidate -> search")),
    ElementsAre("t.yaml:23:5: route 'coder.candidate -> search' does not fit: search takes "
                "ideas, correct candidates, exhausted lines of work or insights, "
                "coder.candidate is a candidate"));
  EXPECT_THAT(mistakes_in(spoilt("coder.candidate -> evaluator", "coder.candidate -> task")),
              ElementsAre("t.yaml:23:5: route 'coder.candidate -> task' does not fit: task takes "
                          "nothing, coder.candidate is a candidate"));
}

TEST(check, both_ends_of_a_route_have_to_exist) {
  EXPECT_THAT(mistakes_in(spoilt("evaluator.rejected -> fixer", "evaluater.rejected -> fxer")),
              ElementsAre("t.yaml:26:5: route 'evaluater.rejected -> fxer': there is no agent "
                          "'evaluater'; did you mean 'evaluator'?",
                          "t.yaml:26:5: route 'evaluater.rejected -> fxer': there is no agent "
                          "'fxer'; did you mean 'fixer'?"));
}

TEST(check, an_output_has_to_be_one_that_its_agent_has) {
  EXPECT_THAT(mistakes_in(spoilt("fixer.exhausted -> search", "fixer.exausted -> search")),
              ElementsAre("t.yaml:28:5: route 'fixer.exausted -> search': 'fixer.exausted' is no "
                          "output; write 'fixer.candidate' or 'fixer.exhausted'; did you mean "
                          "'exhausted'?"));
  EXPECT_THAT(mistakes_in(spoilt("coder.candidate -> evaluator", "coder -> evaluator")),
              ElementsAre("t.yaml:23:5: route 'coder -> evaluator': 'coder' is no output; write "
                          "'coder.candidate'"));
  EXPECT_THAT(mistakes_in(spoilt("  - task -> [planner", "  - task.task -> [planner")),
              testing::Contains("t.yaml:20:5: route 'task.task -> planner': 'task.task' is no "
                                "output; write 'task'; did you mean 'task'?"));
}

TEST(check, a_route_stands_once) {
  EXPECT_THAT(mistakes_in(spoilt("  - fixer.candidate -> evaluator\n",
                                 "  - fixer.candidate -> [evaluator, evaluator]\n")),
              ElementsAre("t.yaml:27:5: route 'fixer.candidate -> evaluator' is there twice"));
}

// -- the graph as a whole ------------------------------------------------------------------

TEST(check, a_candidate_has_to_be_judged) {
  for (std::string agent : {"coder", "fixer", "recipes"}) {
    auto route = agent + ".candidate -> evaluator";
    auto found = mistakes_in(spoilt("  - " + route + "\n", ""));
    ASSERT_EQ(found.size(), 1u) << agent;
    EXPECT_THAT(found[0], testing::HasSubstr("3: " + agent
                                             + ".candidate leads nowhere: add the "
                                               "route '"
                                             + route + "'"));
  }
}

TEST(check, a_search_has_to_hear_of_correct_candidates_and_ended_lines) {
  EXPECT_THAT(
    mistakes_in(spoilt("[search, profiler]", "profiler")),
    ElementsAre("t.yaml:19:1: evaluator.correct does not lead to search, which would wait "
                "for it: add the route 'evaluator.correct -> search'"));
  EXPECT_THAT(mistakes_in(spoilt("  - fixer.exhausted -> search\n", "")),
              ElementsAre("t.yaml:16:3: fixer.exhausted does not lead to search, which would wait "
                          "for it: add the route 'fixer.exhausted -> search'"));
}

TEST(check, an_agent_that_nothing_reaches_is_told_what_would) {
  EXPECT_THAT(mistakes_in(spoilt("  - evaluator.rejected -> fixer\n", "")),
              ElementsAre("t.yaml:16:3: nothing reaches agent 'fixer': add the route "
                          "'evaluator.rejected -> fixer'"));
}

TEST(check, agents_that_only_feed_each_other_are_not_reached) {
  auto text = "version: 1\n"
              "models: {m: {provider: openai, model: x, base_url: http://h}}\n"
              "agents:\n"
              "  fixer: {role: fixer, model: m, prompt_text: fix}\n"
              "routes:\n"
              "  - evaluator.rejected -> fixer\n"
              "  - fixer.candidate -> evaluator\n";
  EXPECT_THAT(
    mistakes_in(text),
    ElementsAre("t.yaml:4:3: nothing reaches agent 'fixer': no work ever gets to where its "
                "routes start"));
}

TEST(check, a_search_without_coders_leads_nowhere) {
  auto text = "version: 1\n"
              "models: {m: {provider: openai, model: x, base_url: http://h}}\n"
              "agents:\n"
              "  planner: {role: planner, model: m, prompt_text: plan}\n"
              "routes:\n"
              "  - task -> planner\n"
              "  - planner.ideas -> search\n";
  EXPECT_THAT(mistakes_in(text),
              ElementsAre("t.yaml:5:1: search.assignment leads nowhere: no agent "
                          "takes assignments"));
}

TEST(check, a_search_needs_no_ideas) {
  auto text = spoilt("  planner: {role: planner, model: strong, prompt_text: plan}\n", "");
  text.replace(text.find("[planner, recipes]"), 18, "recipes");
  text.replace(text.find("  - planner.ideas -> search\n"), 28, "");
  EXPECT_THAT(mistakes_in(text), IsEmpty());
}

TEST(check, recipes_alone_are_a_topology) {
  EXPECT_THAT(mistakes_in("version: 1\n"
                          "agents: {recipes: {role: recipe}}\n"
                          "routes: [task -> recipes, recipes.candidate -> evaluator]\n"),
              IsEmpty());
}

TEST(check, a_search_that_nothing_ends_is_refused) {
  EXPECT_THAT(
    mistakes_in(spoilt("budget: {queries: 40}\n", "")),
    ElementsAre(
      "t.yaml:1:1: nothing ends the loop from search over the coders and the "
      "evaluator back to search: set budget.queries, budget.tokens, budget.usd or budget.wall"));
  for (auto limit : {"usd: 1", "wall: 1h", "queries: 1", "tokens: 1", "run: {usd: 1}"})
    EXPECT_THAT(mistakes_in(spoilt("queries: 40", limit)), IsEmpty()) << limit;
}

TEST(check, a_search_that_counts_its_samples_ends_by_itself) {
  auto text = spoilt("budget: {queries: 40}\n", "");
  text.replace(text.find("policy: branching"), 17, "policy: best_of");
  EXPECT_THAT(mistakes_in(text), IsEmpty());
}
