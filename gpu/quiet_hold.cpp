#include "gpu/quiet_hold.hpp"

#include "gpu/processor.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>

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
    std::unique_ptr<quiet_hold> result{new quiet_hold(std::move(*lease))};
    if (oracle != nullptr)
      result->oracle_ = std::unique_lock{oracle->mutex()};
    auto& timed = oracle != nullptr ? oracle->process() : *alone; // it may have been replaced
    result->frozen_ = site.freezer().freeze_all_but(awake);
    auto& cpus = result->cpus_.emplace(site.choose_timing_cpus()).numbers();
    if (spdlog::should_log(spdlog::level::trace) && !cpus.empty())
      result->speed_ = seconds_of_probe(cpus.front());
    result->timed_.emplace(timed.group(), cpus);
    if (beside != nullptr)
      result->beside_.emplace(beside->group(), cpus);
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

quiet_hold::~quiet_hold() {
  beside_.reset(); // who is ahead of others there would be ahead of the probe
  timed_.reset();
  if (speed_ == 0)
    return;
  auto cpu = cpus_->numbers().front();
  spdlog::trace("processor {}: {:.1f} us for what took {:.1f} us at first", cpu,
                1e6 * seconds_of_probe(cpu), 1e6 * speed_);
}

} // namespace lathe::gpu
