#include "gpu/judge_rules.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using gpu::find_judge;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(judge_rules, every_name_has_a_judge_of_that_name) {
  for (auto& name : gpu::judge_names()) {
    auto rules = find_judge(name, {});
    ASSERT_TRUE(rules) << name;
    EXPECT_EQ(rules->name, name);
    EXPECT_FALSE(rules->input_draws.empty());
    EXPECT_THAT(rules->describe(), HasSubstr(name + " judge"));
  }
  EXPECT_FALSE(find_judge("lenient", {}));
}

TEST(judge_rules, strict_has_secret_seeds_and_what_the_configuration_says) {
  evaluator_config config;
  config.tolerance = "half";
  config.mode = "train";
  auto rules = find_judge("strict", config);
  ASSERT_TRUE(rules);
  EXPECT_FALSE(rules->seeds);
  EXPECT_FALSE(rules->timing);
  EXPECT_TRUE(rules->watches_conduct);
  EXPECT_THAT(rules->input_draws, ElementsAre(3, 2));
  EXPECT_EQ(rules->describe(),
            "strict judge, tolerance half, train mode, 5 input draws, 2 weight draws");
}

TEST(judge_rules, strict_forbids_what_the_configuration_says_and_the_others_nothing) {
  evaluator_config config;
  config.forbid = {"graphs", "folding"};
  auto rules = find_judge("strict", config);
  ASSERT_TRUE(rules);
  EXPECT_EQ(rules->forbid, config.forbid);
  EXPECT_THAT(rules->describe(), HasSubstr(", graphs, folding forbidden"));
  EXPECT_THAT(find_judge("pike", config)->forbid, testing::IsEmpty());
}

TEST(judge_rules, kernelbench_is_as_published_whatever_the_configuration_says) {
  evaluator_config config;
  config.tolerance = "half";
  config.mode = "eval";
  auto rules = find_judge("kernelbench", config);
  ASSERT_TRUE(rules && rules->seeds && rules->timing);
  EXPECT_EQ(rules->tolerance, "kernelbench");
  EXPECT_EQ(rules->mode, "train");
  EXPECT_THAT(rules->input_draws, ElementsAre(5));
  EXPECT_TRUE(rules->seeds->derives_trials);
  EXPECT_EQ(rules->seeds->inputs, 42);
  EXPECT_EQ(rules->seeds->weights, 42);
  EXPECT_EQ(rules->timing->warm_ups, 3u);
  EXPECT_EQ(rules->timing->discarded, 1u);
  EXPECT_EQ(rules->timing->calls, 100u);
  EXPECT_EQ(rules->describe(),
            "kernelbench judge, tolerance kernelbench, train mode, 5 input draws, "
            "1 weight draw, published seeds, mean of 100 calls");
}

TEST(judge_rules, pike_looks_once_and_times_for_five_seconds) {
  auto rules = find_judge("pike", {});
  ASSERT_TRUE(rules && rules->seeds && rules->timing);
  EXPECT_EQ(rules->mode, "eval");
  EXPECT_THAT(rules->input_draws, ElementsAre(1));
  EXPECT_FALSE(rules->seeds->derives_trials);
  EXPECT_EQ(rules->seeds->inputs, 0);
  EXPECT_EQ(rules->seeds->weights, 1);
  EXPECT_EQ(rules->timing->seconds, 5);
  EXPECT_EQ(rules->timing->warm_up_seconds, 1);
}
