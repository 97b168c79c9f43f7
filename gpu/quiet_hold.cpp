#include "gpu/quiet_hold.hpp"

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

bool is_quiet(task_oracle& oracle, bool& broken) {
  auto patience = std::chrono::nanoseconds{drain_patience}.count();
  auto found =
    oracle.process().call({{"op", "quiet"}, {"patience_ns", patience}}, {}, 20 * drain_patience);
  broken = !found.ok();
  return found.flag("quiet").value_or(false);
}

} // namespace

caf::expected<std::unique_ptr<quiet_hold>>
quiet_hold::take(evaluation_site& site, lease_source& leases, task_oracle& oracle,
                 std::int32_t priority, const worker_process* candidate, const std::string& tag) {
  for (;;) {
    auto lease = hold(leases, lease_kind::exclusive, priority);
    if (!lease)
      return std::move(lease.error());
    std::unique_ptr<quiet_hold> result{new quiet_hold(std::move(*lease), site, oracle, candidate, tag)};
    auto broken = false;
    if (!site.device().cuda || is_quiet(oracle, broken))
      return result;
    if (broken)
      return make_error(errc::evaluator_failed,
                        "the reference's process broke before it was timed");
    result.reset();
    std::this_thread::sleep_for(respite);
  }
}

quiet_hold::quiet_hold(held_lease lease, evaluation_site& site, task_oracle& oracle,
                       const worker_process* candidate, const std::string& tag)
  : lease_(std::move(lease)), oracle_(oracle.mutex()),
    frozen_(site.freezer().freeze_all_but({tag, oracle.tag()})),
    reference_(oracle.process().group(), site.timing_cpus()) {
  if (candidate != nullptr)
    candidate_.emplace(candidate->group(), site.timing_cpus());
}

} // namespace lathe::gpu
