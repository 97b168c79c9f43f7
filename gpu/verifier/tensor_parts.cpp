#include "gpu/verifier/tensor_parts.hpp"

#include "gpu/verifier/compute_device.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lathe::verifier {

namespace {

// A part is a dozen tensors of 8 bytes an element. A processor has them in its cache [elements].
constexpr std::int64_t gpu_part = 4 << 20;
constexpr std::int64_t cpu_part = 64 << 10;
constexpr std::int64_t part_memory = 16 * 8 * gpu_part; // [bytes]

at::Tensor in_double(const at::Tensor& x, at::Device where) {
  return x.to(where).to(at::kDouble);
}

} // namespace

tensor_part::tensor_part(at::Device where, const at::Tensor& e, const at::Tensor& correction,
                         const at::Tensor& g)
  : expected(in_double(e, where)),
    exact(correction.defined() ? expected + in_double(correction, where) : expected),
    got(in_double(g, where)) {
  // nop
}

at::Tensor tensor_part::sum() const {
  return expected.sum() + exact.sum() + got.sum();
}

void tensor_part::find_finite() {
  if (std::isfinite(sum().item<double>()))
    return;
  // Where the float32 run overflows, it is what the answer has to match.
  finite = expected.isfinite().logical_and(exact.isfinite());
  auto alike = expected.eq(got).logical_or(expected.isnan().logical_and(got.isnan()));
  misplaced = at::where(finite, got.isfinite().logical_not(), alike.logical_not());
}

at::Tensor tensor_part::where_finite(const at::Tensor& values) const {
  return finite.defined() ? values.masked_select(finite) : values;
}

at::Tensor tensor_part::distance(const at::Tensor& from) const {
  constexpr auto infinite = std::numeric_limits<double>::infinity();
  auto result = (got - from).abs();
  return finite.defined()
           ? result.masked_fill(finite.logical_not(), 0).masked_fill(misplaced, infinite)
           : result;
}

tensor_parts::tensor_parts(const at::Tensor& expected, const at::Tensor& correction,
                           const at::Tensor& got)
  : expected_(expected.flatten()),
    correction_(correction.defined() ? correction.flatten() : at::Tensor{}), got_(got.flatten()),
    where_(place_with_room(part_memory)), size_(where_.is_cpu() ? cpu_part : gpu_part) {
  // nop
}

std::int64_t tensor_parts::count() const {
  return (expected_.numel() + size_ - 1) / size_;
}

tensor_part tensor_parts::part(std::int64_t index) const {
  auto result = part_if_finite(index);
  result.find_finite();
  return result;
}

tensor_part tensor_parts::part_if_finite(std::int64_t index) const {
  auto begin = index * size_;
  auto size = std::min(size_, expected_.numel() - begin);
  auto cut = [&](const at::Tensor& all) {
    return all.defined() ? all.narrow(0, begin, size) : all;
  };
  return {where_, cut(expected_), cut(correction_), cut(got_)};
}

} // namespace lathe::verifier
