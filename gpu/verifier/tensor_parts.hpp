#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lathe::verifier {

/// The same elements of three tensors, in float64, and what has to match otherwise than by
/// distance.
struct tensor_part {
  at::Tensor expected;
  at::Tensor exact; ///< `expected` where there is no float64 run
  at::Tensor got;
  /// bool: in both references; undefined where everything is, the answer too
  at::Tensor finite;
  /// bool: NaN or infinite where the other is not, or another infinity; undefined as `finite`
  at::Tensor misplaced;

  /// @param where to compute
  /// @param correction added to `expected` it gives `exact`; undefined without a float64 run
  tensor_part(at::Device where, const at::Tensor& expected, const at::Tensor& correction,
              const at::Tensor& got);

  /// Looks for what is not finite. Until then all of it is taken to be.
  void find_finite();

  /// Returns a sum over all three that is not finite where any element is not, on their device.
  at::Tensor sum() const;

  /// Returns those of these values that are finite in both references.
  at::Tensor where_finite(const at::Tensor& values) const;

  /// Returns the answer's distance from a reference, element by element: infinite where it is
  /// misplaced.
  at::Tensor distance(const at::Tensor& from) const;
};

/// Three tensors of the same size, cut alike into parts, which bounds the memory that it takes to
/// compare them. Where they lie in the host's memory for want of room on the GPU, a part may still
/// fit there.
class tensor_parts {
public:
  /// @param correction undefined where there is no float64 run
  tensor_parts(const at::Tensor& expected, const at::Tensor& correction, const at::Tensor& got);

  std::int64_t count() const;

  tensor_part part(std::int64_t index) const;

  /// Returns the part as it is when all of it is finite, without waiting for the device to look.
  tensor_part part_if_finite(std::int64_t index) const;

private:
  at::Tensor expected_;
  at::Tensor correction_;
  at::Tensor got_;
  at::Device where_;
  std::int64_t size_; // of a part [elements]
};

} // namespace lathe::verifier
