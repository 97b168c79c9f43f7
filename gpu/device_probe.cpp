#include "gpu/device_probe.hpp"

#include "gpu/processes/process_group.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace lathe::gpu {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto answer_limit = 60s; // a first CUDA context, on a machine that is busy

// What the driver may need to take back the memory of a process that is gone.
constexpr auto settle_limit = 2s;
constexpr auto settle_pause = 50ms;

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{} MiB", bytes >> 20);
}

caf::error leak(const device& where, const gpu_process& x) {
  auto text = fmt::format("process {} is gone and still holds {}", x.pid,
                          x.bytes == 0 ? "memory" : megabytes(x.bytes));
  if (auto used = where.driver->used_memory(where.card))
    text += fmt::format(" on {}, of {} in use", where.name(), megabytes(*used));
  return make_error(errc::environment_error, std::move(text));
}

caf::error find_leaks(const device& where, pid_t ours) {
  for (auto end = clock::now() + settle_limit;; std::this_thread::sleep_for(settle_pause)) {
    auto listed = where.driver->processes(where.card);
    if (!listed)
      return {}; // a driver that does not list processes; that one could compute has to do
    auto left = left_behind(std::move(*listed), ours, live_group);
    if (left.empty())
      return {};
    if (clock::now() >= end)
      return leak(where, left.front());
  }
}

} // namespace

std::vector<gpu_process> left_behind(std::vector<gpu_process> listed, pid_t ours,
                                     const std::function<std::optional<pid_t>(pid_t)>& live_group) {
  bool shows_ours = false;
  std::erase_if(listed, [&](const gpu_process& x) {
    if (x.pid <= 0)
      return true; // in a container: one of another
    auto group = live_group(x.pid);
    shows_ours = shows_ours || group == ours;
    return group.has_value();
  });
  if (!shows_ours)
    listed.clear();
  return listed;
}

caf::error probe_device(evaluation_site& site) {
  auto worker = site.spawn("probe", "probe");
  if (!worker)
    return std::move(worker.error());
  auto found = worker->process->call({{"op", "describe"}}, {}, answer_limit);
  if (site.closed())
    return make_error(errc::cancelled, "the run stops");
  if (!found.ok())
    return make_error(errc::environment_error,
                      fmt::format("no fresh process can compute on {}: {}", site.device().name(),
                                  found.problem().message));
  if (!site.device().cuda)
    return {};
  return find_leaks(site.device(), worker->process->group());
}

} // namespace lathe::gpu
