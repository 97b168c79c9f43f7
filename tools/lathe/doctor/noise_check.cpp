#include "tools/lathe/doctor/noise_check.hpp"

#include "tools/lathe/doctor/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <thread>

#include <unistd.h>

namespace lathe::doctor {

namespace {

using namespace std::chrono_literals;

constexpr auto watching_time = 200ms;
constexpr double much_load = 0.5;    // of the cores
constexpr double much_stolen = 0.05; // of the time; one tick of two cores is 0.025

// Those that are read without a system call.
constexpr std::array<std::string_view, 4> fast_clocks = {
  "tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"};

double stolen_share(const cpu_times& before, const cpu_times& after) {
  if (after.total <= before.total || after.stolen < before.stolen)
    return 0;
  return static_cast<double>(after.stolen - before.stolen)
         / static_cast<double>(after.total - before.total);
}

} // namespace

cpu_times parse_cpu_times(std::string_view stat) {
  // cpu user nice system idle iowait irq softirq steal; guest time, after it, is part of user time.
  std::istringstream fields{std::string{stat.substr(0, stat.find('\n'))}};
  std::string label;
  fields >> label;
  cpu_times result;
  for (int field = 0; field < 8; ++field)
    if (std::uint64_t value = 0; fields >> value) {
      result.total += value;
      result.stolen = field == 7 ? value : 0;
    }
  return result;
}

host_noise watch_host() {
  auto before = parse_cpu_times(read_text("/proc/stat"));
  std::this_thread::sleep_for(watching_time);
  auto after = parse_cpu_times(read_text("/proc/stat"));
  host_noise result;
  result.load = std::strtod(read_text("/proc/loadavg").c_str(), nullptr);
  result.stolen = stolen_share(before, after);
  result.cores = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  return result;
}

finding judge_noise(const host_noise& x) {
  auto found = fmt::format("load {:.1f} on {} core{}, {:.1f} % of the time stolen", x.load, x.cores,
                           x.cores == 1 ? "" : "s", x.stolen * 100);
  if (x.stolen > much_stolen)
    return warning("host noise", found,
                   "other virtual machines use these cores: times vary; use a dedicated host for "
                   "figures that count");
  if (x.load > much_load * static_cast<double>(x.cores))
    return warning("host noise", found,
                   "other work runs here: stop it before times count, or expect wide intervals");
  return ok("host noise", found);
}

finding judge_clock(const std::string& source) {
  if (source.empty())
    return ok("clock", "the kernel does not name its clock source");
  if (std::find(fast_clocks.begin(), fast_clocks.end(), source) == fast_clocks.end())
    return warning("clock", source + ", where every reading is a slow system call",
                   "boot with clocksource=tsc if the processor's counter is stable");
  return ok("clock", source);
}

finding judge_frequency(const std::string& governor) {
  if (governor.empty())
    return ok("cpu frequency", "not ours to set: the host or the firmware decides");
  if (governor != "performance")
    return warning("cpu frequency",
                   fmt::format("governor {}: it changes while times are taken", governor),
                   "as root: cpupower frequency-set -g performance");
  return ok("cpu frequency", "governor performance");
}

finding check_clock() {
  return judge_clock(read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
}

finding check_frequency() {
  return judge_frequency(read_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
}

} // namespace lathe::doctor
