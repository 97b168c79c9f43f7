#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lathe::verifier {

/// What the entries along a dimension are called: `row`, `rows`.
struct noun {
  std::string one;
  std::string many;
};

/// Says which of `size` entries `indexes` (ascending, not empty) names, and how they lie:
/// `rows 127, 255 (the last row of every block of 128)`. Empty when they lie all over the place.
std::string describe_indexes(const std::vector<std::int64_t>& indexes, std::int64_t size,
                             const noun& name);

} // namespace lathe::verifier
