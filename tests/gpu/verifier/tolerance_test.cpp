#include "gpu/verifier/tolerance.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

using namespace lathe::verifier;

namespace {

constexpr auto not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr auto infinity = std::numeric_limits<float>::infinity();

// Compares with a float64 run of the reference.
tensor_comparison compare_to(const at::Tensor& exact, const at::Tensor& expected,
                             const at::Tensor& got, const tolerance& allowed) {
  return compare(expected, (exact - expected).to(at::kFloat), got, allowed);
}

// A reference as tasks have them: a product of matrices, in float32 and in float64.
struct product {
  at::Tensor left = at::randn({64, 256}, at::detail::createCPUGenerator(1));
  at::Tensor right = at::randn({256, 64}, at::detail::createCPUGenerator(2));
  at::Tensor expected = left.matmul(right);
  at::Tensor exact = left.to(at::kDouble).matmul(right.to(at::kDouble));

  at::Tensor in(at::ScalarType type) const {
    return left.to(type).matmul(right.to(type)).to(at::kFloat);
  }

  // TF32 keeps 10 bits of the operands' fractions and sums in float32.
  at::Tensor in_tf32() const {
    auto cut = [](const at::Tensor& x) {
      auto bits = x.view(at::kInt);
      return (bits + 0x1000).bitwise_and(~0x1fff).view(at::kFloat);
    };
    return cut(left).matmul(cut(right));
  }
};

tensor_comparison compare_product(const at::Tensor& got, policy rule, double k = 8) {
  product reference;
  return compare_to(reference.exact, reference.expected, got, {rule, k});
}

} // namespace

TEST(tolerance, eager_itself_is_one_unit_off_at_most) {
  product reference;
  auto found = compare_product(reference.expected, policy::fp32);
  EXPECT_TRUE(found.agrees);
  EXPECT_LE(found.ratio, 1);
  EXPECT_GT(found.ratio, 0);
  EXPECT_EQ(found.measured, precision::fp32);
}

TEST(tolerance, another_order_of_summation_is_float32_too) {
  product reference;
  auto got = reference.left.flip(1).matmul(reference.right.flip(0));
  auto found = compare_product(got, policy::fp32);
  EXPECT_TRUE(found.agrees) << found.ratio;
  EXPECT_EQ(found.measured, precision::fp32);
}

TEST(tolerance, precision_classes_are_told_apart) {
  product reference;
  EXPECT_EQ(compare_product(reference.in_tf32(), policy::pike).measured, precision::tf32);
  EXPECT_EQ(compare_product(reference.in(at::kHalf), policy::pike).measured, precision::half);
  EXPECT_EQ(compare_product(reference.in(at::kBFloat16), policy::pike).measured, precision::half);
  EXPECT_EQ(compare_product(reference.exact.to(at::kFloat) * 1.5, policy::pike).measured,
            precision::worse);
}

TEST(tolerance, each_policy_allows_its_own_precision_and_no_worse) {
  product reference;
  auto agrees = [](const at::Tensor& got, policy rule) {
    return compare_product(got, rule).agrees;
  };
  EXPECT_FALSE(agrees(reference.in_tf32(), policy::fp32));
  EXPECT_TRUE(agrees(reference.in_tf32(), policy::tf32));
  EXPECT_FALSE(agrees(reference.in(at::kBFloat16), policy::tf32));
  EXPECT_TRUE(agrees(reference.in(at::kBFloat16), policy::half));
  EXPECT_FALSE(agrees(reference.expected * 1.5, policy::half));
}

TEST(tolerance, where_eager_multiplies_in_tf32_the_class_says_so) {
  product x;
  auto in_tf32 = [&](const at::Tensor& got) {
    return compare_to(x.exact, x.in_tf32(), got, {policy::fp32, 8});
  };
  EXPECT_EQ(in_tf32(x.in_tf32()).measured, precision::tf32);
  EXPECT_TRUE(in_tf32(x.in_tf32()).agrees);
  EXPECT_EQ(in_tf32(x.expected).measured, precision::fp32);
  EXPECT_TRUE(in_tf32(x.expected).agrees);
  EXPECT_FALSE(in_tf32(x.in(at::kBFloat16)).agrees) << "eight times its error, within k";
}

TEST(tolerance, k_scales_what_is_allowed) {
  product reference;
  auto unit = compare_product(reference.expected, policy::fp32).unit;
  auto got = (reference.exact + 5 * unit).to(at::kFloat);
  EXPECT_TRUE(compare_product(got, policy::fp32, 8).agrees);
  EXPECT_FALSE(compare_product(got, policy::fp32, 3).agrees);
}

