#include "gpu/verifier/audit.hpp"

#include "tests/gpu/verifier/values_writer.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

using namespace lathe::verifier;
using lathe::verifier::test::tuple_of;

namespace {

at::Tensor noise(int seed) {
  return at::randn({16, 16}, at::detail::createCPUGenerator(static_cast<uint64_t>(seed)));
}

std::string audit_of(const std::vector<at::Tensor>& draws, policy rule = policy::fp32) {
  std::vector<value> values;
  for (auto& draw : draws)
    values.push_back({draw});
  return audit(values, {rule});
}

} // namespace

TEST(audit, an_honest_task_passes) {
  for (auto rule : {policy::fp32, policy::half, policy::pike})
    EXPECT_EQ(audit_of({noise(1), noise(2), noise(3)}, rule), "");
}

TEST(audit, outputs_of_zeros_are_degenerate) {
  EXPECT_EQ(audit_of({at::zeros({4}), at::zeros({4})}), "an answer of zeros passes");
}

TEST(audit, outputs_below_a_loose_tolerance_are_degenerate_under_it_alone) {
  std::vector draws{noise(1) * 1e-3, noise(2) * 1e-3};
  EXPECT_EQ(audit_of(draws, policy::pike), "an answer of zeros passes");
  EXPECT_EQ(audit_of(draws, policy::fp32), "");
}

TEST(audit, outputs_that_ignore_the_inputs_are_degenerate) {
  EXPECT_EQ(audit_of({noise(1), noise(1), noise(1)}), "the outputs do not depend on the inputs");
  EXPECT_EQ(audit_of({noise(1), noise(1), noise(2)}), "");
}

TEST(audit, one_draw_says_nothing_about_the_inputs) {
  EXPECT_EQ(audit_of({noise(1)}), "");
  EXPECT_EQ(audit_of({at::scalar_tensor(0.7f, at::kFloat)}), "");
}

TEST(audit, a_constant_that_passes_is_degenerate) {
  EXPECT_EQ(audit_of({1 + noise(1) * 1e-3, 1 + noise(2) * 1e-3}, policy::pike),
            "the outputs do not depend on the inputs");
  EXPECT_EQ(audit_of({at::full({8}, 2.0f)}), "the same constant passes for every element");
}

TEST(audit, an_answer_that_is_half_zeros_is_degenerate) {
  auto draw = [](int seed) {
    auto x = noise(seed);
    x.narrow(0, 8, 8).zero_();
    return x;
  };
  EXPECT_EQ(audit_of({draw(1), draw(2)}), "half an answer passes, the rest left at zero");
}

TEST(audit, an_answer_that_reads_the_same_backwards_is_degenerate) {
  auto draw = [](int seed) { return noise(seed) + noise(seed).flatten().flip(0).view({16, 16}); };
  EXPECT_EQ(audit_of({draw(1), draw(2)}), "the elements in reversed order pass");
}

TEST(audit, one_output_that_is_constant_does_not_spoil_the_others) {
  std::vector<value> draws{tuple_of(noise(1), at::zeros({4})), tuple_of(noise(2), at::zeros({4}))};
  EXPECT_EQ(audit(draws, {}), "");
}

TEST(audit, a_scalar_output_per_draw_is_fine) {
  EXPECT_EQ(audit_of({at::scalar_tensor(0.7f, at::kFloat), at::scalar_tensor(0.9f, at::kFloat)}),
            "");
}

TEST(audit, a_task_without_tensors_is_degenerate) {
  std::vector<value> draws{tuple_of(scalar{1.0})};
  EXPECT_EQ(audit(draws, {}), "the reference returns no tensor");
}

TEST(audit, outputs_without_elements_are_degenerate) {
  EXPECT_EQ(audit_of({at::empty({0, 16}), at::empty({0, 16})}),
            "its outputs are empty, so any answer passes");
  EXPECT_EQ(audit_of({at::empty({0})}), "its outputs are empty, so any answer passes");
  EXPECT_EQ(audit_of({at::empty({0}), noise(1)}), "") << "another draw has some";
  std::vector<value> draws{tuple_of(at::empty({0}), noise(1)), tuple_of(at::empty({0}), noise(2))};
  EXPECT_EQ(audit(draws, {}), "") << "another output has some";
}

TEST(audit, tells_every_trivial_answer_and_which_pass) {
  std::vector<value> draws{{noise(1) * 1e-3}, {noise(2) * 1e-3}};
  auto tried = try_trivial_answers(draws, {policy::pike});
  ASSERT_EQ(tried.size(), 5u);
  for (auto& x : tried)
    EXPECT_EQ(x.passes, true) << x.name;
  for (auto& x : try_trivial_answers(draws, {policy::fp32}))
    EXPECT_EQ(x.passes, false) << x.name;
}

TEST(audit, says_of_which_answers_an_output_is_no_test) {
  std::vector<value> draws{{at::scalar_tensor(0.7f, at::kFloat)}};
  auto tried = try_trivial_answers(draws, {policy::fp32});
  ASSERT_EQ(tried.size(), 5u);
  EXPECT_EQ(tried[0].passes, false) << "zeros";
  for (std::size_t i = 1; i < tried.size(); ++i)
    EXPECT_EQ(tried[i].passes, std::nullopt) << tried[i].name;
}
