#include "gpu/task_preparation.hpp"

#include "gpu/processes/process_group.hpp"
#include "gpu/statistics.hpp"
#include "messages/error.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace lathe::gpu {

namespace {

caf::error untimed(const failure& why) {
  return make_error(errc::evaluator_failed, "the reference could not be timed: "
                                              + (why.summary.empty() ? why.message : why.summary));
}

} // namespace

caf::expected<std::shared_ptr<task_oracle>> prepare_oracle(const task& subject,
                                                           evaluation_site& site, judge_rules rules,
                                                           lease_source& leases) {
  auto held = hold_for_kernels(site.device(), leases, 0);
  if (!held)
    return std::move(held.error());
  auto result = task_oracle::prepare(subject, site, std::move(rules));
  held->reset(); // the peaks are measured alone
  if (result)
    if (auto peaks = site.peaks().get(leases))
      (*result)->set_peaks(*peaks);
  return result;
}

caf::expected<std::shared_ptr<task_oracle>>
prepare_oracle(const task& subject, evaluation_site& site, lease_source& leases) {
  auto rules = find_judge(site.config().judge, site.config());
  if (!rules)
    return make_error(errc::user_error, fmt::format("there is no judge '{}'", site.config().judge));
  return prepare_oracle(subject, site, std::move(*rules), leases);
}

caf::error measure_baselines(task_oracle& oracle, evaluation_site& site, lease_source& leases,
                             const std::vector<std::string>& names) {
  std::vector<baseline> result;
  auto& draw = oracle.timed().back();
  auto limit =
    std::chrono::milliseconds{static_cast<std::int64_t>(site.config().build_limit * 1e3)};
  boost::json::array sequence(20, boost::json::value(draw.name));
  // Eager is always measured, and first: the other times are told in terms of it.
  std::vector<std::string> all = {"eager"};
  std::copy_if(names.begin(), names.end(), std::back_inserter(all),
               [](const std::string& name) { return name != "eager"; });
  for (auto& name : all) {
    auto shared = hold_for_kernels(site.device(), leases, 0);
    if (!shared)
      return std::move(shared.error());
    auto chosen =
      oracle.process().call({{"op", "baseline"}, {"name", name}, {"inputs", draw.name}}, {}, limit);
    shared->reset(); // or it would wait for itself
    if (!chosen.ok() && name == "eager")
      return untimed(chosen.problem());
    if (!chosen.ok())
      continue; // a model that torch.compile cannot take has no such baseline
    auto held = hold(leases, lease_kind::exclusive, 0);
    if (!held)
      return std::move(held.error());
    auto quiet = site.freezer().freeze_all_but({oracle.tag()});
    pin_group(oracle.process().group(), site.timing_cpus());
    auto timed = oracle.process().call(
      {{"op", "time"}, {"sequence", sequence}, {"flush", site.flush_bytes()}}, {}, limit);
    auto times = timed.integers("ns");
    if (!timed.ok() && name == "eager")
      return untimed(timed.problem());
    if (!timed.ok() || !times || times->empty())
      continue;
    std::vector<double> seconds(times->begin(), times->end());
    result.push_back({name, median(std::move(seconds)) * 1e-9});
  }
  auto eager = oracle.process().call({{"op", "baseline"}, {"name", "eager"}}, {}, limit);
  if (!eager.ok())
    return untimed(eager.problem());
  if (result.empty() || result.front().name != "eager")
    return make_error(errc::evaluator_failed, "the reference could not be timed: no times");
  oracle.set_baselines(std::move(result));
  return {};
}

} // namespace lathe::gpu
