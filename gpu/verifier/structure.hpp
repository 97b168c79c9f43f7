#pragma once

#include "gpu/verifier/values.hpp"

#include <string>
#include <vector>

namespace lathe::verifier {

/// One tensor of a tree, with the name that people know it by: `output 1`, `output 0['mask']`.
struct leaf {
  std::string name;
  at::Tensor tensor;
};

/// Returns all tensors of a tree, in order. Equal trees have their leaves in equal order.
std::vector<leaf> leaves(const value& tree);

/// Compares nesting, keys, shapes, dtypes and scalars. Returns the first difference in one
/// sentence, or an empty string when only the tensors' elements are left to compare.
std::string structure_difference(const value& expected, const value& got);

/// Writes a shape as people do: `[2, 3]`.
std::string describe_shape(c10::IntArrayRef shape);

} // namespace lathe::verifier
