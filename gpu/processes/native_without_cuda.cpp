// Stands in for native_cuda.cpp, native_copies.cpp and native_trace.cpp where CUDA's headers were
// not to be had.
#include "gpu/processes/native_cuda.hpp"

#include <stdexcept>

namespace lathe::native {

namespace {

[[noreturn]] void refuse() {
  throw std::runtime_error{"this build has no CUDA: its headers were not found when it was made"};
}

} // namespace

void settle_device(std::size_t) {
  refuse();
}

void begin_device_call() {
  refuse();
}

device_times end_device_call() {
  refuse();
}

void copy_on_device(const refill&) {
  refuse();
}

void copy_on_device(const refill&, const gpu::input_key&) {
  refuse();
}

void compare_on_device(const refill&) {
  refuse();
}

bool take_differences() {
  refuse();
}

void load_driver() {
  refuse();
}

void wait_for_device() {
  refuse();
}

bool wait_until_quiet(std::int64_t) {
  refuse();
}

void copy_to_device(const file_part&, std::uintptr_t) {
  refuse();
}

void copy_to_file(std::uintptr_t, const file_part&, bool) {
  refuse();
}

void forget_files() {
  // nop
}

void begin_device_trace(std::size_t) {
  refuse();
}

device_trace end_device_trace(std::int64_t) {
  refuse();
}

void detach_device_traces() {
  refuse();
}

} // namespace lathe::native
