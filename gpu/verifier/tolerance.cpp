#include "gpu/verifier/tolerance.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

namespace lathe::verifier {

namespace {

// Unit round-offs, by `precision`: float32, TF32, bfloat16.
constexpr std::array<double, 3> round_off = {0x1p-24, 0x1p-11, 0x1p-8};

// How many units of error belong to a precision's class, however many a policy allows.
constexpr double class_width = 8;

// Without a float64 run, eager's error is taken to be this part of the spread: what sums over
// some thousands of products, a few layers deep, show.
constexpr double assumed_eager_error = 0x1p-17;

// Eager's error in units of TF32's round-off and the output's spread from which on eager itself
// multiplies in TF32, as convolutions on a GPU do unless told otherwise. One product shows 3.
constexpr double tf32_sign = 0.25;

// Then another algorithm may be off by this many of eager's errors, whatever k float32 is allowed.
constexpr double tf32_slack = 3;

// What the reference's output is like, over the elements that are finite.
struct output_scale {
  double eager_error = 0;
  double spread = 0;
  double largest = 0;
  double own_round_off = 0; // of the output's dtype
};

double unit_of(const output_scale& scale, precision x) {
  auto u = std::max(round_off[static_cast<std::size_t>(x)], scale.own_round_off);
  return std::max({scale.eager_error, 2 * u * scale.spread, u / 2 * scale.largest,
                   double{std::numeric_limits<float>::min()}});
}

double least_tf32_error(const output_scale& scale) {
  return tf32_sign * round_off[static_cast<std::size_t>(precision::tf32)] * scale.spread;
}

bool eager_is_tf32(const output_scale& scale) {
  return scale.own_round_off <= 0x1p-24 && scale.eager_error > least_tf32_error(scale);
}

double own_round_off(at::ScalarType type) {
  switch (type) {
    case at::kBFloat16:
      return 0x1p-8;
    case at::kHalf:
      return 0x1p-11;
    default:
      return 0x1p-24;
  }
}

bool is_half_type(at::ScalarType type) {
  return type == at::kHalf || type == at::kBFloat16;
}

output_scale measure(const at::Tensor& expected, const at::Tensor& exact, bool have_exact) {
  output_scale result;
  if (exact.numel() == 0)
    return result;
  result.spread = exact.std(0, /*unbiased=*/false).item<double>();
  result.largest = exact.abs().max().item<double>();
  result.eager_error = have_exact ? (expected - exact).abs().max().item<double>()
                                  : assumed_eager_error * result.spread;
  return result;
}

// TF32 and float16 round alike, so the size of an error cannot tell them apart; an answer whose
// every element fits 16 bits can, unless the expected one's do as well (zeros, ones, labels).
bool came_through_half(const at::Tensor& expected, const at::Tensor& got) {
  auto fits = [](const at::Tensor& x, at::ScalarType type) {
    return x.to(type).to(at::kDouble).equal(x);
  };
  for (auto type : {at::kHalf, at::kBFloat16})
    if (fits(got, type) && !fits(expected, type))
      return true;
  return false;
}

precision classify(double worst, const output_scale& scale) {
  auto holds = [&](precision x) { return worst <= class_width * unit_of(scale, x); };
  auto is_fp32 = eager_is_tf32(scale) ? worst <= least_tf32_error(scale) : holds(precision::fp32);
  if (is_fp32)
    return precision::fp32;
  for (auto x : {precision::tf32, precision::half})
    if (holds(x))
      return x;
  return precision::worse;
}

at::Tensor limit_of(const output_scale& scale, const at::Tensor& got, at::ScalarType type,
                    const tolerance& allowed) {
  auto all_alike = [](double x) { return at::scalar_tensor(x, at::kDouble); };
  // torch.allclose(reference, candidate) scales rtol by its second argument.
  auto all_close = [&](double x) { return x + x * got.abs().nan_to_num(0, 0, 0); };
  switch (allowed.policy) {
    case policy::fp32:
      return all_alike((eager_is_tf32(scale) ? std::min(allowed.k, tf32_slack) : allowed.k)
                       * unit_of(scale, precision::fp32));
    case policy::tf32:
      return all_alike(allowed.k * unit_of(scale, precision::tf32));
    case policy::half:
      return all_alike(allowed.k * unit_of(scale, precision::half));
    case policy::kernelbench:
      return all_close(is_half_type(type) ? 1e-2 : 1e-4);
    case policy::pike:
      return all_close(1e-2);
  }
  return all_alike(0);
}

tensor_comparison compare_discrete(const at::Tensor& expected, const at::Tensor& got) {
  tensor_comparison result;
  constexpr auto infinite = std::numeric_limits<double>::infinity();
  result.off = expected != got;
  result.error = at::zeros(expected.sizes(), expected.options().dtype(at::kDouble)).masked_fill(result.off, infinite);
  result.limit = at::scalar_tensor(0, at::kDouble);
  result.agrees = !result.off.any().item<bool>();
  result.ratio = result.agrees ? 0 : worst_ratio;
  result.measured = result.agrees ? precision::fp32 : precision::worse;
  return result;
}

} // namespace

bool measures_in_eager_errors(policy x) {
  return x == policy::fp32 || x == policy::tf32 || x == policy::half;
}

tensor_comparison compare(const at::Tensor& expected, const at::Tensor& exact,
                          const at::Tensor& got, const tolerance& allowed) {
  if (!expected.is_floating_point())
    return compare_discrete(expected, got);
  auto type = expected.scalar_type();
  auto e = expected.to(at::kDouble);
  auto x = exact.defined() ? exact.to(at::kDouble) : e;
  auto g = got.to(at::kDouble);
  // Where the float32 run overflows, it is what the answer has to match.
  auto finite = e.isfinite().logical_and(x.isfinite());
  auto alike = e.eq(g).logical_or(e.isnan().logical_and(g.isnan()));
  auto misplaced = at::where(finite, g.isfinite().logical_not(), alike.logical_not());
  auto distance = [&](const at::Tensor& from) {
    constexpr auto infinite = std::numeric_limits<double>::infinity();
    return (g - from).abs().masked_fill(finite.logical_not(), 0).masked_fill(misplaced, infinite);
  };

  auto finite_e = e.masked_select(finite);
  auto scale = measure(finite_e, x.masked_select(finite), exact.defined());
  scale.own_round_off = own_round_off(type);
  tensor_comparison result;
  auto exact_error = distance(x);
  auto worst = exact_error.numel() == 0 ? 0 : exact_error.max().item<double>();
  result.unit = unit_of(scale, precision::fp32);
  result.ratio = std::min(worst / result.unit, worst_ratio);
  result.measured = classify(worst, scale);
  if (is_half_type(type) || came_through_half(finite_e, g.masked_select(finite)))
    result.measured = std::max(result.measured, precision::half);
  result.error = measures_in_eager_errors(allowed.policy) ? exact_error : distance(e);
  result.limit = limit_of(scale, g, type, allowed);
  result.off = result.error > result.limit;
  result.agrees = !result.off.any().item<bool>();
  return result;
}

} // namespace lathe::verifier
