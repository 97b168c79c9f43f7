// Stands in for CUDA's driver where only copies are wanted: the device's memory is the host's, and
// all that is asked is done when the call returns.
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int success = 0;

int make(void** result, std::size_t bytes) {
  *result = std::malloc(bytes);
  return success;
}

} // namespace

#define LATHE_NOTHING_TO_DO(name)                                                                  \
  int name() {                                                                                     \
    return success;                                                                                \
  }

extern "C" {

int cuEventCreate(void** result, unsigned) {
  return make(result, 1);
}

int cuStreamCreate(void** result, unsigned) {
  return make(result, 1);
}

int cuMemHostAlloc(void** result, std::size_t bytes, unsigned) {
  return make(result, bytes);
}

int cuMemcpyHtoDAsync_v2(void* target, const void* source, std::size_t bytes, void*) {
  std::memcpy(target, source, bytes);
  return success;
}

int cuMemcpyDtoHAsync_v2(void* target, const void* source, std::size_t bytes, void*) {
  std::memcpy(target, source, bytes);
  return success;
}

LATHE_NOTHING_TO_DO(cuCtxGetCurrent)
LATHE_NOTHING_TO_DO(cuCtxResetPersistingL2Cache)
LATHE_NOTHING_TO_DO(cuCtxSetCurrent)
LATHE_NOTHING_TO_DO(cuCtxSynchronize)
LATHE_NOTHING_TO_DO(cuEventElapsedTime)
LATHE_NOTHING_TO_DO(cuEventRecord)
LATHE_NOTHING_TO_DO(cuEventSynchronize)
LATHE_NOTHING_TO_DO(cuGetErrorString)
LATHE_NOTHING_TO_DO(cuLaunchKernel)
LATHE_NOTHING_TO_DO(cuMemAlloc_v2)
LATHE_NOTHING_TO_DO(cuMemFree_v2)
LATHE_NOTHING_TO_DO(cuMemcpyDtoDAsync_v2)
LATHE_NOTHING_TO_DO(cuMemcpyDtoH_v2)
LATHE_NOTHING_TO_DO(cuMemsetD32Async)
LATHE_NOTHING_TO_DO(cuModuleGetFunction)
LATHE_NOTHING_TO_DO(cuModuleLoadData)

} // extern "C"
