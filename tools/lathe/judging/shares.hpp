#pragma once

#include "tools/lathe/judging/batch.hpp"

#include <cstddef>
#include <functional>
#include <vector>

namespace lathe::judging {

/// Judges a part of a batch on one of several devices, given by its number, and tells each row, in
/// order. Blocks.
using share_judge = std::function<void(std::size_t device, const batch& share,
                                       const std::function<void(const row&)>& tell)>;

/// Deals the tasks of a batch out to devices, which judge side by side: all candidates of a task on
/// the same one. What a device that was lost (`device_lost`) has not judged is dealt out once more,
/// to those that are left.
/// @param devices how many, at least one
/// @param tell is called with each row, in order, as soon as it and those before it are complete;
/// never twice at a time
std::vector<row> judge_in_shares(const batch& work, std::size_t devices, const share_judge& judge,
                                 const std::function<void(const row&)>& tell);

} // namespace lathe::judging
