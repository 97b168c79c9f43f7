#pragma once

#include "tools/lathe/doctor/finding.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace lathe::doctor {

/// The processors' time so far [ticks], from the first line of /proc/stat.
struct cpu_times {
  std::uint64_t total = 0;
  std::uint64_t stolen = 0; ///< the hypervisor gave it to others
};

cpu_times parse_cpu_times(std::string_view stat);

/// What would make times on this host mean less.
struct host_noise {
  double load = 0;   ///< processes that want to run, averaged over a minute
  double stolen = 0; ///< share of the processors' time that the hypervisor gave to others
  long cores = 1;
};

/// Watches the host for 200 ms.
host_noise watch_host();

finding judge_noise(const host_noise& x);

/// @param source the kernel's clock source, such as "tsc"
finding judge_clock(const std::string& source);

/// @param governor what decides on the processor's frequency; empty when the kernel does not
finding judge_frequency(const std::string& governor);

finding check_clock();
finding check_frequency();

} // namespace lathe::doctor
