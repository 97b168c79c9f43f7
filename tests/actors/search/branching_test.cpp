#include "actors/search/branching.hpp"

#include <gtest/gtest.h>

#include <map>

using namespace lathe;
using namespace lathe::actors;

namespace {

// Begins lines until the policy waits; returns their choices.
std::vector<search_choice> begin_all(branching& policy) {
  std::vector<search_choice> result;
  while (auto choice = policy.choose()) {
    policy.begin(*choice);
    result.push_back(*choice);
  }
  return result;
}

} // namespace

TEST(branching, the_first_population_tries_each_idea_from_the_task_itself) {
  branching policy{10, 4};
  policy.add_ideas(10);
  auto choices = begin_all(policy);
  ASSERT_EQ(choices.size(), 10u);
  for (std::int32_t i = 0; i < 10; ++i)
    EXPECT_EQ(choices[static_cast<std::size_t>(i)], (search_choice{i, {}}));
}

TEST(branching, three_ideas_are_shared_among_ten_lines) {
  branching policy{10, 4};
  policy.add_ideas(3);
  std::map<std::int32_t, int> lines;
  for (auto& choice : begin_all(policy))
    ++lines[choice.idea.value()];
  EXPECT_EQ(lines, (std::map<std::int32_t, int>{{0, 4}, {1, 3}, {2, 3}}));
}

TEST(branching, a_line_that_ends_is_replaced_at_once_without_waiting_for_the_others) {
  branching policy{10, 4};
  begin_all(policy);
  EXPECT_FALSE(policy.choose());
  policy.conclude();
  EXPECT_EQ(begin_all(policy).size(), 1u);
}

TEST(branching, the_best_four_get_three_three_two_and_two_lines) {
  branching policy{10, 4};
  begin_all(policy);
  for (auto [id, speedup] : {std::pair{"a", 1.0}, {"b", 4.0}, {"c", 3.0}, {"d", 2.0}, {"e", 0.5}})
    policy.add_correct(id, speedup);
  for (int i = 0; i < 10; ++i)
    policy.conclude();
  std::map<candidate_id, int> lines;
  for (auto& choice : begin_all(policy))
    ++lines[choice.parents.at(0)];
  EXPECT_EQ(lines, (std::map<candidate_id, int>{{"b", 3}, {"c", 3}, {"d", 2}, {"a", 2}}));
}

TEST(branching, the_best_candidate_is_never_lost_to_worse_rounds) {
  branching policy{4, 2};
  begin_all(policy);
  policy.add_correct("best", 9.0);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 4; ++i) {
      policy.add_correct("r" + std::to_string(4 * round + i), 1.0);
      policy.conclude();
    }
    auto choices = begin_all(policy);
    EXPECT_EQ(std::count_if(choices.begin(), choices.end(),
                            [](auto& x) { return x.parents.at(0) == "best"; }),
              2);
  }
}

TEST(branching, lines_from_one_parent_get_different_ideas) {
  branching policy{4, 1};
  policy.add_ideas(4);
  begin_all(policy);
  policy.add_correct("a", 2.0);
  for (int i = 0; i < 4; ++i)
    policy.conclude();
  std::map<std::int32_t, int> ideas;
  for (auto& choice : begin_all(policy))
    ++ideas[choice.idea.value()];
  EXPECT_EQ(ideas.size(), 4u);
}

TEST(branching, without_ideas_and_without_parents_it_starts_from_the_task) {
  branching policy{2, 4};
  begin_all(policy);
  policy.conclude();
  EXPECT_EQ(policy.choose(), search_choice{});
}

TEST(branching, a_recipe_that_is_already_known_is_the_first_parent) {
  branching policy{2, 4};
  policy.add_ideas(2);
  policy.add_correct("recipes#1", 1.4);
  policy.add_correct("recipes#2", 1.9);
  EXPECT_EQ(policy.choose(), (search_choice{0, {"recipes#2"}}));
}
