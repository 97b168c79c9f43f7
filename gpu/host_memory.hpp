#pragma once

#include <cstdint>
#include <string_view>

namespace lathe::gpu {

/// The memory of this host [bytes].
struct host_memory {
  std::uint64_t total = 0;
  std::uint64_t available = 0; ///< without swapping

  /// Less than a quarter is left. False where nothing is known.
  bool is_short() const {
    return available < total / 4;
  }
};

/// Reads the text of /proc/meminfo; zeros where it does not say.
host_memory parse_host_memory(std::string_view meminfo);

host_memory measure_host_memory();

} // namespace lathe::gpu
