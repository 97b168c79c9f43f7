#include "tools/lathe/judging/pairing.hpp"

#include "messages/error.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using judging::pair_by_name;
using judging::read_name;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

using paths = std::vector<std::filesystem::path>;
using number = std::optional<std::int32_t>;

// "task <- candidate", by the paths.
std::vector<std::string> pairs_of(const paths& tasks, const paths& candidates) {
  auto found = pair_by_name(tasks, candidates);
  if (!found)
    return {describe(found.error())};
  std::vector<std::string> result;
  for (auto& x : found->pairs)
    result.push_back(tasks[x.task].string() + " <- " + candidates[x.candidate].string());
  return result;
}

void expect_numbers(const std::string& file, number level, number problem, number sample) {
  auto name = read_name(file);
  EXPECT_EQ(name.level, level) << file;
  EXPECT_EQ(name.problem, problem) << file;
  EXPECT_EQ(name.sample, sample) << file;
}

} // namespace

TEST(pairing, reads_the_names_that_kernelbench_gives) {
  expect_numbers("runs/x/level_1_problem_3_sample_0_kernel.py", 1, 3, 0);
  expect_numbers("level_2_problem_40_sample_11.py", 2, 40, 11);
  expect_numbers("level_3_problem_7.py", 3, 7, {});
  expect_numbers("KernelBench/level1/19_ReLU.py", 1, 19, {});
  expect_numbers("level-4/2.py", 4, 2, {});
}

TEST(pairing, reads_numbers_alone_as_level_problem_and_sample) {
  expect_numbers("3.py", {}, 3, {});
  expect_numbers("1_3.py", 1, 3, {});
  expect_numbers("level2/1_3.py", 1, 3, {});
  expect_numbers("1_3_0.py", 1, 3, 0);
  expect_numbers("1_3_0_7.py", {}, 1, {});
}

TEST(pairing, names_without_numbers_have_none) {
  expect_numbers("mlp.py", {}, {}, {});
  expect_numbers("levels/mlp2.py", {}, {}, {});
  expect_numbers("99999999999_x.py", {}, {}, {});
  expect_numbers("level_x_problem_3.py", {}, {}, {});
  expect_numbers("-3.py", {}, {}, {});
}

TEST(pairing, the_same_stem_goes_before_numbers) {
  EXPECT_THAT(pairs_of({"1_3.py", "3_x.py"}, {"out/1_3.py"}), ElementsAre("1_3.py <- out/1_3.py"));
}

TEST(pairing, the_longest_task_name_that_a_candidate_begins_with_is_its_own) {
  EXPECT_THAT(
    pairs_of({"mlp.py", "mlp_wide.py"}, {"mlp_best.py", "mlp_wide_best.py", "mlp.1.py"}),
    ElementsAre("mlp.py <- mlp_best.py", "mlp.py <- mlp.1.py", "mlp_wide.py <- mlp_wide_best.py"));
  EXPECT_THAT(pairs_of({"mlp.py"}, {"mlpx.py"}), ElementsAre());
}

TEST(pairing, a_task_that_is_only_a_number_does_not_swallow_longer_numbers) {
  EXPECT_THAT(pairs_of({"level3/3.py", "level3/9.py"}, {"3_9.py"}),
              ElementsAre("level3/9.py <- 3_9.py"));
}

TEST(pairing, levels_have_to_agree_where_both_say_one) {
  paths tasks{"level1/3_a.py", "level2/3_b.py"};
  EXPECT_THAT(pairs_of(tasks, {"level_2_problem_3_sample_0_kernel.py", "1_3.py"}),
              ElementsAre("level1/3_a.py <- 1_3.py",
                          "level2/3_b.py <- level_2_problem_3_sample_0_kernel.py"));
  EXPECT_THAT(pairs_of({"level1/3_a.py"}, {"2_3.py"}), ElementsAre());
  EXPECT_THAT(pairs_of({"3_a.py"}, {"2_3.py"}), ElementsAre("3_a.py <- 2_3.py"));
}

TEST(pairing, a_candidate_that_fits_two_tasks_is_a_mistake_that_names_both) {
  EXPECT_THAT(pairs_of({"level1/3_a.py", "level2/3_b.py"}, {"3.py"}),
              ElementsAre(testing::AllOf(HasSubstr("3.py could be for level1/3_a.py"),
                                         HasSubstr("level2/3_b.py"))));
}

TEST(pairing, what_fits_nothing_is_listed) {
  auto found = pair_by_name({"1_a.py", "2_b.py"}, {"2.py", "7.py", "other.py"});
  ASSERT_TRUE(found);
  EXPECT_THAT(found->idle_tasks, ElementsAre(0));
  EXPECT_THAT(found->idle_candidates, ElementsAre(1, 2));
}

TEST(pairing, a_pair_has_the_numbers_of_both_names) {
  auto found = pair_by_name({"level3/7_mamba.py"}, {"7_mamba_best.py"});
  ASSERT_TRUE(found);
  ASSERT_EQ(found->pairs.size(), 1u);
  EXPECT_EQ(found->pairs[0].name.level, 3);
  EXPECT_EQ(found->pairs[0].name.problem, 7);
  EXPECT_EQ(found->pairs[0].name.sample, std::nullopt);
}
