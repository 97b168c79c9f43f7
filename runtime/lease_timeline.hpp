#pragma once

#include "messages/lease.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lathe::runtime {

/// What one device's time went to.
struct device_time {
  std::string device;
  double wall = 0;      ///< [seconds] from the first request to the last release
  double exclusive = 0; ///< [seconds] under an exclusive lease
  double shared = 0;    ///< [seconds] under one shared lease or more
  std::int64_t leases = 0;
  std::int64_t exclusive_leases = 0;
  double median_exclusive = 0;  ///< [seconds] 0 without exclusive leases
  double longest_exclusive = 0; ///< [seconds]

  /// [seconds] under no lease
  double idle() const {
    return wall - exclusive - shared;
  }
};

/// A fold over the spans of leases that a journal keeps. A run that was taken up again is the sum
/// of its parts: what lies between them is nobody's time.
class lease_timeline {
public:
  /// Adds a span, in the journal's order.
  void add(const lease_span& x);

  /// Returns what each device's time went to, by name.
  std::vector<device_time> devices() const;

private:
  std::map<std::string, std::vector<lease_span>> spans_; // by device
};

} // namespace lathe::runtime
