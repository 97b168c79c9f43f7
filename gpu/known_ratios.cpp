#include "gpu/known_ratios.hpp"

#include "messages/content_hash.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cmath>

namespace lathe::gpu {

namespace {

constexpr double same_eager = 0.03;

} // namespace

bool is_same_eager(double x, double y) {
  return std::abs(x - y) <= same_eager * std::min(x, y);
}

known_ratios::known_ratios(const task_oracle& oracle, const evaluation_site& site)
  : oracle_(oracle), site_(site),
    cache_(site.paths().cache.empty() ? std::filesystem::path{}
                                      : site.paths().cache / "baselines") {
  // nop
}

std::optional<double> known_ratios::find(const std::string& name, double eager) const {
  auto found = cache_.find(subject(name));
  if (!found)
    return std::nullopt;
  auto number = [&](const char* key) {
    auto* x = found->if_contains(key);
    return x != nullptr && x->is_number() ? x->to_number<double>() : 0;
  };
  auto ratio = number("speedup");
  if (!(ratio > 0) || !std::isfinite(ratio) || !is_same_eager(number("eager"), eager))
    return std::nullopt;
  return ratio;
}

void known_ratios::keep(const std::string& name, double eager, const timing& measured) const {
  cache_.keep(subject(name), {{"eager", eager},
                              {"speedup", measured.speedup},
                              {"low", measured.low},
                              {"high", measured.high}});
}

boost::json::object known_ratios::subject(const std::string& name) const {
  auto& config = site_.config();
  return {{"task", content_hash(oracle_.subject().source)},
          {"baseline", name},
          {"judge", oracle_.rules().name},
          {"mode", oracle_.rules().mode},
          {"device", measured_device(site_.device(), config.threads)},
          {"threads", config.threads},
          {"software", site_.describe().software}};
}

} // namespace lathe::gpu
