#pragma once

#include "tools/lathe/doctor/finding.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::doctor {

// -- cores and memory -----------------------------------------------------------------------

/// Reads cpu.max: the cores' worth of time that a group gets; nothing when it is not limited.
std::optional<double> parse_cpu_limit(std::string_view text);

struct capacity {
  long cores = 1;                            ///< of the machine
  long allowed = 1;                          ///< that this process may run on
  std::optional<double> cpu_limit;           ///< [cores] of control groups
  std::uint64_t memory = 0;                  ///< [bytes] of the machine
  std::uint64_t free_memory = 0; ///< [bytes] for this process, what caches would give up included
  std::optional<std::uint64_t> memory_limit; ///< [bytes] of control groups
};

capacity measure_capacity();

finding judge_cores(const capacity& x);
finding judge_memory(const capacity& x);

// -- disk -----------------------------------------------------------------------------------

struct disk_space {
  std::string purpose; ///< such as "runs"
  std::filesystem::path folder;
  std::uint64_t free = 0; ///< [bytes]
  bool writable = true;
};

/// Looks at the folder, or at the first one above it that exists.
disk_space measure_disk(std::string purpose, const std::filesystem::path& folder);

finding judge_disk(std::span<const disk_space> disks);

} // namespace lathe::doctor
