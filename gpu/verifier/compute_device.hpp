#pragma once

#include <c10/core/Device.h>

#include <cstdint>

namespace lathe::verifier {

/// Where tensors are compared: on the GPU that CUDA_VISIBLE_DEVICES names, or on the CPU where it
/// names none or torch has no CUDA. Decided once.
at::Device compute_device();

/// Returns the compute device where that has room for so much [bytes], else the CPU. Who asks first
/// is spared torch's own way of running out of memory, on which processes have been seen to abort.
at::Device place_with_room(std::int64_t bytes);

/// Gives the GPU's memory back that comparisons took and none needs now, where it is more than may
/// be kept (`kept_memory_variable`): it is everybody's.
void release_memory();

} // namespace lathe::verifier
