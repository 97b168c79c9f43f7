#pragma once

#include "gpu/evaluation_site.hpp"
#include "gpu/nvml.hpp"

#include <caf/error.hpp>

#include <functional>
#include <optional>
#include <sys/types.h>
#include <vector>

// Whether a GPU can be used after something went wrong on it.

namespace lathe::gpu {

/// Returns those of the listed processes that are gone. In a container the driver may list numbers
/// that mean other processes here; as long as it does not list ours, nothing can be said of others.
/// @param listed what the driver says
/// @param ours the group of a process that is known to be on the GPU now
/// @param live_group finds the group of a live process
std::vector<gpu_process> left_behind(std::vector<gpu_process> listed, pid_t ours,
                                     const std::function<std::optional<pid_t>(pid_t)>& live_group);

/// Probes a site's GPU: a fresh evaluation process has to compute on it, and no process that is
/// gone may hold any of its memory. Blocks, for about a minute at most. Returns what is wrong, or
/// `cancelled` when the site is closed.
caf::error probe_device(evaluation_site& site);

} // namespace lathe::gpu
