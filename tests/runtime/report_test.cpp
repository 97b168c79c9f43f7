#include "runtime/report.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;
using testing::HasSubstr;
using testing::Not;

namespace {

verdict won(double speedup, double low, double high) {
  verdict x;
  x.outcome = outcome::correct;
  x.timing = timing{0.000612, 0.000612 / speedup, speedup, low, high, 120, 12};
  x.correctness = correctness{"fp32", "fp32", 1.13, 5, 2};
  return x;
}

session_result finished(verdict best) {
  session_result x;
  x.status.name = "attention";
  x.status.state = "done";
  x.subject.name = "attention";
  x.profile.where = {"cpu, 1 thread of 2 cores", "torch 2.11", "strict judge", ""};
  x.profile.baselines = {{"eager", 0.000612}, {"compile", 0.000408}};
  verdict cheat;
  cheat.outcome = outcome::refused;
  cheat.rule = "cached-output";
  cheat.evidence = "never-seen inputs took 9.8 times as long";
  verdict broken;
  broken.outcome = outcome::build_failed;
  broken.evidence = "SyntaxError | line 3\nmore";
  x.rows = {{"recipes#1", "recipe: fold", won(1.52, 1.5, 1.54), false},
            {"coder#3", "coder#3 <- planner idea 1", cheat, false},
            {"coder#4", "coder#4 <- planner idea 2", broken, false},
            {"coder#2", "coder#2 <- planner idea 1", std::move(best), true}};
  x.best = "coder#2";
  x.best_source = "class ModelNew: pass\n";
  x.reason = "the budget of 20 queries is used up";
  x.status.cost.queries = 20;
  return x;
}

} // namespace

TEST(report, a_speed_up_comes_with_its_interval) {
  EXPECT_EQ(format_speedup(timing{1, 0.3, 3.412, 3.376, 3.448, 20, 6}), "3.41x [3.38, 3.45]");
}

TEST(report, an_interval_that_holds_one_is_a_tie) {
  EXPECT_EQ(format_speedup(timing{1, 1, 1.01, 0.98, 1.04, 20, 6}), "1.01x [0.98, 1.04] tie");
}

TEST(report, times_have_three_significant_digits) {
  EXPECT_EQ(format_ms(0.000612345), "0.612 ms");
  EXPECT_EQ(format_ms(0.0123456), "12.3 ms");
  EXPECT_EQ(format_ms(0.0006), "0.600 ms");
  EXPECT_EQ(format_ms(1.5), "1500 ms");
}

TEST(report, the_end_of_a_run_names_winner_proof_baselines_and_what_was_refused) {
  auto text = format_result(finished(won(3.41, 3.38, 3.45)), "runs/demo/attention_best.py");
  EXPECT_THAT(text, HasSubstr("attention  3.41x [3.38, 3.45]  0.612 ms -> 0.179 ms"));
  EXPECT_THAT(text, HasSubstr("5 input draws, 2 weight draws, worst error 1.1x eager's"));
  EXPECT_THAT(text, HasSubstr("eager 3.41x · torch.compile 2.27x · best recipe: fold 2.24x"));
  EXPECT_THAT(text, HasSubstr("refused coder#3: cached-output"));
  EXPECT_THAT(text, HasSubstr("runs/demo/attention_best.py"));
}

TEST(report, what_may_be_a_matter_of_taste_is_told_in_a_phrase) {
  verdict x;
  EXPECT_EQ(format_taste(x), "") << "nothing is known of it";
  x.work = device_work{5, 0.83, 0.17, 0, true};
  EXPECT_EQ(format_taste(x), "device: 83 % own kernels, 17 % library, in a CUDA graph");
  x.work = device_work{5, 0, 0.6, 0.4, false};
  EXPECT_EQ(format_taste(x), "device: 60 % library, 40 % torch, falls back on torch");
  x.work = device_work{};
  EXPECT_EQ(format_taste(x), "device: no work");
  x.work.reset();
  x.folds = false;
  EXPECT_EQ(format_taste(x), "");
  x.folds = true;
  EXPECT_EQ(format_taste(x), "folds its weights");
}

TEST(report, the_winners_class_stands_in_the_report) {
  auto best = won(3.41, 3.38, 3.45);
  best.work = device_work{1, 1, 0, 0, false};
  best.folds = true;
  auto results = std::vector{finished(best)};
  EXPECT_THAT(format_report("demo", "pike-b", results),
              HasSubstr("- device: 100 % own kernels · folds its weights\n"));
  EXPECT_THAT(format_json("demo", results), HasSubstr("\"folds\":true"));
}

TEST(report, the_floor_is_told_with_the_distance_to_it) {
  timing x{0.000612, 0.000179, 3.41, 3.38, 3.45, 20, 6};
  EXPECT_EQ(format_floor(x), "") << "it is not known";
  x.floor = 0.000061;
  EXPECT_EQ(format_floor(x), "roofline floor 0.0610 ms (2.9x above it)");
  x.floor = 0.0002327;
  EXPECT_EQ(format_floor(x), "roofline floor 0.233 ms (1.3x below it)");
  x.floor = 0.000179e-3;
  EXPECT_EQ(format_floor(x), "roofline floor 0.000179 ms (1000x above it)");
}

