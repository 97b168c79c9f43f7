#pragma once

#include "gpu/verifier/structure.hpp"
#include "gpu/verifier/tolerance.hpp"

#include <string>

namespace lathe::verifier {

/// Says where the elements that are off lie: `all in rows 127, 255 (the last row of ...)`.
std::string describe_place(const at::Tensor& off);

/// Says how the answer relates to what was expected where it is off: `all of these are NaN`,
/// `off by a constant factor 2`. Empty when nothing simple explains it.
std::string describe_relation(const at::Tensor& expected, const at::Tensor& got,
                              const at::Tensor& off);

/// What people and the fixer are told about an output that is off: how many elements, where,
/// how, and at most three of the worst, to four digits: never enough to copy the expected output.
std::string describe_errors(const leaf& expected, const at::Tensor& got,
                            const tensor_comparison& found, policy rule);

/// Writes a number with few digits: `8`, `1.1`, `3.1e4`.
std::string brief(double x);

} // namespace lathe::verifier
