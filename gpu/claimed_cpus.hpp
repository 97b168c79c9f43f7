#pragma once

#include "gpu/processes/unique_fd.hpp"

#include <cstddef>
#include <vector>

namespace lathe::gpu {

/// Processors to time on, which nobody else on this host times on as long as this lives, if there
/// are enough of them.
class claimed_cpus {
public:
  /// @param available numbers of processors to choose from, best first
  claimed_cpus(const std::vector<int>& available, std::size_t count);

  /// As many as were wanted, or all there are.
  const std::vector<int>& numbers() const {
    return numbers_;
  }

private:
  std::vector<int> numbers_;
  std::vector<unique_fd> claims_;
};

} // namespace lathe::gpu
