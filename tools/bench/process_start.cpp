// How long until a process is ready that has torch imported: forked from the warm process into its
// sandbox and answering, against Python started cold. Prints both medians and their ratio.
#include "gpu/processes/warm_process.hpp"
#include "messages/error.hpp"

#include <caf/init_global_meta_objects.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace lathe;

namespace {

// Returns the median time [seconds] of `count` calls.
double median_time(int count, const std::function<void()>& body) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    auto start = std::chrono::steady_clock::now();
    body();
    auto taken = std::chrono::steady_clock::now() - start;
    times.push_back(std::chrono::duration<double>(taken).count());
  }
  std::nth_element(times.begin(), times.begin() + count / 2, times.end());
  return times[static_cast<std::size_t>(count) / 2];
}

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(3);
}

} // namespace

int main() {
  caf::core::init_global_meta_objects();
  auto warm = gpu::warm_process::start({LATHE_BENCH_PYTHON, LATHE_BENCH_PROCESSES});
  if (!warm)
    give_up(describe(warm.error()));
  std::vector<std::unique_ptr<gpu::worker_process>> workers; // end after the measured time
  auto forked = median_time(21, [&] {
    auto worker = (*warm)->spawn({});
    if (!worker)
      give_up(describe(worker.error()));
    if (!(*worker)->call({{"op", "describe"}}, {}, 60s).ok())
      give_up("a worker does not answer");
    workers.push_back(std::move(*worker));
  });
  auto cold = median_time(5, [] {
    if (std::system(LATHE_BENCH_PYTHON " -c 'import torch'") != 0)
      give_up("torch does not import");
  });
  fmt::print("forked worker ready   {:8.1f} ms   (at most 100)\n", forked * 1e3);
  fmt::print("python, import torch  {:8.1f} ms\n", cold * 1e3);
  fmt::print("ratio                 {:8.1f}      (at least 10)\n", cold / forked);
  return forked < 0.1 && cold >= 10 * forked ? 0 : 1;
}
