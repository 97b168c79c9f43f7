#include "gpu/verifier/compute_device.hpp"

#include "gpu/verifier/comparison.hpp"

#include <ATen/ATen.h>
#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>
#include <cstdlib>

#include <dlfcn.h>

namespace lathe::verifier {

namespace {

// What is kept where nobody says how much [bytes].
constexpr std::int64_t usually_kept = 512 << 20;

// For what others take meanwhile, and for what is lost between blocks [bytes].
constexpr std::int64_t spared_memory = 512 << 20;

constexpr auto all = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);

at::Device choose() {
  auto* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  if (visible == nullptr || *visible == '\0')
    return at::kCPU;
  // It registers itself with the part that is linked, before anybody has asked for CUDA.
  if (::dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr || !at::hasCUDA())
    return at::kCPU;
  return {at::kCUDA, 0};
}

std::int64_t memory_to_keep() {
  auto* given = std::getenv(kept_memory_variable);
  return given != nullptr ? std::max(usually_kept, std::int64_t{std::atoll(given)}) : usually_kept;
}

} // namespace

at::Device compute_device() {
  static const auto device = choose();
  return device;
}

at::Device place_with_room(std::int64_t bytes) {
  auto device = compute_device();
  if (device.is_cpu())
    return device;
  at::globalContext().lazyInitDevice(device.type());
  auto& memory = *c10::getDeviceAllocator(device.type());
  auto held = memory.getDeviceStats(device.index());
  auto unused = held.reserved_bytes[all].current - held.allocated_bytes[all].current;
  auto free = static_cast<std::int64_t>(memory.getMemoryInfo(device.index()).first);
  return bytes <= free + unused - spared_memory ? device : at::kCPU;
}

void release_memory() {
  auto device = compute_device();
  if (device.is_cpu())
    return;
  auto& memory = *c10::getDeviceAllocator(device.type());
  static const auto kept = memory_to_keep();
  if (memory.initialized()
      && memory.getDeviceStats(device.index()).reserved_bytes[all].current > kept)
    memory.emptyCache();
}

} // namespace lathe::verifier
