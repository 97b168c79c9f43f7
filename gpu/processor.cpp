#include "gpu/processor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <fstream>

#include <sched.h>
#include <unistd.h>

namespace lathe::gpu {

namespace {

// Where the system names no cache: more than most processors have.
constexpr std::size_t usual_last_cache = 64 << 20;

// [seconds] that a fixed piece of work takes on the processor that runs this. It keeps all of a
// core's arithmetic units busy, so that whoever shares the core shows.
double probe() {
  constexpr int rounds = 4000;
  std::array<std::uint64_t, 8> chains{1, 2, 3, 4, 5, 6, 7, 8};
  auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < rounds; ++i)
    for (auto& x : chains) {
      x = ((x << 1) ^ (x >> 3)) + i;
      asm volatile("" : "+r"(x)); // nothing may be left out or done several at a time
    }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The thread that makes it runs on one processor as long as it lives.
class visit {
public:
  explicit visit(int cpu) {
    known_ = ::sched_getaffinity(0, sizeof(before_), &before_) == 0;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(cpu), &one);
    ::sched_setaffinity(0, sizeof(one), &one);
  }

  visit(const visit&) = delete;
  visit& operator=(const visit&) = delete;

  ~visit() {
    if (known_)
      ::sched_setaffinity(0, sizeof(before_), &before_);
  }

private:
  cpu_set_t before_;
  bool known_ = false;
};

} // namespace

std::string processor_name() {
  std::ifstream file{"/proc/cpuinfo"};
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      return line.substr(line.find(':') + 2);
  return "unknown processor";
}

double seconds_of_probe(int cpu) {
  constexpr int tries = 3; // the first finds cold caches, and any may be interrupted
  const visit there{cpu};
  auto fastest = probe();
  for (int i = 1; i < tries; ++i)
    fastest = std::min(fastest, probe());
  return fastest;
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
