#pragma once

#include <c10/core/Device.h>

namespace lathe::verifier {

/// Where tensors are compared: on the GPU that CUDA_VISIBLE_DEVICES names, or on the CPU where it
/// names none or torch has no CUDA. Decided once.
at::Device compute_device();

} // namespace lathe::verifier
