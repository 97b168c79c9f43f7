#pragma once

#include "gpu/throttle_watch.hpp"

#include <caf/expected.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lathe::gpu {

/// One GPU as the driver's management library knows it.
struct gpu_card {
  std::string name;        ///< "NVIDIA H200"
  std::string uuid;        ///< "GPU-..."
  std::uint32_t minor = 0; ///< its device file is /dev/nvidiaMINOR
};

/// NVIDIA's management library, found at run time. It asks the driver and makes no CUDA context, so
/// it may live in this process.
class nvml {
public:
  /// Fails with `environment_error` where there is no driver.
  static caf::expected<std::shared_ptr<nvml>> open();

  virtual ~nvml() = default;

  virtual const std::vector<gpu_card>& cards() const = 0;

  /// Asks for a card's clock, by its index in `cards()`. Takes tens of microseconds. Nothing where
  /// the driver does not tell.
  virtual std::optional<clock_reading> clock_of(std::size_t) const {
    return std::nullopt;
  }
};

} // namespace lathe::gpu
