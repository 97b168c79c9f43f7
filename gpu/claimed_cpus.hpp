#pragma once

#include "messages/unique_fd.hpp"

#include <cstddef>
#include <functional>
#include <vector>

namespace lathe::gpu {

/// Processors that nobody else on this host has claimed, for as long as this lives.
class claimed_cpus {
public:
  /// Claims those on which a probe takes the shortest time. Only what nobody else has is probed:
  /// others may be timing there. Where there are not enough, some are shared.
  /// @param available numbers of processors to choose from
  /// @param probe returns the time that it took on a processor
  static claimed_cpus fastest(const std::vector<int>& available, std::size_t count,
                              const std::function<double(int)>& probe);

  /// Claims so many, or as many as nobody else has.
  static claimed_cpus unused(const std::vector<int>& available, std::size_t most);

  const std::vector<int>& numbers() const {
    return numbers_;
  }

  /// Whether there are some, and none is shared.
  bool are_all_claimed() const {
    return !numbers_.empty() && claims_.size() == numbers_.size();
  }

private:
  std::vector<int> numbers_;
  std::vector<unique_fd> claims_;
};

} // namespace lathe::gpu
