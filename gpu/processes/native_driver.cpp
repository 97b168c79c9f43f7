#include "gpu/processes/native_driver.hpp"

#include "gpu/processes/native_cuda.hpp"
#include "gpu/processes/native_library.hpp"

#include <cuda.h>

#include <stdexcept>
#include <string>

namespace lathe::native {

driver::driver() {
  library cuda{"CUDA driver (libcuda.so.1)", {"libcuda.so.1"}};
  cuda.find("cuCtxSynchronize", synchronize);
  cuda.find("cuCtxResetPersistingL2Cache", reset_persisting_l2);
  cuda.find("cuEventCreate", create_event);
  cuda.find("cuEventRecord", record_event);
  cuda.find("cuEventElapsedTime_v2", elapsed_time, "cuEventElapsedTime");
  cuda.find("cuGetErrorString", error_string);
  cuda.find("cuMemAlloc_v2", allocate);
  cuda.find("cuMemFree_v2", release);
  cuda.find("cuMemsetD32Async", set_memory);
  cuda.find("cuMemcpyDtoDAsync_v2", copy);
  cuda.find("cuMemcpyDtoH_v2", fetch);
  cuda.find("cuModuleLoadData", load_module);
  cuda.find("cuModuleGetFunction", find_function);
  cuda.find("cuLaunchKernel", launch);
  cuda.find("cuCtxGetCurrent", current_context);
  cuda.find("cuCtxSetCurrent", set_context);
  cuda.find("cuEventSynchronize", wait_for_event);
  cuda.find("cuMemHostAlloc", allocate_on_host);
  cuda.find("cuMemcpyHtoDAsync_v2", send);
  cuda.find("cuMemcpyDtoHAsync_v2", receive);
  cuda.find("cuStreamCreate", create_stream);
}

const driver& cuda() {
  static const driver instance;
  return instance;
}

void check(CUresult result) {
  if (result == CUDA_SUCCESS)
    return;
  const char* text = nullptr;
  cuda().error_string(result, &text);
  throw std::runtime_error{std::string{"CUDA error: "} + (text != nullptr ? text : "unknown")};
}

void load_driver() {
  static_cast<void>(cuda());
}

} // namespace lathe::native
