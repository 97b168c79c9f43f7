#pragma once

#include "gpu/verifier/comparison.hpp"
#include "gpu/verifier/tolerance.hpp"
#include "gpu/verifier/values.hpp"

namespace lathe::verifier {

/// Judges what a candidate returned. `correction` is what the reference's float64 run adds to
/// `expected`, or null where there is no such run; it has to have the tensors of `expected`, dtypes
/// aside, to be of use.
comparison judge(const value& expected, const value* correction, const value& got,
                 const tolerance& allowed, detail said = detail::evidence);

/// What is said about an answer whose file cannot be read.
comparison unreadable(const std::string& problem);

} // namespace lathe::verifier
