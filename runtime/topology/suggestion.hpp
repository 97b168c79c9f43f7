#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::runtime {

/// Returns how many letters have to be put in, left out, replaced or swapped with their neighbour
/// to get from `a` to `b` (the optimal string alignment distance).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// Returns "; did you mean 'instances'?" for the closest known word, or nothing when none is close.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

/// Joins words for a sentence: "a", "a or b", "a, b or c".
std::string either(const std::vector<std::string>& words);

} // namespace lathe::runtime
