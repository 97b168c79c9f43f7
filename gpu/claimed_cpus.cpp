#include "gpu/claimed_cpus.hpp"

#include "gpu/host_claim.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace lathe::gpu {

namespace {

std::optional<unique_fd> claim(int cpu) {
  return claim_on_host(fmt::format("lathe-times-on-cpu-{}", cpu));
}

} // namespace

claimed_cpus claimed_cpus::fastest(const std::vector<int>& available, std::size_t count,
                                   const std::function<double(int)>& probe) {
  struct probed {
    double time;
    int cpu;
    unique_fd mine;
  };
  std::vector<probed> found; // the fastest so far
  std::vector<int> taken;
  for (auto cpu : available) {
    auto mine = claim(cpu);
    if (!mine) {
      taken.push_back(cpu);
      continue;
    }
    found.push_back({probe(cpu), cpu, std::move(*mine)});
    std::ranges::stable_sort(found, {}, &probed::time);
    if (found.size() > count)
      found.pop_back(); // for others
  }
  claimed_cpus result;
  for (auto& x : found) {
    result.numbers_.push_back(x.cpu);
    result.claims_.push_back(std::move(x.mine));
  }
  for (auto cpu : taken) // better with others than not at all
    if (result.numbers_.size() < count)
      result.numbers_.push_back(cpu);
  return result;
}

claimed_cpus claimed_cpus::unused(const std::vector<int>& available, std::size_t most) {
  claimed_cpus result;
  for (auto cpu : available)
    if (result.numbers_.size() < most)
      if (auto mine = claim(cpu)) {
        result.numbers_.push_back(cpu);
        result.claims_.push_back(std::move(*mine));
      }
  return result;
}

} // namespace lathe::gpu