// As losses are: eager is a third of the last digit off, and other orders of summation are one or
// two.
TEST(tolerance, a_single_number_may_be_off_in_its_last_digit) {
  constexpr auto loss = 8.358f;
  auto digit = std::nextafter(loss, 9.f) - loss;
  auto expected = at::full({}, loss);
  auto exact = expected.to(at::kDouble) + 0.3 * digit;
  for (auto off : {-2, -1, 1, 2}) {
    auto found = compare_to(exact, expected, expected + off * digit, {policy::fp32, 8});
    EXPECT_TRUE(found.agrees) << off << " digits, " << found.ratio;
    EXPECT_EQ(found.measured, precision::fp32) << off;
  }
  auto coarse = compare_to(exact, expected, expected * (1 + 0x1p-11), {policy::fp32, 8});
  EXPECT_FALSE(coarse.agrees);
  EXPECT_EQ(coarse.measured, precision::tf32);
}

TEST(tolerance, a_generous_k_does_not_improve_the_class) {
  product reference;
  auto found = compare_product(reference.in(at::kBFloat16), policy::fp32, 1e6);
  EXPECT_TRUE(found.agrees);
  EXPECT_EQ(found.measured, precision::half);
}

TEST(tolerance, one_wrong_element_is_enough_and_is_pointed_at) {
  product reference;
  auto got = reference.expected.clone();
  got[3][5] = got[3][5] + 0.01;
  auto found = compare_product(got, policy::fp32);
  EXPECT_FALSE(found.agrees);
  EXPECT_EQ(found.off.sum().item<int64_t>(), 1);
  EXPECT_TRUE(found.off[3][5].item<bool>());
}

TEST(tolerance, outputs_that_eager_hits_exactly_still_allow_rounding) {
  auto expected = at::full({100}, 3.7f);
  auto exact = expected.to(at::kDouble);
  auto nudged = at::full({100}, std::nextafter(3.7f, 4.0f));
  EXPECT_TRUE(compare_to(exact, expected, nudged, {}).agrees);
  EXPECT_FALSE(compare_to(exact, expected, expected + 1e-4, {}).agrees);
}

TEST(tolerance, a_reference_of_zeros_wants_zeros) {
  auto expected = at::zeros({4});
  auto exact = expected.to(at::kDouble);
  EXPECT_TRUE(compare_to(exact, expected, at::zeros({4}), {}).agrees);
  EXPECT_FALSE(compare_to(exact, expected, at::full({4}, 1e-6), {}).agrees);
}

TEST(tolerance, nan_and_infinity_have_to_match_in_place) {
  auto expected = at::tensor({1.0f, not_a_number, infinity, 2.0f});
  auto exact = expected.to(at::kDouble);
  auto agrees = [&](float a, float b, float c, float d, policy rule) {
    return compare_to(exact, expected, at::tensor({a, b, c, d}), {rule}).agrees;
  };
  for (auto rule : {policy::fp32, policy::half, policy::kernelbench, policy::pike}) {
    EXPECT_TRUE(agrees(1, not_a_number, infinity, 2, rule)) << lathe::to_string(rule);
    EXPECT_FALSE(agrees(not_a_number, 1, infinity, 2, rule)) << lathe::to_string(rule);
    EXPECT_FALSE(agrees(1, not_a_number, -infinity, 2, rule)) << lathe::to_string(rule);
    EXPECT_FALSE(agrees(1, 0, infinity, 2, rule)) << lathe::to_string(rule);
    EXPECT_FALSE(agrees(1, not_a_number, infinity, not_a_number, rule)) << lathe::to_string(rule);
    EXPECT_FALSE(agrees(infinity, not_a_number, infinity, 2, rule)) << lathe::to_string(rule);
  }
}

TEST(tolerance, where_only_float32_overflows_the_answer_may_as_well) {
  auto expected = at::tensor({1.0f, infinity});
  auto exact = at::tensor({1.0, 1e40});
  EXPECT_TRUE(compare_to(exact, expected, expected, {}).agrees);
  EXPECT_FALSE(compare_to(exact, expected, at::tensor({1.0f, 3e38f}), {}).agrees);
}

TEST(tolerance, integers_and_bools_have_to_be_equal_under_any_policy) {
  auto expected = at::tensor({1, 2, 3});
  auto near = at::tensor({1, 2, 4});
  EXPECT_TRUE(compare(expected, {}, expected, {policy::pike}).agrees);
  auto found = compare(expected, {}, near, {policy::pike});
  EXPECT_FALSE(found.agrees);
  EXPECT_EQ(found.ratio, worst_ratio);
  auto truth = at::arange(2) == 0;
  EXPECT_FALSE(compare(truth, {}, truth.logical_not(), {policy::half}).agrees);
}

