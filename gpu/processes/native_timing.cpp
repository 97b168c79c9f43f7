#include "gpu/processes/native.hpp"

#include <malloc.h>
#include <time.h>

#include <cstdint>
#include <memory>

namespace lathe::native {

std::int64_t now() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

void flush_cache(std::size_t bytes) {
  constexpr std::size_t line = 64;
  static std::size_t size = 0;
  static std::unique_ptr<volatile unsigned char[]> buffer;
  if (bytes > size) {
    buffer.reset(new unsigned char[bytes]);
    size = bytes;
  }
  for (std::size_t i = 0; i < bytes; i += line)
    buffer[i] = static_cast<unsigned char>(buffer[i] + 1);
}

void poison_memory(int pattern) {
  ::mallopt(M_PERTURB, pattern);
}

} // namespace lathe::native
