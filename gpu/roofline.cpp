#include "gpu/roofline.hpp"

#include <algorithm>
#include <cmath>

namespace lathe::gpu {

namespace {

// Products in TF32 that make up one of float32's precision.
constexpr double emulation = 3;

// Of the inputs that decide the answer, see the header.
constexpr double sure_share = 0.5;

// Of the measured bandwidth.
constexpr double sure_factor = 2;

constexpr double unflushed_caches = 4;

double rate_for(const call_work& work, const device_peaks& peaks, std::string_view tolerance) {
  if (work.narrow || tolerance == "half" || tolerance == "pike")
    return peaks.half;
  if (tolerance == "tf32" || tolerance == "kernelbench")
    return peaks.tf32;
  return std::max(peaks.float32, peaks.tf32 / emulation);
}

double time_for(double bytes, const device_peaks& peaks) {
  auto near = peaks.flushed ? 0 : std::min(bytes, peaks.cache);
  return near / std::max(peaks.cached, peaks.bandwidth) + (bytes - near) / peaks.bandwidth;
}

} // namespace

bool is_plausible(const device_peaks& x) {
  auto rate = [](double y) { return std::isfinite(y) && y > 0; };
  return rate(x.bandwidth) && rate(x.reading) && rate(x.cached) && rate(x.float32) && rate(x.tf32)
         && rate(x.half) && rate(x.cache);
}

device_peaks best_of(const device_peaks& x, const device_peaks& y) {
  auto result = x;
  for (auto rate : {&device_peaks::bandwidth, &device_peaks::reading, &device_peaks::cached,
                    &device_peaks::float32, &device_peaks::tf32, &device_peaks::half})
    result.*rate = std::max(x.*rate, y.*rate);
  return result;
}

roofline stated_floor(const call_work& work, const device_peaks& peaks,
                      std::string_view tolerance) {
  roofline result;
  result.bytes = work.inputs + work.parameters + work.outputs;
  result.operations = work.operations;
  result.floor =
    std::max(time_for(result.bytes, peaks), result.operations / rate_for(work, peaks, tolerance));
  return result;
}

double spared_bytes(double cache, bool flushed) {
  return flushed ? cache : unflushed_caches * cache;
}

double sure_floor(const call_work& work, const device_peaks& peaks) {
  auto spared = spared_bytes(peaks.cache, peaks.flushed);
  auto moved =
    std::max(0.0, sure_share * work.read - spared) + std::max(0.0, work.written - spared);
  return moved / (sure_factor * std::max(peaks.bandwidth, peaks.reading));
}

} // namespace lathe::gpu
