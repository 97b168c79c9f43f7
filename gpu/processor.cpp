#include "gpu/processor.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sched.h>
#include <unistd.h>

namespace lathe::gpu {

namespace {

// Where the system names no cache: more than most processors have.
constexpr std::size_t usual_last_cache = 64 << 20;

} // namespace

std::string processor_name() {
  std::ifstream file{"/proc/cpuinfo"};
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      return line.substr(line.find(':') + 2);
  return "unknown processor";
}

std::vector<int> allowed_cpus() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<int> result;
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &allowed))
        result.push_back(cpu);
  return result;
}

std::size_t last_cache_size() {
  // What one core reaches. AMD's processors tell sysconf of all their third levels together.
  for (auto* level : {"index4", "index3"}) {
    std::ifstream file{fmt::format("/sys/devices/system/cpu/cpu0/cache/{}/size", level)};
    if (std::size_t kibibytes = 0; file >> kibibytes && kibibytes > 0) // "32768K"
      return kibibytes << 10;
  }
  for (auto level : {_SC_LEVEL4_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE})
    if (auto size = ::sysconf(level); size > 0)
      return static_cast<std::size_t>(size);
  return usual_last_cache;
}

} // namespace lathe::gpu
