#pragma once

#include "messages/enum_names.hpp"

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

namespace lathe::verifier {

/// How near an answer has to be, see evaluation.md section 3.
enum class policy : std::uint8_t {
  fp32,        ///< as near to the float64 run as `k` times float32 eager's own error
  tf32,        ///< the same with the error that eager shows when it multiplies in TF32
  half,        ///< the same with the error that eager shows in bfloat16
  kernelbench, ///< allclose at 1e-4 (float32) or 1e-2 (half types), as published
  pike,        ///< allclose at 1e-2, as published
};

/// What an answer's error looks like, whatever the policy says about it.
enum class precision : std::uint8_t { fp32, tf32, half, worse };

/// What is wanted of a comparison. To look for the pattern of errors takes time and memory.
enum class detail : std::uint8_t {
  verdict,  ///< whether they agree, and how nearly
  evidence, ///< and where and how they do not
};

/// A policy and how many times eager's error it allows.
struct tolerance {
  verifier::policy policy = verifier::policy::fp32;
  double k = 8; ///< not used by kernelbench and pike
};

/// True for the policies that are stated in units of eager's own error.
bool measures_in_eager_errors(policy x);

/// An element that is outside the tolerance.
struct wrong_element {
  std::int64_t index; ///< in the flat tensor
  double error;       ///< infinite where NaN, infinities or integers differ
  double limit;       ///< the error that is allowed
};

/// How an answer's tensor compares with the reference's.
struct tensor_comparison {
  // Where they disagree and somebody wants evidence.
  at::Tensor off; ///< bool, one an element: outside the tolerance; on whichever device has room
  std::vector<wrong_element> worst; ///< some of them, those with the largest errors first

  double unit = 0;  ///< float32 eager's error, or the least that is worth telling apart
  double ratio = 0; ///< the worst error in units; at most `worst_ratio`
  precision measured = precision::fp32;
  bool agrees = true;
};

/// Stands for an infinite `tensor_comparison::ratio`, so that it can travel as a JSON number.
inline constexpr double worst_ratio = 1e30;

/// Compares two tensors of equal shape and dtype. `correction`, of the same shape, is what has to
/// be added to `expected` for the reference's float64 run; undefined when there is none. Complex
/// tensors have to be viewed as real ones first.
///
/// Floating point: with `u` the unit round-off of a precision (float32 2^-24, TF32 2^-11, bfloat16
/// 2^-8), its unit of error over one output is the largest of
///   - float32 eager's worst error against the float64 run,
///   - 2 u of the output's standard deviation: one product of matrices with rounded operands shows
///     a worst error of 3 u of it (measured: TF32 3, 12 layers 10, 32 layers 16; one in bfloat16
///     3 to 4 of its own u, which is 8 times TF32's), so that 8 units tell precisions apart,
///   - u / 2 of the largest value, so that 8 units hold a last digit that is off by two.
/// The second and third keep constant outputs, and outputs that eager hits exactly, from asking for
/// the impossible. An answer has the class of the first precision whose 8 units hold its error,
/// whatever k is. Where eager itself multiplies in TF32, which its own error shows where rounding
/// to float32 does not explain it, an answer of class fp32 has to be well below that error, and
/// policy fp32 allows 3 of its errors at most. Integers and bools have to be equal. NaN and
/// infinities have to match in place.
///
/// Beside the tensors, and `off`, it takes some gigabytes at most, however large they are.
tensor_comparison compare(const at::Tensor& expected, const at::Tensor& correction,
                          const at::Tensor& got, const tolerance& allowed,
                          detail wanted = detail::evidence);

} // namespace lathe::verifier

namespace lathe {

template <>
struct enum_names<verifier::policy> {
  static constexpr std::array<std::string_view, 5> value = {"fp32", "tf32", "half", "kernelbench",
                                                            "pike"};
};

template <>
struct enum_names<verifier::precision> {
  static constexpr std::array<std::string_view, 4> value = {"fp32", "tf32", "half", "worse"};
};

} // namespace lathe
