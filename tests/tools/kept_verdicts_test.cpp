#include "tools/lathe/judging/kept_verdicts.hpp"

#include "messages/error.hpp"
#include "tests/runtime/journal/temporary_folder.hpp"
#include "tests/tools/judging_rows.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

using namespace lathe;
using namespace lathe::judging;

namespace fs = std::filesystem;

namespace {

class kept_verdicts_test : public lathe::test::temporary_folder {
protected:
  kept_verdicts open() const {
    auto result = kept_verdicts::open(folder / "kept", where, config);
    EXPECT_TRUE(result);
    return std::move(*result);
  }

  kept_subject subject(std::size_t repeat = 0) const {
    return {task, candidate, source, rules, repeat, own_reference};
  }

  static kept_verdict timed() {
    return {{judging::test::timed(1.5, 1.0 / 0.7, 1.6), {1e-3, 1.1234567891e-3}},
            "5 input draws",
            "an answer of zeros passes",
            {{"eager", 2e-3}, {"compile", 1e-3}}};
  }

  environment where{"cpu, 1 thread of 2 cores", "torch 2.11", "", ""};
  evaluator_config config;
  lathe::task task{"t", "tasks/t.py", "class Model: ..."};
  std::string candidate = "run/c.py";
  std::string source = "class ModelNew: ...";
  gpu::judge_rules rules;
  bool own_reference = false;
};

} // namespace

TEST_F(kept_verdicts_test, what_was_kept_comes_back_whole) {
  EXPECT_TRUE(open().keep(subject(), timed()));
  auto found = open().find(subject());
  ASSERT_TRUE(found);
  auto expected = timed();
  EXPECT_EQ(found->rules, expected.rules);
  EXPECT_EQ(found->degenerate, expected.degenerate);
  EXPECT_EQ(found->baselines, expected.baselines);
  EXPECT_EQ(found->run.verdict.timing->low, expected.run.verdict.timing->low);
  EXPECT_EQ(found->run.verdict.stages.size(), expected.run.verdict.stages.size());
  ASSERT_EQ(found->run.seconds.size(), 2U);
  EXPECT_NEAR(found->run.seconds[1], 1.123457e-3, 1e-9);
}

TEST_F(kept_verdicts_test, all_that_a_verdict_depends_on_has_to_be_the_same) {
  open().keep(subject(), timed());
  EXPECT_FALSE(open().find(subject(1))) << "another repetition";
  auto changed = [&](auto& x, auto value, const char* what) {
    auto before = std::exchange(x, value);
    EXPECT_FALSE(open().find(subject())) << what;
    x = before;
    EXPECT_TRUE(open().find(subject())) << what;
  };
  changed(source, "class ModelNew: pass", "the candidate's source");
  changed(candidate, "run/d.py", "its name, of which evidence speaks");
  changed(own_reference, true, "what it was timed against");
  changed(task.source, "class Model: pass", "the task's source");
  changed(rules.name, "pike", "the judge");
  changed(rules.tolerance, "half", "its tolerance");
  changed(rules.forbid, std::vector<std::string>{"graphs"}, "what is forbidden");
  changed(where.device, "NVIDIA H200", "the device");
  changed(where.software, "torch 2.12", "the software");
  changed(config.time_budget, 3.0, "how long is measured");
  changed(config.run_limit, 3.0, "a limit");
}

TEST_F(kept_verdicts_test, what_does_not_matter_may_change) {
  open().keep(subject(), timed());
  config.workers = 7;
  config.device = "cpu";
  EXPECT_TRUE(open().find(subject()));
}

TEST_F(kept_verdicts_test, what_may_be_due_to_others_is_not_kept) {
  for (auto how : {outcome::unstable, outcome::out_of_memory}) {
    auto x = timed();
    x.run.verdict.outcome = how;
    EXPECT_TRUE(open().keep(subject(), x));
    EXPECT_FALSE(open().find(subject()));
  }
}

TEST_F(kept_verdicts_test, what_others_wrote_into_a_file_is_not_there) {
  open().keep(subject(), timed());
  for (auto& file : fs::directory_iterator{folder / "kept"}) {
    std::ifstream in{file.path()};
    std::string text{std::istreambuf_iterator<char>{in}, {}};
    auto measured = text.find(R"("measured":)");
    ASSERT_NE(measured, std::string::npos);
    for (auto* other : {"{}", R"({"verdict":{},"ns":[],"rules":"","degenerate":"","baselines":[]})",
                        R"({"verdict":1,"ns":["a"],"rules":3,"degenerate":[],"baselines":{}})",
                        R"({"verdict":"{","ns":[],"rules":"","degenerate":"","baselines":"[]"})"}) {
      std::ofstream{file.path()} << text.substr(0, measured) << R"("measured":)" << other << "}";
      EXPECT_FALSE(open().find(subject())) << other;
    }
  }
}

TEST_F(kept_verdicts_test, where_nothing_can_be_written_is_told) {
  std::ofstream{folder / "kept"} << "a file";
  auto result = kept_verdicts::open(folder / "kept", where, config);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), errc::user_error);
}

TEST(kind_of, devices_of_one_kind_judge_alike) {
  EXPECT_EQ(kind_of("cuda:1, NVIDIA H200, 16 cores"), "NVIDIA H200, 16 cores");
  EXPECT_EQ(kind_of("cpu, 1 thread of 2 cores"), "cpu, 1 thread of 2 cores");
}
