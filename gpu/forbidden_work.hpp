#pragma once

#include "gpu/timing_rules.hpp"
#include "messages/verdict.hpp"

#include <optional>
#include <string>
#include <vector>

// What may be a matter of taste is reported with each correct candidate, and refused only where the
// configuration forbids it. Pure.

namespace lathe::gpu {

/// Kernels that take less than this share of the device's time are overlooked: no candidate that
/// launches a trifle of its own beside torch's work has kernels of its own, and none that sums up
/// one column with cuBLAS uses a library.
inline constexpr double negligible_share = 0.01;

/// What `evaluator_config::forbid` may hold: graphs, libraries, fallback, folding.
const std::vector<std::string>& matters_of_taste();

/// Those that show in what a device does, and cannot be seen on a CPU: all but folding.
const std::vector<std::string>& matters_of_devices();

/// Says which of the things in `forbid` cannot be seen without a GPU; empty when there is none.
std::string unseen_on_cpu(const std::vector<std::string>& forbid);

/// Returns whether a call leaves the device's work to torch and libraries: kernels of its own are
/// none, or a trifle. A CUDA graph of torch's kernels is none the less a fallback.
bool falls_back(const device_work& x);

/// Refuses a correct candidate that does what is forbidden, under the names `forbidden-graphs`,
/// `forbidden-libraries`, `forbidden-fallback` and `forbidden-folding`. What is not known of it is
/// no offence.
std::optional<refusal> check_forbidden(const std::vector<std::string>& forbid,
                                       const std::optional<device_work>& work,
                                       const std::optional<bool>& folds);

} // namespace lathe::gpu
