#pragma once

#include "gpu/verifier/comparison.hpp"
#include "gpu/verifier/tolerance.hpp"
#include "gpu/verifier/values.hpp"

#include <span>
#include <string>
#include <vector>

namespace lathe::verifier {

/// Looks for a trivial answer that the policy would accept: zeros, one constant, the first draw's
/// answer for every draw, half an answer, elements in reversed order. `draws` are the reference's
/// outputs for different inputs. Returns why the task proves nothing, or an empty string.
std::string audit(std::span<const value> draws, const tolerance& allowed);

/// Returns all trivial answers and whether the policy would accept them.
std::vector<trivial_answer> try_trivial_answers(std::span<const value> draws,
                                                const tolerance& allowed);

} // namespace lathe::verifier
