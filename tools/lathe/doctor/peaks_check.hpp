#pragma once

#include "gpu/roofline.hpp"
#include "tools/lathe/doctor/finding.hpp"

#include <filesystem>
#include <optional>

namespace lathe::doctor {

/// Tells what the device was measured to do at best, where a run has measured it.
finding judge_peaks(const std::optional<gpu::device_peaks>& x);

/// Looks for the measurements of the device that runs use unless told otherwise.
/// @param cache Lathe's folder for what can be made again
finding check_peaks(const std::filesystem::path& cache);

} // namespace lathe::doctor
