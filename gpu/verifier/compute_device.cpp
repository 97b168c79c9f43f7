#include "gpu/verifier/compute_device.hpp"

#include <ATen/ATen.h>

#include <cstdlib>

#include <dlfcn.h>

namespace lathe::verifier {

namespace {

at::Device choose() {
  auto* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  if (visible == nullptr || *visible == '\0')
    return at::kCPU;
  // It registers itself with the part that is linked, before anybody has asked for CUDA.
  if (::dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr || !at::hasCUDA())
    return at::kCPU;
  return {at::kCUDA, 0};
}

} // namespace

at::Device compute_device() {
  static const auto device = choose();
  return device;
}

} // namespace lathe::verifier