TEST(tolerance, the_published_policies_are_allclose) {
  auto expected = at::tensor({0.0f, 1.0f, 100.0f});
  auto off_by = [&](double part, policy rule, at::ScalarType type = at::kFloat) {
    auto e = expected.to(type);
    auto got = (e.to(at::kDouble) + part * (1 + e.to(at::kDouble))).to(type);
    auto result = compare(e, {}, got, {rule});
    EXPECT_EQ(result.agrees,
              at::allclose(e, got, type == at::kHalf || rule == policy::pike ? 1e-2 : 1e-4,
                           type == at::kHalf || rule == policy::pike ? 1e-2 : 1e-4));
    return result.agrees;
  };
  EXPECT_TRUE(off_by(0.9e-4, policy::kernelbench));
  EXPECT_FALSE(off_by(1.2e-4, policy::kernelbench));
  EXPECT_TRUE(off_by(0.8e-2, policy::kernelbench, at::kHalf));
  EXPECT_TRUE(off_by(0.9e-2, policy::pike));
  EXPECT_FALSE(off_by(1.2e-2, policy::pike));
}

TEST(tolerance, without_a_float64_run_float32_sums_still_agree) {
  product reference;
  auto other_order = reference.left.flip(1).matmul(reference.right.flip(0));
  EXPECT_TRUE(compare(reference.expected, {}, other_order, {}).agrees);
  EXPECT_FALSE(compare(reference.expected, {}, reference.in_tf32(), {}).agrees);
}

TEST(tolerance, large_outputs_are_compared_in_parts_as_if_they_were_not) {
  constexpr std::int64_t small = 50'000;
  constexpr std::int64_t copies = 9; // seven parts and a bit
  auto seed = at::randn({small}).mul(2).add(1);
  auto exact = seed.to(at::kDouble).add(1e-7);
  auto many = [&](const at::Tensor& x) { return x.repeat({copies}).view({copies, small}); };
  auto near = compare_to(many(exact), many(seed), many(seed), {});
  auto same = compare_to(exact, seed, seed, {});
  EXPECT_TRUE(near.agrees);
  EXPECT_NEAR(near.unit, same.unit, 1e-9 * same.unit);
  EXPECT_EQ(near.measured, same.measured);
  auto wrong = many(seed);
  wrong[copies - 1][small - 1] += 1;
  auto found = compare_to(many(exact), many(seed), wrong, {policy::pike});
  EXPECT_FALSE(found.agrees);
  EXPECT_EQ(found.off.sum().item<std::int64_t>(), 1);
  EXPECT_TRUE(found.off[copies - 1][small - 1].item<bool>());
  ASSERT_EQ(found.worst.size(), 1u);
  EXPECT_EQ(found.worst[0].index, copies * small - 1);
  EXPECT_NEAR(found.worst[0].error, 1, 1e-3);
  auto rounded = many(seed.to(at::kHalf).to(at::kFloat));
  EXPECT_EQ(compare_to(many(exact), many(seed), rounded, {}).measured, precision::half);
}

TEST(tolerance, what_is_not_finite_in_one_part_changes_nothing_in_the_others) {
  constexpr std::int64_t size = 300'000; // four parts and a bit
  auto expected = at::randn({size});
  auto exact = expected.to(at::kDouble).add(1e-7);
  auto plain = compare_to(exact, expected, expected, {});
  for (auto& x : {exact, expected})
    for (auto [place, value] : {std::pair{100'000, infinity}, {100'001, not_a_number}})
      x[place] = value;
  auto same = compare_to(exact, expected, expected, {});
  EXPECT_TRUE(same.agrees);
  EXPECT_NEAR(same.unit, plain.unit, 1e-3 * plain.unit);
  EXPECT_EQ(same.measured, precision::fp32);
  auto rounded = compare_to(exact, expected, expected.to(at::kHalf).to(at::kFloat), {});
  EXPECT_EQ(rounded.measured, precision::half);
  for (auto place : {0, 100'000, 100'001, 299'999}) {
    auto got = expected.clone();
    got[place] = -infinity;
    auto found = compare_to(exact, expected, got, {});
    EXPECT_FALSE(found.agrees) << place;
    ASSERT_EQ(found.worst.size(), 1u) << place;
    EXPECT_EQ(found.worst[0].index, place);
  }
}

TEST(tolerance, empty_and_single_outputs_are_no_special_case) {
  auto nothing = at::ones({0, 3});
  EXPECT_TRUE(compare_to(nothing, nothing, nothing, {}).agrees);
  auto one = at::scalar_tensor(0.7f, at::kFloat);
  EXPECT_TRUE(compare_to(one, one, one, {}).agrees);
  EXPECT_FALSE(compare_to(one, one, one * 1.001, {}).agrees);
}