TEST(report, a_winner_stands_beside_the_best_of_torch_compile_and_the_floor) {
  auto best = won(3.41, 3.38, 3.45);
  best.timing->floor = 0.000061;
  auto x = finished(best);
  x.profile.baselines.push_back({"compile:max-autotune", 0.000306});
  EXPECT_THAT(format_result(x, "x.py"),
              HasSubstr("against: eager 3.41x · best torch.compile (max-autotune) 1.71x · best "
                        "recipe: fold 2.24x · roofline floor 0.0610 ms (2.9x above it)"));
  EXPECT_THAT(format_report("demo", "pike-b", {x}),
              HasSubstr("eager 3.41x · torch.compile 2.27x · torch.compile(max-autotune) 1.71x · "
                        "best torch.compile (max-autotune) 1.71x · best recipe"));
}

TEST(report, baselines_that_were_timed_again_with_the_winner_count) {
  auto best = won(3.41, 3.38, 3.45);
  best.baselines = {{"eager", 0.0006}, {"compile", 0.0003}};
  EXPECT_THAT(format_result(finished(best), "x.py"), HasSubstr("torch.compile 1.71x"));
  EXPECT_THAT(format_report("demo", "pike-b", {finished(best)}), HasSubstr("; all timed again"));
}

TEST(report, a_winner_that_was_not_measured_again_says_so) {
  auto x = finished(won(3.41, 3.38, 3.45));
  for (auto confirmed : {true, false}) {
    x.rows.back().confirmed = confirmed;
    for (auto& text : {format_result(x, "x.py"), format_report("demo", "pike-b", {x}),
                       format_best_file(x)})
      EXPECT_EQ(text.find("not measured again yet") == std::string::npos, confirmed) << text;
    EXPECT_THAT(format_json("demo", {x}, {}),
                HasSubstr(confirmed ? R"("confirmed":true)" : R"("confirmed":false)"));
  }
}

TEST(report, discarded_pairs_are_told) {
  auto best = won(3.41, 3.38, 3.45);
  best.timing->throttled = 3;
  EXPECT_THAT(format_result(finished(best), "x.py"),
              HasSubstr("\n           3 throttled pairs of blocks discarded\n"));
  EXPECT_THAT(format_report("demo", "pike-b", {finished(best)}),
              HasSubstr("after the search, 3 throttled pairs of blocks discarded"));
}

TEST(report, a_tie_is_no_win) {
  auto text = format_result(finished(won(1.01, 0.98, 1.04)), "x.py");
  EXPECT_THAT(text, HasSubstr("no win"));
  EXPECT_THAT(text, HasSubstr("1.01x [0.98, 1.04] tie"));
  EXPECT_THAT(text, Not(HasSubstr("x.py")));
}

TEST(report, a_task_that_could_not_be_worked_on_says_why) {
  session_result x;
  x.status.name = "mlp";
  x.status.state = "failed";
  x.reason = "mlp.py:3: no class Model";
  EXPECT_EQ(format_result(x, ""), "mlp        not worked on: mlp.py:3: no class Model\n");
}

TEST(report, the_markdown_shows_every_candidate_and_keeps_its_table_whole) {
  auto text = format_report("demo", "pike-b", {finished(won(3.41, 3.38, 3.45))});
  EXPECT_THAT(text, HasSubstr("| coder#3 <- planner idea 1 | refused: cached-output |"));
  EXPECT_THAT(text, HasSubstr("| SyntaxError \\| line 3 |"));
  EXPECT_THAT(text, HasSubstr("; 20 queries, $"));
  EXPECT_THAT(text, HasSubstr("measured again after the search"));
}

TEST(report, a_device_has_one_line_of_what_its_time_went_to) {
  device_time x{"cuda:0", 312, 118.6, 127.9, 400, 90, 0.412, 3.1};
  constexpr auto line = "cuda:0  exclusive 38 % · shared 41 % · idle 21 % of 312 s · 90 exclusive "
                        "leases, median 0.41 s";
  EXPECT_EQ(format_device(x), line);
  EXPECT_THAT(format_report("demo", "pike-b", {}, {x}), HasSubstr(line));
  EXPECT_THAT(format_json("demo", {}, {x}), HasSubstr(R"("exclusive_leases":90)"));
}

TEST(report, the_best_file_is_the_source_under_its_proof) {
  auto text = format_best_file(finished(won(3.41, 3.38, 3.45)));
  EXPECT_THAT(text, HasSubstr("# attention: 3.41x [3.38, 3.45]"));
  EXPECT_THAT(text, HasSubstr("\nclass ModelNew: pass\n"));
  EXPECT_THAT(text, HasSubstr("\n# Use: from attention_best import ModelNew\n"));
  EXPECT_EQ(text.front(), '#');
}

TEST(report, a_best_file_whose_name_is_no_module_name_says_how_it_is_imported) {
  for (auto* name : {"9_ResNet18", "my-model"}) {
    auto result = finished(won(3.41, 3.38, 3.45));
    result.status.name = name;
    EXPECT_THAT(format_best_file(result),
                HasSubstr(fmt::format(
                  "\n# Use: ModelNew = importlib.import_module(\"{}_best\").ModelNew\n", name)));
  }
}

TEST(report, the_json_has_stable_keys) {
  auto text = format_json("demo", {finished(won(3.41, 3.38, 3.45))});
  for (auto* key : {"\"run\":\"demo\"", "\"task\":\"attention\"", "\"speedup\":", "\"candidates\":",
                    "\"rule\":\"cached-output\"", "\"tie\":false"})
    EXPECT_THAT(text, HasSubstr(key));
}
