#include "runtime/run.hpp"

#include "messages/error.hpp"
#include "tests/support/topologies.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(topology_change, the_same_topology_changes_nothing) {
  EXPECT_THAT(*describe_change(test::small_topology(), test::small_topology()), IsEmpty());
}

TEST(topology_change, says_what_each_agent_will_do_otherwise) {
  auto after = test::small_topology();
  after.agents[1].instances = 20;
  after.agents[1].prompt = "other";
  after.agents[1].continue_cut = true;
  after.budget.queries = 50;
  EXPECT_THAT(*describe_change(test::small_topology(), after),
              ElementsAre("coder instances 1 -> 20", "coder continue_cut false -> true",
                          "coder gets another prompt", "budget queries 20 -> 50"));
}

TEST(topology_change, says_who_leaves_and_joins_and_which_routes_go) {
  auto after = test::small_topology();
  after.agents[2].name = "mender";
  for (auto& route : after.routes)
    if (route.port == "rejected")
      route.targets = {"mender"};
  auto changes = *describe_change(test::small_topology(), after);
  EXPECT_THAT(changes, Contains("fixer leaves"));
  EXPECT_THAT(changes, Contains("mender (fixer, 1 instances) joins"));
  EXPECT_THAT(changes, Contains("route evaluator.rejected -> fixer goes"));
}

TEST(topology_change, what_would_spoil_a_run_is_refused) {
  auto search = test::small_topology();
  search.search.population = 9;
  auto judge = test::small_topology();
  judge.evaluator.tolerance = "pike";
  auto model = test::small_topology();
  model.models.push_back({});
  model.models.back().name = "new";
  for (auto& after : {search, judge, model}) {
    auto x = describe_change(test::small_topology(), after);
    ASSERT_FALSE(x);
    EXPECT_EQ(x.error(), errc::user_error);
  }
}
