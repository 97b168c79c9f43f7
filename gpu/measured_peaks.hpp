#pragma once

#include "gpu/device.hpp"
#include "gpu/lease_source.hpp"
#include "gpu/measurement_cache.hpp"
#include "gpu/roofline.hpp"

#include <boost/json/object.hpp>
#include <caf/expected.hpp>

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

namespace lathe::gpu {

class evaluation_site;

/// Peaks as they are kept. Nothing where one is missing or cannot be.
boost::json::object to_json(const device_peaks& x);
std::optional<device_peaks> peaks_from(const boost::json::object& x);

/// What names a device in a cache of measurements: a GPU's UUID, or the processor and how many of
/// torch's threads use it.
std::string measured_device(const device& where, std::int32_t threads);

/// Returns the peaks that were measured on this machine before, whatever the torch.
/// @param caches Lathe's folder for what can be made again
std::optional<device_peaks> known_peaks(const std::filesystem::path& caches,
                                        const std::string& device);

/// The peaks of a site's device: measured once a machine and torch, by a worker that runs no
/// foreign code, alone on the device. Safe to use from several threads. Whoever asks holds no
/// lease.
class measured_peaks {
public:
  explicit measured_peaks(evaluation_site& site);

  /// Returns what is known, or measures. Fails when there is no lease or no worker to be had.
  caf::expected<device_peaks> get(lease_source& leases);

  /// Measures once more and keeps the best, when somebody was faster than they allow. Once a run:
  /// after that it is not the measurement.
  caf::expected<device_peaks> get_again(lease_source& leases);

private:
  caf::expected<device_peaks> measure(lease_source& leases) const;
  boost::json::object subject() const;
  void keep(const device_peaks& x);

  evaluation_site& site_;
  measurement_cache cache_;
  std::mutex mutex_; // guards what follows, and is held while somebody measures
  std::optional<device_peaks> known_;
  bool repeated_ = false;
};

} // namespace lathe::gpu
