#include "gpu/quiet_hold.hpp"

#include "gpu/processes/process_group.hpp"
#include "messages/error.hpp"

#include <chrono>
#include <thread>

namespace lathe::gpu {

namespace {

using namespace std::chrono_literals;

// Autotuners launch up to a tenth of a second ahead.
constexpr auto drain_patience = 500ms;

// How long others run between two tries: their own limits only count while they do.
constexpr auto respite = 1s;

bool is_quiet(worker_process& timed, bool& broken) {
  auto patience = std::chrono::nanoseconds{drain_patience}.count();
  auto found = timed.call({{"op", "quiet"}, {"patience_ns", patience}}, {}, 20 * drain_patience);
  broken = !found.ok();
  return found.flag("quiet").value_or(false);
}

} // namespace

caf::expected<std::unique_ptr<quiet_hold>>
quiet_hold::take(evaluation_site& site, lease_source& leases, task_oracle& oracle,
                 std::int32_t priority, const worker_process* candidate, const std::string& tag) {
  return take(site, leases, priority, &oracle.mutex(), {tag, oracle.tag()}, oracle.process(),
              candidate);
}

caf::expected<std::unique_ptr<quiet_hold>>
quiet_hold::take(evaluation_site& site, lease_source& leases, worker_process& alone,
                 const std::string& tag, std::int32_t priority) {
  return take(site, leases, priority, nullptr, {tag}, alone, nullptr);
}

caf::expected<std::unique_ptr<quiet_hold>>
quiet_hold::take(evaluation_site& site, lease_source& leases, std::int32_t priority,
                 std::mutex* oracle, const std::set<std::string>& awake, worker_process& timed,
                 const worker_process* beside) {
  for (;;) {
    auto lease = hold(leases, lease_kind::exclusive, priority);
    if (!lease)
      return std::move(lease.error());
    std::unique_ptr<quiet_hold> result{new quiet_hold(std::move(*lease))};
    if (oracle != nullptr)
      result->oracle_ = std::unique_lock{*oracle};
    result->frozen_ = site.freezer().freeze_all_but(awake);
    pin_group(timed.group(), site.timing_cpus());
    if (beside != nullptr)
      pin_group(beside->group(), site.timing_cpus());
    auto broken = false;
    if (!site.device().cuda || is_quiet(timed, broken))
      return result;
    if (broken)
      return make_error(errc::evaluator_failed, "a process broke before it was timed");
    result.reset();
    std::this_thread::sleep_for(respite);
  }
}

} // namespace lathe::gpu
