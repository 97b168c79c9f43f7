#include "tests/runtime/topology/sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::ElementsAre;

TEST(routes, one_line_may_name_several_targets) {
  auto x = read(sample).value;
  ASSERT_EQ(x.routes.size(), 10u);
  EXPECT_EQ(x.routes[0], (route{"task", "", {"planner", "recipes"}}));
  EXPECT_EQ(x.routes[3], (route{"coder", "candidate", {"evaluator"}}));
}

TEST(routes, targets_of_one_output_in_several_lines_become_one_route) {
  auto x =
    read(spoilt("  - task -> [planner, recipes]\n", "  - task -> planner\n  - task->[ recipes ]\n"))
      .value;
  ASSERT_EQ(x.routes.size(), 10u);
  EXPECT_EQ(x.routes[0], (route{"task", "", {"planner", "recipes"}}));
}

TEST(routes, what_is_no_route_is_answered_with_an_example) {
  for (std::string line : {"coder", "coder.candidate ->", "-> coder", "a.b.c -> d", "a.b -> c, d",
                           "a.b -> [c", "a.b -> c -> d", "a b -> c"})
    EXPECT_THAT(mistakes_in(spoilt("  - fixer.exhausted -> search\n", "  - " + line + "\n")),
                ElementsAre("t.yaml:28:5: a route is a line such as 'coder.candidate -> evaluator' "
                            "or 'task -> [planner, recipes]', not '"
                            + line + "'"))
      << line;
}

TEST(routes, a_route_that_is_not_a_line_is_refused) {
  EXPECT_THAT(
    mistakes_in(spoilt("  - fixer.exhausted -> search\n", "  - {from: fixer}\n")),
    ElementsAre("t.yaml:28:5: a route is a line such as 'coder.candidate -> evaluator' or "
                "'task -> [planner, recipes]', not a map"));
}

TEST(routes, routes_must_be_there_and_be_a_list) {
  EXPECT_THAT(mistakes_in("version: 1\nagents: {recipes: {role: recipe}}\n"),
              ElementsAre("t.yaml:1:1: there are no routes: add 'routes:' with lines such as "
                          "'coder.candidate -> evaluator' or 'task -> [planner, recipes]'"));
  EXPECT_THAT(mistakes_in("version: 1\nagents: {recipes: {role: recipe}}\nroutes: {a: b}\n"),
              ElementsAre("t.yaml:3:1: routes must be a list of lines such as 'coder.candidate -> "
                          "evaluator' or 'task -> [planner, recipes]', not a map"));
}
