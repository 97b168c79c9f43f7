#pragma once

#include <cuda.h>

#include <cstddef>

namespace lathe::native {

/// The functions of CUDA's driver that the native module calls, by the names that their current
/// versions have in the library. They work in the context that is current in the calling thread.
struct driver {
  driver();

  CUresult (*synchronize)() = nullptr;
  CUresult (*reset_persisting_l2)() = nullptr;
  CUresult (*create_event)(CUevent*, unsigned) = nullptr;
  CUresult (*record_event)(CUevent, CUstream) = nullptr;
  CUresult (*elapsed_time)(float*, CUevent, CUevent) = nullptr;
  CUresult (*error_string)(CUresult, const char**) = nullptr;
  CUresult (*allocate)(CUdeviceptr*, std::size_t) = nullptr;
  CUresult (*release)(CUdeviceptr) = nullptr;
  CUresult (*set_memory)(CUdeviceptr, unsigned, std::size_t, CUstream) = nullptr;
  CUresult (*copy)(CUdeviceptr, CUdeviceptr, std::size_t, CUstream) = nullptr;
  CUresult (*fetch)(void*, CUdeviceptr, std::size_t) = nullptr;
  CUresult (*load_module)(CUmodule*, const void*) = nullptr;
  CUresult (*find_function)(CUfunction*, CUmodule, const char*) = nullptr;
  CUresult (*launch)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                     unsigned, CUstream, void**, void**) = nullptr;
  CUresult (*current_context)(CUcontext*) = nullptr;
  CUresult (*set_context)(CUcontext) = nullptr;
  CUresult (*wait_for_event)(CUevent) = nullptr;
  CUresult (*allocate_on_host)(void**, std::size_t, unsigned) = nullptr;
  CUresult (*send)(CUdeviceptr, const void*, std::size_t, CUstream) = nullptr;
  CUresult (*receive)(void*, CUdeviceptr, std::size_t, CUstream) = nullptr;
  CUresult (*create_stream)(CUstream*, unsigned) = nullptr;
};

/// Loads it when it is first called. Throws std::runtime_error where there is none.
const driver& cuda();

/// Throws std::runtime_error, in the driver's own words, for what did not succeed.
void check(CUresult result);

} // namespace lathe::native
