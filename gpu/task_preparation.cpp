#include "gpu/task_preparation.hpp"

#include "gpu/baseline_timer.hpp"
#include "gpu/known_ratios.hpp"
#include "gpu/quiet_hold.hpp"
#include "gpu/statistics.hpp"
#include "messages/error.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

namespace lathe::gpu {

namespace {

// Why a reference could not be timed.
struct untimed {
  caf::error error;
  bool for_want_of_memory = false; // of the device's

  untimed(caf::error why) : error(std::move(why)) {
    // nop
  }

  untimed(const failure& why)
    : error(
      make_error(errc::evaluator_failed, "the reference could not be timed: "
                                           + (why.summary.empty() ? why.message : why.summary))),
      for_want_of_memory(why.how == outcome::out_of_memory) {
    // nop
  }
};

// What kept a reference from being used, or the device, when it is that which broke.
caf::error blamed(caf::error why, evaluation_site& site, lease_source& leases) {
  if (!site.device().cuda || site.closed() || why == errc::device_lost)
    return why;
  auto lost = confirm_device(leases, 0);
  return lost ? lost : why;
}

using eager_time = std::variant<double, untimed>; // [seconds]

// So often it is tried to time it where no neighbour is.
constexpr int most_tries = 4;
constexpr double longest_try = 1; // [seconds], or else it is the last

// The median of calls in the oracle's own process; the least one, where neighbours disturbed all.
eager_time time_eager(task_oracle& oracle, evaluation_site& site, lease_source& leases) {
  auto& draw = oracle.timed().back();
  auto limit =
    std::chrono::milliseconds{static_cast<std::int64_t>(site.config().build_limit * 1e3)};
  auto& worker = oracle.process();
  if (auto given = oracle.give(draw, draw.name); !given.ok())
    return untimed{given.problem()};
  auto warm =
    worker.call({{"op", "baseline"}, {"name", "eager"}, {"inputs", draw.name}}, {}, limit);
  if (!warm.ok())
    return untimed{warm.problem()};
  auto quiet = quiet_hold::take(site, leases, oracle, preparing);
  if (!quiet)
    return untimed{std::move(quiet.error())};
  boost::json::array sequence(20, boost::json::value(draw.name));
  (*quiet)->counts(); // where not, it is elsewhere from now on
  std::optional<double> result;
  for (int i = 0; i < most_tries; ++i) {
    auto timed = worker.call(
      {{"op", "time"}, {"sequence", sequence}, {"flush", site.flush_bytes()}}, {}, limit);
    if (!timed.ok())
      return untimed{timed.problem()};
    auto times = timed.integers("ns");
    if (!times || times->empty())
      return untimed{
        make_error(errc::evaluator_failed, "the reference could not be timed: no times")};
    auto found = median({times->begin(), times->end()}) * 1e-9;
    auto calm = (*quiet)->counts();
    result = calm ? found : std::min(found, result.value_or(found));
    if (calm || timed.wall > longest_try)
      break;
  }
  oracle.end_timing();
  return *result;
}

} // namespace

caf::expected<std::shared_ptr<task_oracle>> prepare_oracle(const task& subject,
                                                           evaluation_site& site, judge_rules rules,
                                                           lease_source& leases) {
  auto result = task_oracle::prepare(subject, site, std::move(rules), leases);
  if (!result)
    return blamed(std::move(result.error()), site, leases);
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
  auto found = time_eager(oracle, site, leases);
  auto* why = std::get_if<untimed>(&found);
  if (why != nullptr && !oracle.process().usable()) {
    // Once more in a new process when somebody killed the one that was measured.
    {
      std::lock_guard guard{oracle.mutex()};
      if (auto lost = oracle.revive())
        return blamed(std::move(lost), site, leases);
    }
    found = time_eager(oracle, site, leases);
  } else if (why != nullptr && why->for_want_of_memory) {
    // Others work beside it, and it may take more than while it was prepared.
    auto room = site.room().take_device();
    found = time_eager(oracle, site, leases);
  }
  if (auto* still = std::get_if<untimed>(&found))
    return blamed(std::move(still->error), site, leases);
  auto eager = std::get<double>(found);
  auto result = time_compiled(oracle, site, leases, names, eager, known::used);
  if (!result)
    return std::move(result.error());
  result->insert(result->begin(), {"eager", eager});
  oracle.set_baselines(std::move(*result));
  return {};
}

caf::expected<std::vector<baseline>> time_compiled(task_oracle& oracle, evaluation_site& site,
                                                   lease_source& leases,
                                                   const std::vector<std::string>& names,
                                                   double eager, known earlier) {
  known_ratios ratios{oracle, site};
  baseline_timer timer{oracle, site, leases};
  std::vector<baseline> result;
  for (auto& name : names) {
    if (name == "eager")
      continue;
    auto ratio = earlier == known::used ? ratios.find(name, eager) : std::nullopt;
    if (!ratio) {
      auto measured = timer.against_eager(name);
      if (!measured)
        return std::move(measured.error());
      if (!*measured)
        continue; // a model that torch.compile cannot take has no such baseline
      if (!timer.was_disturbed())
        ratios.keep(name, eager, **measured);
      ratio = (*measured)->speedup;
    }
    result.push_back({name, eager / *ratio});
  }
  return result;
}

} // namespace lathe::gpu
