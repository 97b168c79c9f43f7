#include "gpu/claimed_cpus.hpp"

#include "gpu/host_claim.hpp"

#include <fmt/format.h>

namespace lathe::gpu {

claimed_cpus::claimed_cpus(const std::vector<int>& available, std::size_t count) {
  std::vector<int> taken;
  for (auto cpu : available) {
    if (numbers_.size() == count)
      return;
    if (auto mine = claim_on_host(fmt::format("lathe-times-on-cpu-{}", cpu))) {
      claims_.push_back(std::move(*mine));
      numbers_.push_back(cpu);
    } else {
      taken.push_back(cpu);
    }
  }
  for (auto cpu : taken) // better with others than not at all
    if (numbers_.size() < count)
      numbers_.push_back(cpu);
}

} // namespace lathe::gpu
