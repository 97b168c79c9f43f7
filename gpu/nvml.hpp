#pragma once

#include "gpu/throttle_watch.hpp"

#include <caf/expected.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace lathe::gpu {

/// One GPU as the driver's management library knows it.
struct gpu_card {
  std::string name;        ///< "NVIDIA H200"
  std::string uuid;        ///< "GPU-..."
  std::uint32_t minor = 0; ///< its device file is /dev/nvidiaMINOR
};

/// A process that holds memory on a GPU.
struct gpu_process {
  pid_t pid = 0;           ///< as the driver counts: in a container it may be another's number
  std::uint64_t bytes = 0; ///< 0 where the driver does not say
};

/// NVIDIA's management library, found at run time. It asks the driver and makes no CUDA context, so
/// it may live in this process.
class nvml {
public:
  /// Fails with `environment_error` where there is no driver.
  static caf::expected<std::shared_ptr<nvml>> open();

  virtual ~nvml() = default;

  virtual const std::vector<gpu_card>& cards() const = 0;

  /// Returns the processes with a CUDA context on a card, by its index. Fails with
  /// `environment_error` where the driver does not say.
  virtual caf::expected<std::vector<gpu_process>> processes(std::size_t card) const = 0;

  /// Returns how much of a card's memory is in use [bytes], by anybody.
  virtual caf::expected<std::uint64_t> used_memory(std::size_t card) const = 0;

  /// Asks for a card's clock, by its index in `cards()`. Takes tens of microseconds. Nothing where
  /// the driver does not tell.
  virtual std::optional<clock_reading> clock_of(std::size_t) const {
    return std::nullopt;
  }
};

} // namespace lathe::gpu
