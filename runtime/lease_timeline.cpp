#include "runtime/lease_timeline.hpp"

#include "gpu/statistics.hpp"

#include <algorithm>
#include <limits>
#include <span>

namespace lathe::runtime {

namespace {

constexpr auto never = -std::numeric_limits<double>::infinity();

// Shared leases overlap; a second under several of them is one second.
double covered(std::vector<lease_span> spans) {
  std::ranges::sort(spans, {}, &lease_span::granted);
  double sum = 0;
  auto end = never;
  for (auto& x : spans) {
    sum += std::max(0.0, x.released - std::max(x.granted, end));
    end = std::max(end, x.released);
  }
  return sum;
}

// Adds what one process of a run saw of the device.
void add_part(std::span<const lease_span> part, device_time& sum, std::vector<double>& holds) {
  std::vector<lease_span> shared;
  auto first = std::numeric_limits<double>::infinity();
  auto last = never;
  for (auto& x : part) {
    first = std::min(first, x.asked);
    last = std::max(last, x.released);
    ++sum.leases;
    if (x.kind == lease_kind::shared)
      shared.push_back(x);
    else
      holds.push_back(x.released - x.granted);
  }
  sum.wall += last - first;
  sum.shared += covered(std::move(shared));
}

device_time fold(const std::string& device, std::span<const lease_span> spans) {
  device_time result;
  result.device = device;
  std::vector<double> holds;
  // Within one process later leases have higher fences, so a later one with a lower fence is of
  // another process: the run was taken up again.
  std::size_t begin = 0;
  auto newest = spans.empty() ? lease_span{} : spans.front();
  for (std::size_t i = 1; i < spans.size(); ++i) {
    auto& x = spans[i];
    if (x.fence <= newest.fence && x.granted > newest.granted) {
      add_part(spans.subspan(begin, i - begin), result, holds);
      begin = i;
      newest = x;
    }
    if (x.fence > newest.fence)
      newest = x;
  }
  add_part(spans.subspan(begin), result, holds);
  for (auto seconds : holds) {
    result.exclusive += seconds;
    result.longest_exclusive = std::max(result.longest_exclusive, seconds);
  }
  result.exclusive_leases = static_cast<std::int64_t>(holds.size());
  if (!holds.empty())
    result.median_exclusive = gpu::median(std::move(holds));
  return result;
}

} // namespace

void lease_timeline::add(const lease_span& x) {
  spans_[x.device].push_back(x);
}

std::vector<device_time> lease_timeline::devices() const {
  std::vector<device_time> result;
  for (auto& [device, spans] : spans_)
    result.push_back(fold(device, spans));
  return result;
}

} // namespace lathe::runtime
