#include "actors/search/best_of.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::actors;

TEST(best_of, asks_for_exactly_as_many_samples_as_configured) {
  best_of policy{3};
  for (int sample = 0; sample < 3; ++sample) {
    auto choice = policy.choose();
    ASSERT_TRUE(choice);
    policy.begin(*choice);
  }
  EXPECT_FALSE(policy.choose());
  policy.conclude();
  EXPECT_FALSE(policy.choose()) << "a sample that ended is not replaced";
}

TEST(best_of, goes_round_the_ideas_and_never_builds_on_a_candidate) {
  best_of policy{3};
  policy.add_ideas(2);
  policy.add_correct("coder#1", 5.0);
  std::vector<std::int32_t> ideas;
  while (auto choice = policy.choose()) {
    EXPECT_TRUE(choice->parents.empty());
    ideas.push_back(choice->idea.value());
    policy.begin(*choice);
  }
  EXPECT_EQ(ideas, (std::vector<std::int32_t>{0, 1, 0}));
}

TEST(best_of, works_without_ideas) {
  best_of policy{1};
  EXPECT_EQ(policy.choose(), search_choice{});
}
