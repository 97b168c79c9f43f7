#include "tools/lathe/judging/noise.hpp"

#include "tests/tools/judging_rows.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using namespace lathe::judging;
using namespace lathe::judging::test;
using testing::HasSubstr;

TEST(noise, counts_ties_wins_and_losses) {
  auto found = figures_of("x", {timed(1, 0.99, 1.01), timed(1.05, 1.02, 1.08),
                                timed(0.9, 0.85, 0.95), failed(outcome::unstable)});
  EXPECT_EQ(found.verdicts, 3);
  EXPECT_EQ(found.untimed, 1);
  EXPECT_EQ(found.ties, 1);
  EXPECT_EQ(found.wins, 1);
  EXPECT_EQ(found.losses, 1);
  EXPECT_NEAR(found.farthest, 0.15, 1e-9);
  EXPECT_NEAR(found.widest_interval, 0.05 / 0.9, 1e-9);
}

TEST(noise, the_spread_is_that_of_the_candidates_medians) {
  auto found = figures_of("x", {timed(1, 0.99, 1.01, 1.0), timed(1, 0.99, 1.01, 1.1)});
  EXPECT_NEAR(found.medians, 0.1 / 1.05, 1e-9);
}

TEST(noise, no_times_are_no_figures) {
  auto found = figures_of("x", {failed(outcome::unstable)});
  EXPECT_EQ(found.verdicts, 0);
  EXPECT_EQ(found.medians, 0);
  EXPECT_THAT(advice({found}), HasSubstr("no usable time"));
}

TEST(noise, advice_names_the_speedup_that_means_something) {
  auto of = [](double low, double high) {
    return advice({figures_of("x", {timed(1, low, high), timed(1, 0.999, 1.001)})});
  };
  EXPECT_THAT(of(0.995, 1.004), HasSubstr("quiet"));
  EXPECT_THAT(of(0.94, 1.05), HasSubstr("under 1.07x"));
  EXPECT_THAT(of(0.8, 1.1), HasSubstr("too noisy"));
}

TEST(noise, wins_of_unchanged_models_are_not_explained_away) {
  EXPECT_THAT(advice({figures_of("x", {timed(1.02, 1.01, 1.03), timed(1, 0.99, 1.01)})}),
              HasSubstr("no tie in 1 of 2"));
}

TEST(noise, every_program_is_a_task) {
  for (auto& x : noise_programs()) {
    EXPECT_THAT(x.source, HasSubstr("class Model(nn.Module)")) << x.name;
    EXPECT_EQ(x.source.find('{'), std::string::npos) << x.name;
  }
}
