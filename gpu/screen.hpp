#pragma once

#include "messages/verdict.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace lathe::gpu {

/// The largest candidate that is looked at [bytes].
inline constexpr std::size_t max_candidate_size = 1 << 20;

/// The first stage of an evaluation, on the text alone: refuses what can be no candidate. Pure.
/// @param takes_model a class `Model` does, too, in place of `ModelNew`
std::optional<verdict> screen(std::string_view source, bool takes_model = false);

/// Returns a hash that is the same for texts that differ only in line ends, blank lines and trailing
/// spaces: such candidates get the same verdict.
std::string normalised_hash(std::string_view source);

} // namespace lathe::gpu
