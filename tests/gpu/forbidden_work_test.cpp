#include "gpu/forbidden_work.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::gpu;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

const auto all = matters_of_taste();

// kernels, own, library, framework, graphs
const device_work hand_written{1, 1, 0, 0, false};
const device_work mixed{4, 0.83, 0.17, 0, false};
const device_work torchs{6, 0, 0.6, 0.4, false};
const device_work graph_of_torchs{6, 0, 0.6, 0.4, true};

std::string rule_of(const std::vector<std::string>& forbid, const std::optional<device_work>& work,
                    std::optional<bool> folds = std::nullopt) {
  auto found = check_forbidden(forbid, work, folds);
  return found ? found->rule : "";
}

} // namespace

TEST(check_forbidden, nothing_is_forbidden_unless_somebody_says_so) {
  for (auto& work : {hand_written, mixed, torchs, graph_of_torchs})
    EXPECT_EQ(rule_of({}, work, true), "");
}

TEST(check_forbidden, a_candidate_that_does_nothing_of_it_passes) {
  EXPECT_EQ(rule_of(all, hand_written, false), "");
}

TEST(check_forbidden, each_thing_is_refused_under_its_own_name) {
  EXPECT_EQ(rule_of({"graphs"}, graph_of_torchs), "forbidden-graphs");
  EXPECT_EQ(rule_of({"libraries"}, mixed), "forbidden-libraries");
  EXPECT_EQ(rule_of({"fallback"}, torchs), "forbidden-fallback");
  EXPECT_EQ(rule_of({"folding"}, hand_written, true), "forbidden-folding");
}

TEST(check_forbidden, what_is_allowed_is_no_excuse_for_what_is_not) {
  EXPECT_EQ(rule_of({"fallback"}, graph_of_torchs), "forbidden-fallback");
  EXPECT_EQ(rule_of({"fallback"}, mixed), "");
  EXPECT_EQ(rule_of({"graphs", "folding"}, torchs, false), "");
}

TEST(check_forbidden, a_decoy_beside_torchs_work_is_a_fallback) {
  EXPECT_EQ(rule_of({"fallback"}, device_work{7, 0.009, 0.6, 0.391, false}), "forbidden-fallback");
  EXPECT_EQ(rule_of({"fallback"}, device_work{7, 0.02, 0.6, 0.38, false}), "")
    << "one that takes time costs time";
}

TEST(check_forbidden, a_trifle_of_a_library_is_none) {
  EXPECT_EQ(rule_of({"libraries"}, device_work{7, 0.99, 0.005, 0.005, false}), "");
}

TEST(check_forbidden, what_is_not_known_is_no_offence) {
  EXPECT_EQ(rule_of(all, std::nullopt), "");
  EXPECT_EQ(rule_of(all, device_work{}), "") << "a task that moves no data launches nothing";
}

TEST(check_forbidden, evidence_has_the_numbers) {
  EXPECT_EQ(check_forbidden({"libraries"}, mixed, {})->evidence,
            "of the device's time 83 % went to kernels of its own, 17 % to libraries' and 0 % to "
            "torch's, and kernels of libraries are forbidden here");
  EXPECT_EQ(check_forbidden({"graphs"}, graph_of_torchs, {})->evidence,
            "its call replays a CUDA graph (6 kernels), and graphs are forbidden here");
}

TEST(unseen_on_cpu, names_all_but_folding) {
  EXPECT_THAT(unseen_on_cpu({}), IsEmpty());
  EXPECT_THAT(unseen_on_cpu({"folding"}), IsEmpty());
  EXPECT_THAT(unseen_on_cpu(all), HasSubstr("graphs, libraries, fallback cannot be seen on a CPU"));
}
