#include "gpu/quiet_hold.hpp"

#include "gpu/processor.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace lathe::gpu {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

// Autotuners launch up to a tenth of a second ahead, each of a dozen. All of it is of use: who gives
// up before it is done lets them launch as much again.
constexpr auto drain_patience = 3s;

bool is_quiet(worker_process& timed, bool& broken) {
  auto patience = std::chrono::nanoseconds{drain_patience}.count();
  auto found = timed.call({{"op", "quiet"}, {"patience_ns", patience}}, {}, drain_patience + 7s);
  broken = !found.ok();
  return found.flag("quiet").value_or(false);
}

} // namespace

caf::expected<std::unique_ptr<quiet_hold>>
quiet_hold::take(evaluation_site& site, lease_source& leases, task_oracle& oracle,
                 std::int32_t priority, const worker_process* candidate, const std::string& tag) {
  return take(site, leases, priority, &oracle, nullptr, candidate, {tag, oracle.tag()});
}

caf::expected<std::unique_ptr<quiet_hold>>
quiet_hold::take(evaluation_site& site, lease_source& leases, worker_process& alone,
                 const std::string& tag, std::int32_t priority) {
  return take(site, leases, priority, nullptr, &alone, nullptr, {tag});
}

caf::expected<std::unique_ptr<quiet_hold>>
quiet_hold::take(evaluation_site& site, lease_source& leases, std::int32_t priority,
                 task_oracle* oracle, worker_process* alone, const worker_process* beside,
                 const std::set<std::string>& awake) {
  for (;;) {
    site.respite().wait([&] { return site.closed(); });
    auto asked = clock::now();
    auto lease = hold(leases, lease_kind::exclusive, priority);
    auto granted = clock::now();
    if (!lease)
      return std::move(lease.error());
    if (site.respite().lasts() && !site.closed())
      continue; // another found just now that it was in vain
    std::unique_ptr<quiet_hold> result{new quiet_hold(site, std::move(*lease))};
    if (oracle != nullptr)
      result->oracle_ = std::unique_lock{oracle->mutex()};
    auto& timed = oracle != nullptr ? oracle->process() : *alone; // it may have been replaced
    result->frozen_ = site.freezer().freeze_all_but(awake);
    auto& cpus = result->cpus_.emplace(site.choose_timing_cpus()).numbers();
    result->favoured_.emplace_back(timed.group(), cpus);
    if (beside != nullptr)
      result->favoured_.emplace_back(beside->group(), cpus);
    auto broken = false;
    auto quiet = !site.device().cuda || is_quiet(timed, broken);
    spdlog::trace("worker {}: waited {:.4f} s for an exclusive lease, {:.4f} s for {}; processors {}",
                  timed.group(), seconds{granted - asked}.count(),
                  seconds{clock::now() - granted}.count(), quiet ? "quiet" : "quiet in vain",
                  fmt::join(cpus, ", "));
    if (quiet) {
      site.found_at_rest();
      return result;
    }
    if (broken)
      return make_error(errc::evaluator_failed, "a process broke before it was timed");
    site.found_busy();
  }
}

bool quiet_hold::counts() {
  if (!site_.device().cuda || cpus_->numbers().empty())
    return true;
  auto cpu = cpus_->numbers().front();
  auto probe = seconds_of_probe(cpu);
  if (neighbours_.counts(probe, site_.calmest_probe()))
    return true;
  // Another one, since this one is still claimed. Where all others are somebody's it stays.
  if (auto others = site_.choose_timing_cpus(); others.are_all_claimed()) {
    cpus_ = std::move(others);
    for (auto& group : favoured_)
      group.move(cpus_->numbers());
  }
  spdlog::trace("processor {} has a busy neighbour, a probe takes {:.1f} us there, and {:.1f} us "
                "where nobody is; processors {}",
                cpu, 1e6 * probe, 1e6 * site_.calmest_probe(), fmt::join(cpus_->numbers(), ", "));
  return false;
}

} // namespace lathe::gpu
