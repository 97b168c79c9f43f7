#pragma once

#include "gpu/nvml.hpp"

#include <caf/expected.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::gpu {

/// What candidates run on.
struct device {
  bool cuda = false;
  std::size_t card = 0;         ///< cuda: index into the driver's list; cpu: which stand-in
  std::shared_ptr<nvml> driver; ///< cuda: never null

  /// "cpu", "cuda:1"
  std::string name() const;

  /// The device files that an evaluation process needs, beside the usual ones.
  std::vector<std::string> files() const;

  /// How CUDA_VISIBLE_DEVICES names it; empty for the CPU.
  std::string visible() const;
};

/// Returns the devices that a topology names, at least one. `auto` is the first GPU where there is
/// one, and the CPU elsewhere; `cuda` is the first GPU, `cuda:all` every one. Fails with `user_error`
/// for what is no name, and with `environment_error` when one is not there.
caf::expected<std::vector<device>> find_devices(std::string_view name);

/// Returns the first of them.
caf::expected<device> find_device(std::string_view name);

} // namespace lathe::gpu
