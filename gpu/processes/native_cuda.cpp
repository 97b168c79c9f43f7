#include "gpu/processes/native_cuda.hpp"

#include "gpu/processes/native.hpp"

#include <cuda.h>
#include <dlfcn.h>

#include <stdexcept>

namespace lathe::native {

namespace {

// What a device is probed with: a kernel that takes a few microseconds comes back so soon [ns] unless
// others use the device, again and again.
constexpr std::size_t small_kernel = 64 * 1024; // [bytes] that it writes
constexpr std::int64_t prompt = 200'000;
constexpr int prompt_kernels = 25;

// The driver's functions, by the names that their current versions have in the library.
struct driver {
  driver() {
    auto* library = ::dlopen("libcuda.so.1", RTLD_NOW);
    if (library == nullptr)
      throw std::runtime_error{"there is no CUDA driver (libcuda.so.1)"};
    find(library, "cuCtxSynchronize", synchronize);
    find(library, "cuCtxResetPersistingL2Cache", reset_persisting_l2);
    find(library, "cuEventCreate", create_event);
    find(library, "cuEventRecord", record_event);
    find(library, "cuEventElapsedTime_v2", elapsed_time, "cuEventElapsedTime");
    find(library, "cuGetErrorString", error_string);
    find(library, "cuMemAlloc_v2", allocate);
    find(library, "cuMemFree_v2", release);
    find(library, "cuMemsetD32Async", set_memory);
  }

  template <class Function>
  static void find(void* library, const char* name, Function*& result,
                   const char* older = nullptr) {
    auto* symbol = ::dlsym(library, name);
    if (symbol == nullptr && older != nullptr)
      symbol = ::dlsym(library, older);
    if (symbol == nullptr)
      throw std::runtime_error{std::string{"the CUDA driver has no "} + name};
    result = reinterpret_cast<Function*>(symbol);
  }

  CUresult (*synchronize)() = nullptr;
  CUresult (*reset_persisting_l2)() = nullptr;
  CUresult (*create_event)(CUevent*, unsigned) = nullptr;
  CUresult (*record_event)(CUevent, CUstream) = nullptr;
  CUresult (*elapsed_time)(float*, CUevent, CUevent) = nullptr;
  CUresult (*error_string)(CUresult, const char**) = nullptr;
  CUresult (*allocate)(CUdeviceptr*, std::size_t) = nullptr;
  CUresult (*release)(CUdeviceptr) = nullptr;
  CUresult (*set_memory)(CUdeviceptr, unsigned, std::size_t, CUstream) = nullptr;
};

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

// The marks and the memory that is written to evict everything else. Made once: a worker has one
// device and one context. The process ends with the context, so nothing is given back.
struct instruments {
  instruments() {
    check(cuda().create_event(&first, CU_EVENT_DEFAULT));
    check(cuda().create_event(&second, CU_EVENT_DEFAULT));
  }

  // Writes to the first `bytes` of a buffer.
  void evict(std::size_t bytes) {
    if (bytes > size) {
      if (size > 0)
        check(cuda().release(memory));
      size = 0;
      check(cuda().allocate(&memory, bytes));
      size = bytes;
    }
    if (bytes > 0)
      check(cuda().set_memory(memory, ++pattern, bytes / sizeof(unsigned), legacy_stream));
  }

  // Legacy: waits for, and is waited for by, every stream that did not opt out.
  CUstream legacy_stream = CU_STREAM_LEGACY;
  CUevent first = nullptr;
  CUevent second = nullptr;
  CUdeviceptr memory = 0;
  std::size_t size = 0;
  unsigned pattern = 0;
  std::int64_t began = 0;
};

instruments& tools() {
  static instruments instance;
  return instance;
}

} // namespace

void begin_device_call(std::size_t flush_bytes) {
  auto& x = tools();
  x.evict(flush_bytes);
  // Devices without such lines refuse; they have nothing to reset.
  static_cast<void>(cuda().reset_persisting_l2());
  check(cuda().synchronize());
  x.began = now();
  check(cuda().record_event(x.first, x.legacy_stream));
}

device_times end_device_call() {
  auto& x = tools();
  check(cuda().record_event(x.second, x.legacy_stream));
  check(cuda().synchronize());
  device_times result;
  result.host = now() - x.began;
  float milliseconds = 0;
  check(cuda().elapsed_time(&milliseconds, x.first, x.second));
  result.device = static_cast<std::int64_t>(static_cast<double>(milliseconds) * 1e6);
  return result;
}

void load_driver() {
  static_cast<void>(cuda());
}

void wait_for_device() {
  check(cuda().synchronize());
}

bool wait_until_quiet(std::int64_t patience) {
  auto& x = tools();
  auto until = now() + patience;
  for (int in_a_row = 0; in_a_row < prompt_kernels;) {
    auto began = now();
    x.evict(small_kernel);
    check(cuda().synchronize());
    auto ended = now();
    in_a_row = ended - began < prompt ? in_a_row + 1 : 0;
    if (ended > until && in_a_row < prompt_kernels)
      return false;
  }
  return true;
}

} // namespace lathe::native
