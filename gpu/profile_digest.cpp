#include "gpu/profile_digest.hpp"

#include "gpu/bottleneck.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lathe::gpu {

namespace {

constexpr std::size_t most_rows = 8;
constexpr std::size_t name_width = 60;

// A share of the busy time that is worth a row.
constexpr double worth_telling = 0.01;

std::string milliseconds(double seconds) {
  return fmt::format("{:.3g} ms", 1e3 * seconds);
}

std::string percent(double share) {
  return fmt::format("{:.0f} %", 100 * share);
}

std::string product(const std::array<std::int64_t, 3>& x) {
  if (x[2] > 1)
    return fmt::format("{}x{}x{}", x[0], x[1], x[2]);
  return x[1] > 1 ? fmt::format("{}x{}", x[0], x[1]) : fmt::format("{}", x[0]);
}

std::string shortened(const std::string& name) {
  return name.substr(0, name_width);
}

// "132x1 blocks of 128 threads, 0.5 waves; 168 registers, 49 kB shared; occupancy 19 %, by
// registers"
std::string resources(const profile_event& e, const device_limits& limits) {
  auto held = occupancy_of(e, limits);
  auto result = fmt::format("{} blocks of {} threads, {:.3g} waves; {} registers", product(e.grid),
                            product(e.block), waves_of(e, limits), e.registers);
  if (e.shared > 0)
    result += fmt::format(", {:.1f} kB shared", static_cast<double>(e.shared) * 1e-3);
  if (e.local > 0)
    result += fmt::format(", {} B local", e.local);
  result += fmt::format("; occupancy {}", percent(held.share));
  if (!held.limiter.empty())
    result += ", limited by " + held.limiter;
  return result;
}

std::string code_facts(const kernel_code& x) {
  std::string result;
  if (x.efficiency)
    result += fmt::format("; uses {} of the global memory it moves", percent(*x.efficiency));
  if (x.conflicts && x.shared_share > 0)
    result += fmt::format("; shared accesses made {:.1f} times", *x.conflicts);
  return result;
}

std::string row(const event_group& group, const call_profile& x, double busy) {
  auto& e = *group.first;
  auto result = fmt::format("{:>5}  {} in {} call{}  {}", percent(group.seconds / busy),
                            milliseconds(group.seconds), group.calls, group.calls == 1 ? "" : "s",
                            shortened((e.has_name() ? "" : "copy: ") + e.label()));
  if (!e.is_kernel())
    return result;
  result += "\n       " + resources(e, x.limits);
  if (uses_tensor_cores(e, x))
    result += "; tensor cores";
  if (auto code = x.code.find(e.symbol); code != x.code.end())
    result += code_facts(code->second);
  return result;
}

std::string floor_line(const call_profile& x) {
  if (x.floor <= 0 || x.seconds <= 0)
    return {};
  return fmt::format(
    "roofline floor of the task (all data moved once, all products at this device's "
    "best): {}, {:.1f}x below this call\n",
    milliseconds(x.floor), x.seconds / x.floor);
}

} // namespace

std::string digest(const call_profile& x) {
  auto found = diagnose(x);
  if (found.empty())
    return "nothing ran on the device in a call\n";
  auto& first = found.front();
  auto result = fmt::format("{}: {}\n  usual moves: {}\n", to_string(first.what), first.evidence,
                            usual_moves(first.what, x.on_gpu()));
  for (std::size_t i = 1; i < found.size(); ++i)
    result += fmt::format("also {}: {}\n", to_string(found[i].what), found[i].evidence);
  auto busy = busy_time(x);
  if (x.on_gpu() && x.seconds > 0)
    result += fmt::format(
      "a call takes {}, the GPU is busy for {} of it; {} launch{}{}\n", milliseconds(x.seconds),
      percent(std::min(1.0, busy / x.seconds)), x.events.size(), x.events.size() == 1 ? "" : "es",
      std::ranges::any_of(x.events, &profile_event::graph) ? ", from CUDA graphs" : "");
  result += floor_line(x);
  std::size_t rows = 0;
  for (auto& group : group_events(x))
    if (rows++ < most_rows && group.seconds >= worth_telling * busy)
      result += row(group, x, busy) + "\n";
  return result;
}

} // namespace lathe::gpu
