#pragma once

#include "gpu/evaluation_site.hpp"
#include "gpu/measurement_cache.hpp"
#include "gpu/task_oracle.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>

namespace lathe::gpu {

/// Tells whether two measurements of eager found the same: within 3 %. If they do not, something
/// has changed that no key of a cache names: clocks, another load, another memory.
bool is_same_eager(double x, double y);

/// By how much torch.compile beats eager, as kept from earlier runs on this machine: compiling
/// costs seconds to minutes.
class known_ratios {
public:
  known_ratios(const task_oracle& oracle, const evaluation_site& site);

  /// @param eager [seconds] measured just now; another one than when the ratio was measured makes
  ///              the ratio worthless
  std::optional<double> find(const std::string& name, double eager) const;

  void keep(const std::string& name, double eager, const timing& measured) const;

private:
  boost::json::object subject(const std::string& name) const;

  const task_oracle& oracle_;
  const evaluation_site& site_;
  measurement_cache cache_;
};

} // namespace lathe::gpu
